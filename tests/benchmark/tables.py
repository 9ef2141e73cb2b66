# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the figures of a run into the page about them.

Between `<!-- figures: NAME -->` and `<!-- end -->` stands what the function NAME of
FILLERS makes of the run; `<!-- figures: NAME RUN -->` is of another one beside it.
"""

import collections
import json
import re

from figures import Results
from goals import verdicts

BLOCK = re.compile(r"(<!-- figures: (\w+)(?: ([\w-]+))? -->\n).*?(<!-- end -->)",
                   re.DOTALL)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def number(value):
    if value is None:
        return "-"
    if value == 0:
        return "0"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def cell(found, name, scale=1):
    """The median, and in brackets the least and the most of a round."""
    figure = found["figures"].get(name)
    if figure is None:
        return "-"
    text = number(figure["median"] / scale)
    if len(figure.get("rounds", [])) > 1:
        text += f" ({number(figure['least'] / scale)}-{number(figure['most'] / scale)})"
    return text


def machine(report, name):
    about = report["machine"]
    commit = "" if about["commit"] == "?" else f" of {about['commit']}"
    memory = int(about["memory"].split()[0])  # kB
    missing = "; ".join(f"{way}: {why}" for way, why in report["missing"].items())
    return (
        f"Run of {report['when']}, `{report['command']}`, {report['seconds']} s, in "
        f"[benchmarks/{name}](benchmarks/{name}): {about['processor']}, {about['cores']} "
        f"processors, {memory / 1e6:.0f} GB, {about['system']}, Linux "
        f"{about['kernel']}, GStreamer {about['gstreamer']}, Python {about['python']}, "
        f"build {about['buildtype']}{commit}; load "
        f"{report['load before'][0]:.1f} before, {report['load after'][0]:.1f} after (its "
        f"own). Not measured: {missing or 'nothing'}. Runs that failed: "
        f"{len(report['failures'])}.\n")


def costs_table(report, row, head, names, case=None):
    return table(["case", "placement", "way", *head], [
        [m["case"], m["placement"], m["way"],
         *(cell(m, name, scale) for name, scale in names)]
        for m in Results(report["measurements"]).find(row, case)])


def hand_over(report, _):
    return costs_table(report, "hand-over", [
        "p50", "p99", "p99.9 of all", "CPU a frame", "lost"],
        [(name, 1) for name in ("p50_us", "p99_us", "p999_us", "cpu_us", "lost")],
        "1080p60")


def sizes(report, _):
    results = Results(report["measurements"])
    rows = []
    for m in results.find("hand-over", None, None, "shmframe"):
        if m["case"] != "1080p60":
            queue = results.find("hand-over", m["case"], m["placement"], "queue")[0]
            rows.append([m["case"], m["placement"], cell(queue, "p50_us"),
                         cell(m, "p50_us"), cell(queue, "p99_us"), cell(m, "p99_us"),
                         cell(m, "p999_us")])
    return table(["case", "placement", "queue p50", "shmframe p50", "queue p99",
                  "shmframe p99", "shmframe p99.9 of all"], rows)


def speed(report, _):
    return costs_table(report, "full speed", [
        "frames/s", "CPU a frame, both ends", "at the producer", "at the consumer",
        "page faults a frame: producer", "consumer"],
        [(name, 1) for name in ("fps", "cpu_us", "sender_cpu_us", "receiver_cpu_us",
                                "sender_faults", "receiver_faults")])


def touched(report, _):
    return costs_table(report, "written and read", [
        "frames/s", "CPU a frame"], [("fps", 1), ("cpu_us", 1)]) + "\n" + costs_table(
        report, "copy path", ["time of a frame", "CPU at the producer"],
        [("frame_us", 1), ("sender_cpu_us", 1)])


def clients(report, _):
    return costs_table(report, "consumers", ["CPU a frame at the producer", "p50"], [
        ("sender_cpu_us", 1), ("p50_us", 1)]) + "\n" + costs_table(
        report, "system calls", ["a frame at the producer", "at the first consumer"],
        [("sender", 1), ("receiver", 1)])


def batches(report, _):
    return costs_table(report, "batch hop", [
        "to the fourth process, p50", "as arrays there, p50", "p99", "bytes copied",
        "frames", "streams in one piece"],
        [(name, 1) for name in ("p50_us", "mapped_p50_us", "mapped_p99_us",
                                "bytes_copied", "frames", "in_one_piece")]
        ) + "\n" + costs_table(report, "batcher", ["CPU a frame"], [("cpu_us", 1)])


def of_worst_round(found, name, worst, scale=1000):
    """The figure of the round in which `worst` was the most."""
    if name not in found["figures"]:
        return "-"
    rounds = found["figures"][worst]["rounds"]
    return number(found["figures"][name]["rounds"][rounds.index(max(rounds))] / scale)


def joins_of(report, row):
    results = Results(report["measurements"])
    measured = [m for m in results.find(row) if "join_max_us" in m["figures"]]
    text = table(
        ["consumers", "ring", "publish() max, ms", "hand-over p50, ms", "p99 of all, ms",
         "max, ms", "first frame p50, ms", "at most, ms", "producer's CPU a frame, ms",
         "MB", "growths"],
        [[m["case"], m["way"], *(cell(m, f"{name}_us", 1000) for name in (
            "publish_max", "p50", "all_p99", "max", "join_p50", "join_max")),
          number(m["figures"]["cpu_us"]["median"] / 1000),
          number(m["figures"]["bytes"]["median"] / 1e6),
          number(m["figures"]["growths"]["median"])] for m in measured])
    text += "\n" + table(
        ["consumers", "ring", "longest publish(), ms", "it ran", "waited for a processor",
         "of that had yielded", "page faults", "most that any ran", "most that any slept",
         "longest hand-over, ms", "consumer busy with the frame before",
         "waited for a processor", "longest join, ms", "its process ran"],
        [[m["case"], m["way"],
          *(of_worst_round(m, f"publish_max{of}_us", "publish_max_us") for of in (
              "", "_cpu", "_queued", "_yielded")),
          of_worst_round(m, "publish_max_faults", "publish_max_us", 1),
          *(of_worst_round(m, name, name) for name in (
              "publish_most_cpu_us", "publish_most_slept_us")),
          *(of_worst_round(m, f"max{of}_us", "max_us") for of in (
              "", "_busy", "_queued")),
          *(of_worst_round(m, f"join_max{of}_us", "join_max_us") for of in (
              "", "_cpu"))] for m in measured])
    for m in results.find(row, "joins and leaves"):
        text += ("\nAfter many joins and leaves the producer had {maps} maps, {fds} fds, "
                 "{bytes} bytes of slots and {resident} bytes in memory; after a tenth "
                 "of them {tenth_maps}, {tenth_fds}, {tenth_bytes} and "
                 "{tenth_resident}.\n").format_map(collections.defaultdict(
                     lambda: "?", ((k, round(v["median"]))
                                   for k, v in m["figures"].items())))
    return text


def joins(report, _):
    return joins_of(report, "joins")


def more_joins(report, name):
    return machine(report, name) + "\n" + joins_of(report, "more joins")


def observers(report, _):
    return costs_table(report, "observers", [
        "p50", "p99 of all", "CPU a frame at the producer", "at the first consumer"],
        [(name, 1) for name in ("p50_us", "all_p99_us", "sender_cpu_us",
                                "receiver_cpu_us")])


def memory(report, _):
    return costs_table(report, "memory", ["PSS of all processes, MB", "slots"], [
        ("pss_mb", 1), ("slots", 1)])


def others(report, _):
    return costs_table(report, "pings", ["p50", "p99"], [
        ("p50_us", 1), ("p99_us", 1)]) + "\n" + costs_table(
        report, "Python", ["p50, ms", "p99, ms", "CPU a frame, reading included, ms"],
        [("p50_us", 1000), ("p99_us", 1000), ("cpu_us", 1000)])


def goals(report, _):
    return table(["goal", "where", "figure", "limit", ""], [
        [v.goal, v.where, number(v.value), f"{'>=' if v.at_least else '<='} {v.limit:g}",
         "**MISSED**" if v.missed else "reached" if v.value is not None else "not measured"]
        for v in verdicts(Results(report["measurements"]))])


FILLERS = {f.__name__: f for f in (machine, goals, hand_over, sizes, speed, touched, clients,
                                   batches, joins, more_joins, observers, memory,
                                   others)}


def fill(page, path):
    def figures(match):
        run = path.with_stem(match[3]) if match[3] else path
        if not run.exists():
            return match[0]
        report = json.loads(run.read_text(encoding="ascii"))
        return f"{match[1]}{FILLERS[match[2]](report, run.name)}{match[4]}"
    text = page.read_text(encoding="utf-8")
    page.write_text(BLOCK.sub(figures, text), encoding="utf-8")
