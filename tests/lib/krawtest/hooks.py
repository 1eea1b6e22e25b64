# SPDX-License-Identifier: GPL-2.0
"""
The netfilter hooks of a namespace, as `nft list hooks` prints them.
"""
import subprocess



def lines(namespace=None):
    """
    The hook functions, one line each: family, hook, priority, function and
    module, for example "ip input +2147483647 nf_confirm [nf_conntrack]".
    Without a namespace: where this process is.
    """
    command = ["nft", "list", "hooks"]
    if namespace is None:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE)
    else:
        done = namespace.run(*command)
    if done.returncode:
        raise RuntimeError("nft list hooks: " + done.stderr)
    out = []
    family = hook = ""
    for line in done.stdout.splitlines():
        words = line.split()
        if not words or words == ["}"]:
            continue
        if words[0] == "family":
            family = words[1]
        elif words[0] == "hook":
            hook = words[1]
        else:
            out.append(" ".join([family, hook] + words))
    return out


def of_module(namespace=None, module="kraw"):
    """The functions of one module."""
    return [line for line in lines(namespace) if "[%s]" % module in line]
