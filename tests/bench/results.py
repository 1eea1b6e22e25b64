# SPDX-License-Identifier: GPL-2.0
"""What the benchmarks found, by benchmark, series and place."""
import json
import statistics


class Results:
    """
    The points of all runs. "values" of a point has the values of each run, one
    list each. A run's result is the median of its values; where one number is
    wanted it is the median of the runs'.
    """
    def __init__(self, conditions, points):
        self.conditions = conditions
        self._points = {}	# (bench, series, x): point, in the order of coming
        for point in points:
            key = point["bench"], point["series"], point["x"]
            first = self._points.setdefault(key, dict(point, values=[]))
            if "values" in point:
                first["values"].append(point["values"])

    def get(self, bench, series, x):
        """The median, or None if there is no such point."""
        runs = self._points.get((bench, series, x), {}).get("values")
        return statistics.median(map(statistics.median, runs)) if runs else None

    def missing(self, bench, series, x):
        """Why it is missing, or None."""
        return self._points.get((bench, series, x), {}).get("missing")

    def has(self, bench):
        """Whether this benchmark ran."""
        return any(key[0] == bench for key in self._points)

    def series(self, bench):
        """Names, in the order in which they were measured."""
        return list(dict.fromkeys(key[1] for key in self._points if key[0] == bench))

    def places(self, bench, series=None):
        """Values of x, in order."""
        return sorted({key[2] for key in self._points
                       if key[0] == bench and series in (None, key[1])})

    def spread(self):
        """
        By how much the runs differ at most, as a part of the result, and where;
        if there was one run only, by how much its values do.
        """
        worst, where = 0, "no point"
        for (bench, series, x), point in self._points.items():
            runs = point["values"]
            values = [statistics.median(run) for run in runs] if len(runs) > 1 else \
                [value for run in runs for value in run]
            middle = self.get(bench, series, x)
            spread = (max(values) - min(values)) / middle if middle else 0
            if spread > worst:
                worst, where = spread, "%s: %s at %s" % (bench, series, x)
        return worst, where

    def json(self):
        """All of it, one point a line."""
        lines = ",\n".join(json.dumps(point) for point in self._points.values())
        return '{"conditions": %s,\n"points": [\n%s\n]}\n' % (
            json.dumps(self.conditions), lines)
