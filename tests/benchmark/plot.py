#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes pictures, and the tables of docs/internals/benchmarks.md, out of a run.

    tests/benchmark/plot.py docs/internals/benchmarks/NAME.json

The pictures (SVG) lie beside the JSON. Needs python3-matplotlib.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

import tables  # noqa: E402
from figures import Results  # noqa: E402

COLOURS = {"shmframe": "#0b6e99", "queue": "#9aa0a6", "shmsink": "#d98324",
           "unixfdsink": "#7b5ea7", "bare loops": "#444444", "shared_memory": "#5b8c5a",
           "Pipe": "#c44e52", "Queue": "#8c2d19"}
RC = {"svg.hashsalt": "gst-shmframe", "font.size": 10, "axes.spines.top": False,
      "axes.spines.right": False, "axes.grid": True, "axes.grid.axis": "y",
      "grid.color": "#e3e3e3", "axes.axisbelow": True, "legend.frameon": False}
PLACEMENTS = ("unpinned", "one CPU", "two CPUs")


def save(figure, folder, name):
    figure.tight_layout()
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None},
                   bbox_inches="tight")
    plt.close(figure)


def bars(axes, results, row, case, ways, name, text, scale=1):
    """One group of bars per placement, with the least and the most of a round."""
    groups = [p for p in PLACEMENTS if results.find(row, case, p)]
    ways = [way for way in ways if results.find(row, case, None, way)]
    width = 0.8 / max(1, len(ways))
    top = 0
    for i, way in enumerate(ways):
        found = [results.find(row, case, p, way)[0]["figures"][name] for p in groups]
        top = max(top, *(f["most"] / scale for f in found))
        at = [g - 0.4 + width * (i + 0.5) for g in range(len(groups))]
        heights = [f["median"] / scale for f in found]
        spread = [[h - f["least"] / scale for h, f in zip(heights, found)],
                  [f["most"] / scale - h for h, f in zip(heights, found)]]
        axes.bar(at, heights, width * 0.92, yerr=spread, color=COLOURS[way], label=way,
                 error_kw={"elinewidth": 1, "ecolor": "#222222"})
        for x, height, above in zip(at, heights, spread[1]):
            axes.annotate(text.format(height), (x, height + above), ha="center",
                          va="bottom", fontsize=8, xytext=(0, 2),
                          textcoords="offset points")
    axes.set_xticks(range(len(groups)), groups)
    axes.grid(False, axis="x")
    if top > 20 * min(patch.get_height() for patch in axes.patches):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    axes.margins(y=0.15)


def plot_hand_over(results, folder):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
    ways = ("queue", "shmframe", "shmsink", "unixfdsink")
    for axes, name, title in ((left, "p50_us", "median"), (right, "p99_us", "p99")):
        bars(axes, results, "hand-over", "1080p60", ways, name, "{:.0f}")
        axes.set_title(f"Hand-over of a frame, 1080p60: {title}", fontsize=10)
        axes.set_ylabel("µs")
    left.legend(ncols=2, loc="upper left")
    left.margins(y=0.45)
    save(figure, folder, "hand-over")


def plot_sizes(results, folder):
    """Median by rate, one panel per placement, one line per size and way."""
    places = [p for p in PLACEMENTS if results.find("hand-over", "4320p60", p)]
    if not places:
        return
    figure, panels = plt.subplots(1, len(places), figsize=(9.5, 3.4), sharey=True,
                                  squeeze=False)
    styles = {"240p": ":", "1080p": "-", "4320p": "--"}
    rates = (25, 60, 240)
    for axes, place in zip(panels[0], places):
        for way in ("queue", "shmframe"):
            for size, style in styles.items():
                values = [results.median("p50_us", "hand-over", f"{size}{rate}", place,
                                         way) for rate in rates]
                axes.plot(range(3), values, style, marker="o", markersize=3,
                          color=COLOURS[way], label=f"{way}, {size}")
        axes.set_xticks(range(3), [f"{rate} fps" for rate in rates])
        axes.set_title(place, fontsize=10)
    panels[0][0].set_ylabel("hand-over p50, µs")
    panels[0][0].set_ylim(bottom=0)
    figure.legend(*panels[0][0].get_legend_handles_labels(), fontsize=8, ncols=6,
                  loc="upper center", bbox_to_anchor=(0.5, 0.02))
    save(figure, folder, "sizes")


def plot_speed(results, folder):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
    ways = ("queue", "shmframe")
    bars(left, results, "full speed", "1080p", ways, "fps", "{:.0f}", 1000)
    left.set_title("1080p at full speed, pixels untouched", fontsize=10)
    left.set_ylabel("thousand frames a second")
    bars(right, results, "written and read", "1080p",
         ("bare loops", *ways, "unixfdsink"), "fps", "{:.0f}")
    right.set_title("every pixel written and read", fontsize=10)
    right.set_ylabel("frames a second")
    for axes in (left, right):
        axes.legend(fontsize=8, ncols=3, loc="upper left")
        axes.margins(y=0.35)
    save(figure, folder, "speed")


def plot_consumers(results, folder):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4))
    for place, style in zip(PLACEMENTS, ("-", "--", ":")):
        found = results.find("consumers", None, place)
        if found:
            left.plot([int(m["case"]) for m in found],
                      [m["figures"]["sender_cpu_us"]["median"] for m in found], style,
                      marker="o", markersize=4, color=COLOURS["shmframe"], label=place)
    left.set_title("Producer's CPU time of a frame, 1080p60", fontsize=10)
    left.set_xlabel("consumers")
    left.set_ylabel("µs")
    left.set_ylim(bottom=0)
    left.legend()
    found = results.find("Python")
    values = [m["figures"]["p50_us"]["median"] / 1000 for m in found]
    names = [m["way"] for m in found]
    right.barh(names, values, color=[COLOURS[name] for name in names])
    for y, value in enumerate(values):
        right.annotate(f"{value:.2f}", (value, y), va="center", xytext=(3, 0),
                       textcoords="offset points")
    right.invert_yaxis()
    right.set_xscale("log")
    right.xaxis.set_major_formatter("{x:g}")
    right.margins(x=0.2)
    right.grid(True, axis="x")
    right.grid(False, axis="y")
    right.set_title("A frame of the demo's file from Python to Python", fontsize=10)
    right.set_xlabel("hand-over p50, ms")
    save(figure, folder, "consumers")


def main():
    path = pathlib.Path(sys.argv[1])
    report = json.loads(path.read_text(encoding="ascii"))
    results = Results(report["measurements"])
    with plt.rc_context(RC):
        for plot in (plot_hand_over, plot_sizes, plot_speed, plot_consumers):
            plot(results, path.parent)
    tables.fill(path.parents[1] / "benchmarks.md", path)


if __name__ == "__main__":
    main()
