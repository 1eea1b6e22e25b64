# SPDX-License-Identifier: GPL-2.0
"""Draws results with gnuplot, as SVG."""
import os
import subprocess

from table import lookup_added

LICENCE = "<!-- SPDX-License-Identifier: GPL-2.0 -->\n"

HEAD = """set terminal svg size 760,460 font "sans-serif,13" background "white"
set output "%(out)s"
set encoding utf8
set title "%(title)s\\n{/*0.75 %(conditions)s}"
set xlabel "%(xlabel)s"
set ylabel "%(ylabel)s"
set logscale xy
set format x "%%.0f"
set format y "%%.0f"
set key outside below
set grid
set linetype 1 lc rgb "#0072b2" lw 2 pt 7 ps 0.6
set linetype 2 lc rgb "#d55e00" lw 2 pt 5 ps 0.6
set linetype 3 lc rgb "#009e73" lw 2 pt 9 ps 0.7
set linetype 4 lc rgb "#cc79a7" lw 2 pt 11 ps 0.7
set linetype 5 lc rgb "#56b4e9" lw 2 pt 13 ps 0.7
set linetype 6 lc rgb "#e69f00" lw 2 pt 4 ps 0.7
set linetype 7 lc rgb "#000000" lw 2 pt 6 ps 0.7
"""


def gnuplot(script):
    subprocess.run(["gnuplot", "-"], input=script, text=True, check=True)


def lines(results, path, title, xlabel, ylabel, series):
    """series: {name: [(x, y)]}"""
    script = HEAD % {
        "out": path, "title": title, "xlabel": xlabel, "ylabel": ylabel,
        "conditions": "%(command)s, kernel %(kernel)s, %(qemu)s" % results.conditions}
    script += "plot " + ", ".join(
        "'-' with linespoints title \"%s\"" % name for name in series) + "\n"
    for points in series.values():
        script += "".join("%g %g\n" % point for point in points) + "e\n"
    gnuplot(script)
    with open(path) as file:
        first, rest = file.readline(), file.read()
    with open(path, "w") as file:
        file.write(first + LICENCE + rest)
    return path


def collect(results, bench, names, value):
    """{name: points that there are}"""
    found = {}
    for name in names:
        points = [(x, value(name, x)) for x in results.places(bench, name) if x]
        points = [point for point in points if point[1] is not None]
        if points:
            found[name] = points
    return found


def draw(results, directory):
    """Draws what was measured; the files."""
    files = []

    def add(name, *args):
        files.append(lines(results, os.path.join(directory, name + ".svg"), *args))

    if results.has("lookup"):
        names = [name for name in results.series("lookup")
                 if len(results.places("lookup", name)) > 1]
        add("lookup", "What looking up a source prefix adds to a packet",
            "rules", "instructions",
            collect(results, "lookup", names,
                    lambda name, x: lookup_added(results, name, x)))
    if results.has("receive"):
        add("receive", "A packet from the device to its end",
            "raw sockets on its protocol", "instructions",
            collect(results, "receive", results.series("receive"),
                    lambda name, x: results.get("receive", name, x)))
    if results.has("apply"):
        names = [name for name in results.series("apply") if ":" not in name]

        def million(name, x):
            value = results.get("apply", name, x)
            return None if value is None else value / 1e6

        add("apply", "Putting rules in force", "rules", "million instructions",
            collect(results, "apply", names, million))
    return files
