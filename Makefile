# SPDX-License-Identifier: GPL-2.0

CACHE := $(CURDIR)/.cache
KERNEL ?= stock
KERNELS ?= $(KERNEL)
JOBS ?= 2

export KERNELS T JOBS

all: build

help:
	@echo 'make build [KERNEL=K]      kraw.ko and user/kraw'
	@echo 'make check                 everything: static checks, all test subjects in VMs'
	@echo 'make check T=SUBJECT       one subject: tests/subjects/SUBJECT.py'
	@echo 'make check KERNEL=debug    on a kernel with KASAN, lockdep, kmemleak, ...'
	@echo 'make check KERNELS="stock debug"'
	@echo 'make matrix                what the last checks said: renews Documentation/kernels.md'
	@echo 'make demo                  a tour of kraw, in a VM'
	@echo 'make bench                 instructions counted: tables, ratios, plots in .cache/bench'
	@echo 'make bench T=lookup        one benchmark: idle, lookup, receive, dgram or apply'
	@echo 'make bench BENCH_SAVE=1    keep the results in Documentation/bench'
	@echo 'make raw7 [REPEAT=5]       raw(7) executed: renews Documentation/raw7.md'
	@echo 'make fuzz [N=10000000]     so many hostile messages, on from where the last run ended'
	@echo 'make soak                  messages, packets (a million), rounds of a storm (1000): over night'
	@echo 'make coverage [T=SUBJECT]  which lines of kmod/ all subjects together execute'
	@echo 'make vm RUN=FILE           run FILE as root in a VM, exit with its status'
	@echo 'make vm-shell              a root shell in a VM'
	@echo 'make packages              install the Debian packages that all this needs'
	@echo 'make format                give the C programs the form that the static checks want'
	@echo 'make clean                 remove what was built'
	@echo 'make distclean             remove downloads and kernels as well'
	@echo
	@echo 'Variables: KERNEL=stock|debug|6.12|7.x|s390x|... (tests/vm/kernels), CPUS=, MEM= (MiB), TIMEOUT= (s),'
	@echo 'SEED= of make fuzz and make soak, which starts them anew.'
	@echo 'ARGS="..." for FILE, JOBS= CPUs for VMs, RUNS= VMs for each benchmark.'

format:
	clang-format -i user/*.[ch] tests/raw7/*.[ch]

packages:
	@scripts/install-packages

build: packages
	@tests/vm/prepare '$(KERNEL)' '$(CACHE)'

VM := tests/vm/run --cache '$(CACHE)' --kernel '$(KERNEL)' \
	$(if $(CPUS),--cpus $(CPUS)) $(if $(MEM),--mem $(MEM)) \
	$(if $(TIMEOUT),--timeout $(TIMEOUT))

# The status of FILE is in make's message; make itself can only exit with 2.
# tests/vm/run exits with it.
vm:
	@test -f '$(RUN)' || { echo "make vm: no such file: RUN='$(RUN)'" >&2; exit 1; }
	@$(MAKE) --no-print-directory build >&2
	@$(VM) -- '$(RUN)' $(ARGS)

vm-shell: build
	@$(VM) --shell

demo:
	@$(MAKE) --no-print-directory vm RUN=tests/demo/tour

check: packages
	@tests/check '$(CACHE)'

matrix:
	@tests/matrix '$(CACHE)' >'$(CACHE)/kernels.md'
	@mv '$(CACHE)/kernels.md' Documentation/kernels.md
	@tests/matrix --readme >'$(CACHE)/README.md'
	@mv '$(CACHE)/README.md' README.md

bench: build
	@scripts/install-packages scripts/packages-bench
	@tests/bench/run --cache '$(CACHE)' --kernel '$(KERNEL)' --jobs $(JOBS) \
		$(if $(RUNS),--runs $(RUNS)) \
		$(if $(BENCH_SAVE),--save Documentation/bench) $(T)

raw7: build
	@tests/raw7/run '$(KERNEL)' '$(CACHE)' '$(or $(REPEAT),1)'

coverage: packages
	@scripts/install-packages scripts/packages-coverage
	@tests/coverage/run '$(CACHE)' $(T)

fuzz: build
	@tests/fuzz/run '$(KERNEL)' '$(CACHE)' messages '$(or $(N),10000000)' $(SEED)

# what is short comes first
soak: build
	@tests/fuzz/run '$(KERNEL)' '$(CACHE)' rounds 1000 $(SEED)
	@tests/fuzz/run '$(KERNEL)' '$(CACHE)' packets 1000000 $(SEED)
	@tests/fuzz/run '$(KERNEL)' '$(CACHE)' messages 10000000 $(SEED)

clean:
	rm -rf '$(CACHE)/build' '$(CACHE)/s390x/build' '$(CACHE)/aarch64/build' '$(CACHE)/vm' '$(CACHE)/run' '$(CACHE)/log' '$(CACHE)/bench' '$(CACHE)/raw7'
	@if [ -e user/Makefile ]; then $(MAKE) -C user clean; fi

distclean: clean
	rm -rf '$(CACHE)'

.PHONY: all help format packages build vm vm-shell demo check matrix bench raw7 coverage fuzz soak clean distclean
