# SPDX-License-Identifier: GPL-2.0
"""
The netfilter hooks of a namespace, as `nft list hooks` prints them.
"""


def lines(namespace, family=None):
    """
    The hook functions, one line each, as nft prints them: priority, function,
    module, for example "+2147483647 nf_confirm [nf_conntrack]".
    """
    command = ["nft", "list", "hooks"] + ([family] if family else [])
    done = namespace.run(*command)
    if done.returncode:
        raise RuntimeError("nft list hooks: " + done.stderr)
    out = []
    for line in done.stdout.splitlines():
        line = line.strip()
        if line[:1] in "+-0123456789" and line[:1]:
            out.append(line)
    return out


def of_module(namespace, module="kraw"):
    """The functions of one module."""
    return [line for line in lines(namespace) if "[%s]" % module in line]
