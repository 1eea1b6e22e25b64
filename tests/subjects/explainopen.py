#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What `kraw explain open` says is what socket() does: for root, users, groups and
root of user namespaces, with and without a claim, here and elsewhere, with and
without the module.
"""
import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, system, tap, tool
from krawtest.client import Client, K
from krawtest.dgram import error, user
from krawtest.manage import managed
from krawtest.netns import Lab
from krawtest.sock import FAMILY

NAME = {4: "ipv4", 6: "ipv6"}
PARAMETER = "/sys/module/kraw/parameters/userns_claims"
RESULTS = {value: name[len("OPEN_RESULT_"):].lower()
           for name, value in vars(K).items()
           if name.startswith("OPEN_RESULT_")}
ERRORS = {"listed": None, "capable": None, "refused": "EPERM"}
# Prints what socket() says in both families.
PROGRAM = """
import errno, socket, sys
for family in socket.AF_INET, socket.AF_INET6:
    try:
        socket.socket(family, socket.SOCK_DGRAM, 253)
        print(None)
    except OSError as error:
        print(errno.errorcode[error.errno])
"""

lab = tap.cleanup(Lab())
system.no_autoload()
module = tap.cleanup(tool.Module())


class Asker:
    """What the module says, asked in this process, beside what socket() does."""
    def __init__(self, namespace=lab.right):
        self._namespace = namespace
        self._client = Client(namespace)

    def real(self, family, uid=None, proto=253, **how):
        """The error of that user's socket(), or None."""
        def attempt():
            with self._namespace, user(uid, **how):
                socket.socket(FAMILY[family], socket.SOCK_DGRAM, proto).close()
        return error(attempt)

    def told(self, family, uid=None, proto=253, **how):
        """The answer to that user."""
        with user(uid, **how):
            return self._client.opens(proto, family)

    def __call__(self, family, wanted, name, *args, proto=253, **how):
        """Insist that both say what is wanted; the answer."""
        told = self.told(family, *args, proto=proto, **how)
        result = RESULTS[told["result"]]
        said = ERRORS.get(result, "EPROTONOSUPPORT")
        tap.is_((result, said),
                (wanted, self.real(family, *args, proto=proto, **how)), name)
        return told

    def about(self, family, name, real_gid=None, uid=None, gid=None):
        """The same of somebody who is described, not there."""
        told = RESULTS[self._client.opens(253, family, uid, gid)["result"]]
        tap.is_(ERRORS.get(told, "EPROTONOSUPPORT"),
                self.real(family, 4999 if uid is None else uid, gid=real_gid),
                name)

    def close(self):
        """Close the socket."""
        self._client.close()


ask = tap.cleanup(Asker())
there = tap.cleanup(Asker(lab.other))


@tap.each(4, 6)
def claims(family):
    ask(family, "unmanaged", "not managed")
    with managed(253, lab.right):
        told = ask(family, "unclaimed", "no claim")
        tap.ok("elsewhere" not in told, "by nobody")
        with managed(253, lab.other, "claim ports"):
            told = ask(family, "unclaimed", "claimed elsewhere")
            tap.is_(told.get("elsewhere"), True, "is told")
            there(family, "capable", "there")
        for kind in ("plain", "ports"):
            tool.do("proto set 253 claim " + kind, lab.right)
            told = ask(family, "capable", "claim " + kind)
            tap.ok("elsewhere" not in told, "is ours")
        told = there(family, "unmanaged", "not managed there")
        tap.is_(told.get("elsewhere"), True, "and claimed here, for them")
        ask(family, "unmanaged", "another number", proto=252)
        tool.do("proto set 253 claim none", lab.right)
        ask(family, "unclaimed", "given up")
    with managed(253, lab.right, "claim plain family ipv%d" % family):
        ask(family, "capable", "in one family")
        ask(10 - family, "family", "not in the other")


@tap.each(4, 6)
def users(family):
    with managed(253, lab.right, "claim plain"):
        ask(family, "capable", "root")
        ask(family, "refused", "users none", 1000)
        tool.do("proto set 253 users uid 1000-1009 uid 3000 gid 50", lab.right)
        for uid in (999, 1000, 1009, 1010, 3000, 3001):
            ask(family, "listed" if uid in (1000, 1009, 3000) else "refused",
                "uid %d" % uid, uid)
            ask.about(family, "uid %d, described" % uid, uid=uid)
        told = ask(family, "listed", "the entry", 1005)
        tap.is_(told["entry"], {"kind": K.USER_KIND_UID, "low": 1000,
                                "high": 1009}, "is told")
        for gid in (49, 50):
            ask(family, "listed" if gid == 50 else "refused", "gid %d" % gid,
                5000, gid=gid)
            ask.about(family, "gid %d, described" % gid, real_gid=gid, gid=gid)
        ask(family, "listed", "a supplementary group", 5000, groups=(7, 50))
        ask(family, "refused", "others", 5000, groups=(7, 51))
        ask(family, "capable", "root beside the list")
        ask.about(family, "root, described", uid=0)
        ask.about(family, "user and group", real_gid=50, uid=5000, gid=50)
        tool.do("proto set 253 users all", lab.right)
        ask(family, "listed", "users all", 4000000000)
        ask.about(family, "users all, described", uid=4000000000)
        told = ask(family, "listed", "root is listed, too")
        tap.is_(told["entry"], {"kind": K.USER_KIND_ALL}, "as everybody")


# --- the tool ----------------------------------------------------------------

def run(*words, before=(), **options):
    """(JSON of `kraw explain open 253`, what socket() says), both families."""
    said = lab.right.run(*before, tool.KRAW, "-j", "explain", "open", "253",
                         *words, **options)
    real = lab.right.run(*before, sys.executable, "-S", "-E", "-c", PROGRAM,
                         **options)
    return json.loads(said.stdout), real.stdout.split()


def agree(name, wanted, *words, **options):
    """Insist that the tool says what socket() does, and why."""
    said, real = run(*words, **options)
    tap.is_([str(one["error"]) for one in said], real, name + ": as socket()")
    tap.is_([one["result"] for one in said], [wanted] * 2, name + ": why")
    return said


@tap.case
def somebody_elses_process():
    who = {"user": 1000, "group": 1000, "extra_groups": []}
    agree("not managed", "unmanaged", **who)
    with managed(253, lab.right, "claim plain users uid 2000"):
        said = agree("a user", "refused", **who)
        tap.has(said[0]["remedy"], "adding uid 1000 to its users", "a remedy")
        agree("root", "capable")
        agree("root of a user namespace without a network", "refused",
              before=["unshare", "--user", "--map-root-user"], **who)
        agree("root of it, the host's own", "refused",
              before=["unshare", "--user"])
        agree("root of a user namespace with a network", "unmanaged",
              before=["unshare", "--user", "--map-root-user", "--net"], **who)
        tool.do("proto set 253 users uid 1000", lab.right)
        agree("a user in the list", "listed", **who)
        agree("in a user namespace, where he is root", "listed",
              before=["unshare", "--user", "--map-root-user"], **who)


@tap.case
def a_claim_of_a_user_namespace():
    """Ids are those of the network namespace's own user namespace."""
    script = ("ip link set lo up; kraw proto add 253 claim plain users %s; "
              "kraw -j explain open 253; exec %s -S -E -c '%s'")
    with open(PARAMETER, "w") as file:
        file.write("1\n")
    try:
        for words, drop, wanted in (
                ("none", "", "capable"), ("none", "-net_raw", "refused"),
                ("uid 0", "-net_raw", "listed"),
                ("uid 1000", "-net_raw", "refused")):
            caps = "setpriv --bounding-set %s --inh-caps %s " % (drop, drop) \
                if drop else ""
            inner = script % (words, sys.executable, PROGRAM)
            inner = inner.replace("kraw -j", caps + "kraw -j") \
                         .replace("exec ", "exec " + caps)
            done = lab.right.run(
                "unshare", "--user", "--map-root-user", "--net", "sh", "-c",
                inner, user=1000, group=1000, extra_groups=[])
            lines = done.stdout.rstrip().rsplit("\n", 2)
            said = json.loads(lines[0])
            tap.is_([(one["result"], str(one["error"])) for one in said],
                    [(wanted, line) for line in lines[1:]],
                    "users %s%s" % (words, drop and ", without CAP_NET_RAW"))
    finally:
        with open(PARAMETER, "w") as file:
            file.write("0\n")


def text(words, namespace=lab.right):
    """The lines for a person."""
    return tool.do("explain open " + words, namespace)


@tap.case
def in_words():
    # namespaces of the case before may still be on their way out
    clock.wait_until(lambda: "another" not in text("253"))
    tap.is_(text("253").splitlines(),
            ["open 253 ipv%d -> EPROTONOSUPPORT because it is not managed try "
             "'kraw proto add 253 claim plain', or claim ports" % family
             for family in (4, 6)], "not managed")
    with managed(253, lab.right, "claim plain family ipv4 users uid 5-9"):
        tap.is_(text("253 family ipv4"), "open 253 ipv4 -> opens because it "
                "has CAP_NET_RAW over this network namespace\n", "root")
        tap.has(text("253 uid 7"), "open 253 ipv4 uid 7 -> opens users uid 5-9 "
                "because the claim's users have it", "somebody in the list")
        tap.has(text("253 uid nobody"), "open 253 ipv4 uid 65534 -> EPERM "
                "because it is not among the claim's users", "somebody else")
        tap.has(text("253 gid 5"), "try adding gid 5 to its users", "a group")
        tap.has(text("253 uid 0"), "root has CAP_NET_RAW, unless", "root")
        tap.has(text("253"), "ipv6 -> EPROTONOSUPPORT because it is not "
                "claimed in this family try 'kraw proto set 253 family both'",
                "the other family")
        tap.has(text("253", lab.other), "only another network namespace "
                "claims it", "elsewhere")
        one, = tool.ask("explain open 253 family ipv4 uid 7", lab.right)
        tap.is_({key: one[key] for key in one if key != "why"},
                {"proto": 253, "family": "ipv4", "uid": 7, "opens": True,
                 "error": None, "result": "listed", "entry": [{"uid": [5, 9]}],
                 "elsewhere": False}, "JSON")
    # UDP-Lite has left kernels of 7.x
    lite = (4, 6) if ask.real(4, proto=136) in (None, "EACCES") else ()
    for proto, families in ((17, (4, 6)), (1, (4,)), (58, (6,)), (136, lite)):
        said = {one["family"]: one["result"] for one in
                tool.ask("explain open %d" % proto, lab.right)}
        tap.is_([family for family in (4, 6)
                 if said[NAME[family]] == "linux"], list(families),
                "%d: Linux's own" % proto)
        for family in families:
            tap.ok(ask.real(family, proto=proto) in (None, "EACCES"),
                   "IPv%d: which answers by itself" % family)


@tap.case
def without_the_module():
    tool.hang_up()
    ask.close()
    there.close()
    module.unload()
    said = agree("not loaded", "no-module")
    tap.has(said[0]["remedy"], "modprobe kraw", "a remedy")
    module.load()
    agree("loaded", "unmanaged")


# --- bad input ---------------------------------------------------------------

@tap.each("open", "open 256", "open nosuch", "open 253 254",
          "open 253 family", "open 253 family ipv5", "open 253 uid",
          "open 253 uid 1-5", "open 253 uid nobody-there", "open 253 uid 1 uid 2",
          "open 253 gid 4294967296", "open 253 src 10.0.0.1")
def bad_input(words):
    done = tool.kraw("explain " + words, lab.right)
    tap.is_((done.status, done.out), (1, ""), "status")
    tap.is_(done.err.count("\n"), 1, "one line")


tap.run()
