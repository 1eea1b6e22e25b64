# SPDX-License-Identifier: GPL-2.0
# What the compiler has to say about C programs here.

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef -Wvla \
	-Wold-style-definition -Wno-missing-field-initializers
