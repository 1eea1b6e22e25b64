# SPDX-License-Identifier: GPL-2.0
"""
The tables of Documentation/privileges.rst: rows() is {what: {who: cell}}.
"""
import pathlib
import re

PATH = pathlib.Path(__file__).resolve().parents[3] / "Documentation" / \
    "privileges.rst"
WHO = ("user", "net_raw", "net_admin", "root", "own", "foreign")
SHORT = {"EPROTO-": "EPROTONOSUPPORT", "IN USE": "EADDRINUSE",
         "NO NET": "ENETUNREACH"}


def _tables(lines):
    """Each simple table: its rows, and these as lists of cells."""
    border, rows = None, []
    for line in lines:
        if re.fullmatch(r"=+(  =+)+", line):
            if border and len(rows) > 1:
                yield rows
                border, rows = None, []
            else:
                border = [match.span() for match in re.finditer("=+", line)]
        elif border and line:
            ends = [start for start, _ in border[1:]] + [None]
            rows.append([line[start:end].strip() for (start, _), end in
                         zip(border, ends)])
        elif not line:
            border, rows = None, []


def rows(path=PATH):
    """All rows of the tables with a column for each of WHO."""
    found = {}
    for table in _tables(path.read_text(encoding="utf-8").splitlines()):
        if tuple(table[0]) != ("what",) + WHO:
            continue
        for what, *cells in table[1:]:
            if what in found:
                raise ValueError("%s: twice '%s'" % (path, what))
            found[what] = {who: SHORT.get(cell, cell)
                           for who, cell in zip(WHO, cells)}
    return found
