#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The kernel's netlink specification schemas and its YNL client, version 6.12.

Debian 12's own linux-source-6.1 is older than both. Debian ships 6.12 too, in
the security and backports suites of the same mirror; this takes that package
once, with an apt configuration of its own (the machine's lists, cache and
packages stay as they are), keeps the few files that are needed in
.cache/ynl/PACKAGE_VERSION/ and throws the rest away.

Run: prints the folder, fetching it first if need be; exit status 4 and a
reason on stderr if that is not possible. With --cached it fetches nothing.
YNL_TREE in the environment names a kernel tree of that version to use instead.
"""

import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import yaml

PACKAGE = "linux-source-6.12"
WANTED = ("Documentation/netlink", "tools/net/ynl", "MAINTAINERS")
SCHEMA = "Documentation/netlink/genetlink-legacy.yaml"

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "ynl"


class Unavailable(Exception):
    """There is no tree, and none can be had; the text says why."""


def cached():
    """The cached tree, or None. A tree appears there by rename, so complete."""
    given = os.environ.get("YNL_TREE")
    if given:
        if not (pathlib.Path(given) / SCHEMA).is_file():
            raise Unavailable(f"YNL_TREE={given} has no {SCHEMA}")
        return pathlib.Path(given)
    found = sorted(CACHE.glob(f"{PACKAGE}_*/{SCHEMA}"))
    return found[-1].parents[2] if found else None


def tree():
    """The tree, fetched if it is not there yet."""
    found = cached()
    if found:
        return found
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = cached()
        if found:
            return found
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="tmp.") as tmp:
            return fetch(pathlib.Path(tmp))


def fetch(tmp):
    """Find the package in the first suite that has it; unpack it."""
    if not shutil.which("apt-get"):
        raise Unavailable("no apt-get here, and no kernel tree in YNL_TREE")
    why = "no Debian suite in the machine's apt sources"
    for suites in suite_groups():
        try:
            return unpack(download(tmp, suites), tmp)
        except subprocess.CalledProcessError as err:
            lines = (err.stderr or "").strip().splitlines() or [str(err)]
            names = " ".join(suite for _, suite in suites)
            why = f"{PACKAGE} from {names}: {lines[-1]}"
    raise Unavailable(why)


def suite_groups():
    """
    Lists of (address, suite), the smallest to download first. The addresses are
    those of the machine's own apt sources.
    """
    targets = run("apt-get", "indextargets", "--no-release-info", "--format",
                  "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                  "Created-By: Packages").split("\n")
    known = dict.fromkeys(tuple(line.split()[:2]) for line in targets
                          if line.split()[2:] == ["main"])
    names = {suite for _, suite in known}
    security = [(uri, suite) for uri, suite in known
                if suite.endswith("-security")]
    base = [(uri, suite) for uri, suite in known
            if f"{suite}-security" in names or f"{suite}-updates" in names]
    backports = [(uri, f"{suite}-backports") for uri, suite in base]
    return [group for group in (security, backports, base) if group]


def download(tmp, suites):
    """Fetch the package into tmp with an apt state of its own."""
    keys = [key for key in
            pathlib.Path("/usr/share/keyrings").glob("debian-archive-keyring.*")
            if key.suffix in (".gpg", ".pgp")]
    signed = f" [signed-by={keys[0]}]" if keys else ""
    for folder in ("lists/partial", "cache/archives/partial"):
        (tmp / folder).mkdir(parents=True, exist_ok=True)
    sources = tmp / "sources.list"
    sources.write_text("".join(f"deb{signed} {uri} {suite} main\n"
                               for uri, suite in suites), encoding="ascii")
    (tmp / "apt.conf").write_text(f"""
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "{sources}";
Dir::Etc::sourceparts "-";
Dir::State::lists "{tmp}/lists";
Dir::Cache "{tmp}/cache";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
APT::Sandbox::User "root";
""", encoding="utf-8")
    private = ("-q=2", f"-c={tmp}/apt.conf")
    run("apt-get", *private, "--error-on=any", "update", cwd=tmp)
    run("apt-get", *private, "download", PACKAGE, cwd=tmp)
    return next(tmp.glob(f"{PACKAGE}_*.deb"))


def unpack(deb, tmp):
    """Move what is wanted of the package to its place in the cache."""
    out = tmp / "out"
    out.mkdir()
    members = " ".join(f"{PACKAGE}/{name}" for name in WANTED)
    run("sh", "-ec",
        f"dpkg-deb --fsys-tarfile '{deb}' |"
        f" tar -xO ./usr/src/{PACKAGE}.tar.xz |"
        f" tar -xJ -C '{out}' --strip-components=1 --no-same-owner {members}")
    if not (out / SCHEMA).is_file():
        raise Unavailable(f"{deb.name} has no {SCHEMA}")
    final = CACHE / "_".join(deb.stem.split("_")[:2]).replace("%3a", ":")
    out.rename(final)
    return final


def generate(kernel, spec, folder, mode, part):
    """
    Run the kernel's C generator (mode uapi or user, part header or source) on a
    copy of a specification in an empty folder; the path of what it made. It
    looks for schemas beside the specification, and upwards without end for a
    file MAINTAINERS.
    """
    base = folder / "Documentation" / "netlink"
    (base / "specs").mkdir(parents=True, exist_ok=True)
    for schema in (kernel / "Documentation/netlink").glob("*.yaml"):
        shutil.copy(schema, base)
    copy = base / "specs" / spec.name
    copy.write_text(without_nameless_docs(spec.read_text(encoding="utf-8")),
                    encoding="utf-8")
    (folder / "MAINTAINERS").touch()
    suffix = ".c" if part == "source" else ".h"
    out = folder / f"{copy.stem}-{mode}{suffix}"
    try:
        run("/usr/bin/python3", "-B",
            str(kernel / "tools/net/ynl/ynl-gen-c.py"), "--spec", str(copy),
            "--mode", mode, f"--{part}", "-o", str(out), cwd=folder)
    except subprocess.CalledProcessError as err:
        raise RuntimeError(f"ynl-gen-c --mode {mode} --{part}: "
                           f"{err.stderr}") from err
    return out


def without_nameless_docs(text):
    """
    A specification without the docs of enums without a name, on which the
    generator of 6.12 fails (it appends the doc to the name).
    """
    content = yaml.safe_load(text)
    for definition in content["definitions"]:
        if "enum-name" in definition and not definition["enum-name"]:
            definition.pop("doc", None)
            definition["entries"] = [entry["name"]
                                     for entry in definition["entries"]]
    return text.splitlines()[0] + "\n" + yaml.safe_dump(content)


def run(*argv, cwd=None):
    """Run a command; its output. Its complaints are in the exception."""
    return subprocess.run(argv, cwd=cwd, check=True, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE,
                          env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout


def main():
    try:
        found = cached() if "--cached" in sys.argv[1:] else tree()
        if not found:
            raise Unavailable(f"not in {CACHE.relative_to(ROOT)} yet")
    except Unavailable as err:
        print(f"no YNL tree: {err}", file=sys.stderr)
        return 4
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
