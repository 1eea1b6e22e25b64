# SPDX-License-Identifier: GPL-2.0
"""
Programs that scripts/fetch-daemons has got, running in a namespace: routing
daemons and the like.  What is not there skips the case.
"""
import os
import subprocess

from . import clock, system, tap

# The module lies in the folder of this run, CACHE/run/JOB.
DAEMONS = os.path.normpath(os.path.join(
    os.path.dirname(os.environ["KRAW_KO"]), "..", "..", "daemons"))


class Daemon:
    """
    A program of the cache's, in a namespace, until close(): its name, or where
    it is if several packages have one of that name.
    """
    def __init__(self, namespace, *words):
        lib = os.path.join(DAEMONS, "usr/lib/%s-linux-gnu" % os.uname().machine)
        env = dict(os.environ, LD_LIBRARY_PATH=lib + ":" + lib + "/frr")
        path = next((os.path.join(DAEMONS, where, words[0])
                     for where in ("usr/lib/frr", "usr/sbin", "")
                     if os.path.exists(os.path.join(DAEMONS, where,
                                                    words[0]))), None)
        if path is None:
            raise tap.Skip("no %s: scripts/fetch-daemons had no network" %
                           words[0])
        self.log = open("/run/%s-%s.log" % (namespace.name,
                                            os.path.basename(words[0])), "w+")
        with namespace:
            self.process = subprocess.Popen(
                [path, *words[1:]], env=env, stdin=subprocess.DEVNULL,
                stdout=self.log, stderr=subprocess.STDOUT)

    def said(self):
        """All that it has said so far."""
        with open(self.log.name) as file:
            return file.read()

    def close(self):
        """End it; what it said becomes a comment."""
        self.process.terminate()
        self.process.wait()
        for line in self.said().splitlines()[-8:]:
            tap.diag("%s: %s" % (os.path.basename(self.log.name), line))
        self.log.close()


def write(path, text):
    """A configuration file; its path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    return path


class Frr:
    """zebra, ospfd and ospf6d in a namespace, by one link."""
    CONFIG = {
        "zebra": "ip forwarding\n",
        "ospfd": """interface %(device)s
 ip ospf network point-to-point
 ip ospf hello-interval 1
 ip ospf dead-interval 4
router ospf
 ospf router-id 10.77.0.%(host)d
 timers throttle spf 0 50 100
 timers throttle lsa all 0
 timers lsa min-arrival 0
 network 10.9.0.0/24 area 0
 network 10.77.0.0/24 area 0
""",
        "ospf6d": """interface %(device)s
 ipv6 ospf6 area 0
 ipv6 ospf6 network point-to-point
 ipv6 ospf6 hello-interval 1
 ipv6 ospf6 dead-interval 4
interface lo
 ipv6 ospf6 area 0
router ospf6
 ospf6 router-id 10.77.0.%(host)d
 timers throttle spf 0 50 100
 timers lsa min-arrival 0
""",
    }

    def __init__(self, link, host):
        name = link.namespace.name
        if "frrvty:" not in system.read("/etc/group"):
            system.append("/etc/group", "frrvty:x:9999:root\n")
        link.namespace.ip("addr add 10.77.0.%d/32 dev lo" % host,
                          "addr add fd77::%d/128 dev lo" % host)
        where = "/run/frr-%s/" % name
        self.daemons = []
        for daemon in ("zebra", "ospfd", "ospf6d"):
            text = self.CONFIG[daemon] % {"device": link.device, "host": host}
            self.daemons.append(Daemon(
                link.namespace, daemon, "-u", "root", "-g", "root",
                "-f", write(where + daemon + ".conf", text),
                "-i", where + daemon + ".pid", "-z", where + "zserv.api",
                "--vty_socket", where, "-P", "0", "--log", "stdout"))
            if daemon == "zebra":
                clock.wait_until(lambda: os.path.exists(where + "zserv.api"))

    def close(self):
        """End all of them."""
        while self.daemons:
            self.daemons.pop().close()
