# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs of a program become figures with a spread."""

import statistics

MICROSECOND = 1e3  # ns


def quantile(values, q):
    ordered = sorted(values)
    return ordered[round(q * (len(ordered) - 1))]


def latencies(took, prefix=""):
    """Quantiles of nanoseconds, in microseconds."""
    return {f"{prefix}{name}_us": quantile(took, q) / MICROSECOND
            for name, q in (("p50", .5), ("p99", .99), ("p999", .999))}


def rounded(value):
    """More digits than these are noise."""
    return float(f"{value:.5g}")


def spread(values):
    values = [rounded(value) for value in values]
    return {"median": rounded(statistics.median(values)), "least": min(values),
            "most": max(values), "rounds": values}


class Results:
    """What was measured: for each row, case, placement and way its figures."""

    def __init__(self, measurements=()):
        self.measurements = list(measurements)

    def add(self, row, case, placement, way, rounds, samples):
        """`rounds`: figures of each round; `samples`: what p99.9 is of, all together."""
        figures = {name: spread([figures[name] for figures in rounds])
                   for name in rounds[0]}
        if samples:
            # Of one round they would be its slowest frames.
            for name, q in (("all_p99_us", .99), ("p999_us", .999)):
                figures[name] = {"median": quantile(samples, q) / MICROSECOND}
        self.measurements.append({
            "row": row, "case": case, "placement": placement, "way": way,
            "samples": len(samples), "figures": figures})
        return self.measurements[-1]

    def find(self, row, case=None, placement=None, way=None):
        """All that match; None matches any."""
        wanted = {"row": row, "case": case, "placement": placement, "way": way}
        return [m for m in self.measurements
                if all(value in (None, m[key]) for key, value in wanted.items())]

    def median(self, name, row, case, placement, way):
        """None where that was not measured."""
        for found in self.find(row, case, placement, way):
            if name in found["figures"]:
                return found["figures"][name]["median"]
        return None
