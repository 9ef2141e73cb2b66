#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares secondbatcher with the model of docs/secondbatcher.md.

usage: batcher_oracle.py BATCHFEED [CASES [FIRST-SEED]]

Each case is made from a seed. Without FIRST-SEED, those on which element and model
once differed come first. Of one that differs, a small version is printed, with
what came and what the model says; `batcher_oracle.py BATCHFEED 1 SEED` repeats it.
"""

import dataclasses
import itertools
import os
import subprocess
import sys

import items
import oracle
import streams

# These hang on how far a stream was read before a flush: several times each
ONCE_DIFFERED = [5030845, 7013906, 7032076, 8091217, 9057906, 9067297,
                 11106631, 13087657]
TIMES = 20
# A case takes milliseconds; one that takes this many seconds hangs.
PATIENCE = 60
AT_ONCE = 50


def parse(lines):
    """Batches and the rest of one case's output, as the model has it."""
    out, stats = [], {}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "batch":
            out.append(("batch", *map(int, rest.split()), []))
        elif word == "of":
            fields, _, ids = rest.partition(":")
            width, stream_id, base, expected, late, dropped = fields.split()
            out[-1][-1].append((int(width), stream_id, int(base),
                                int(expected), int(late), int(dropped),
                                [int(i) for i in ids.split()]))
        elif word in ("gap", "time"):
            out.append((word, *map(int, rest.split())))
        elif word == "stat":
            name, value = rest.split()
            stats[name] = int(value)
        elif word == "split":
            pad, what, value = rest.split()
            out.append(("split", int(pad.rpartition("_")[2]), what,
                        int(value)))
        elif word in ("eos", "error"):
            out.append((word, rest) if rest else (word,))
    return out, stats


def models(case):
    """One for each result that the page allows; each has run."""
    first = oracle.Batcher(case)
    first.run()
    if not first.undecided:
        return [first]
    found = [oracle.Batcher(case, waits) for waits in itertools.product(
        (False, True), repeat=streams.MOST_FLUSHES)]
    for model in found:
        model.run()
    return found


def with_awaited(case):
    """Tells the feed when nothing more happens before each flush."""
    try:
        found = models(case)
    except items.Unknown:
        return case
    awaited = [(*same[0], *sorted({a[2] for a in same} - {same[0][2]}))
               for same in zip(*(model.awaited for model in found))]
    return dataclasses.replace(case, awaited=awaited)


def run(feed, cases):
    return feed_cases(feed, [with_awaited(case).text() for case in cases])


def feed_cases(feed, texts):
    """What came out of each case; None for those it did not get to."""
    try:
        done = subprocess.run([feed], input="".join(texts),
                              capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        output, problem = done.stdout, done.stderr + (
            f"exit {done.returncode}" if done.returncode else "")
    except subprocess.TimeoutExpired as stuck:
        output, problem = (stuck.stdout or b"").decode(), "it hangs"
    results, lines = [], []
    for line in output.splitlines():
        if line == "end":
            results.append(parse(lines))
            lines = []
        else:
            lines.append(line)
    if problem and len(results) < len(texts):
        results.append(([("failed", problem[-2000:])], {}))
    return results + [None] * (len(texts) - len(results))


def first_difference(came, wanted):
    for i in range(max(len(came), len(wanted))):
        got = came[i] if i < len(came) else None
        want = wanted[i] if i < len(wanted) else None
        if got != want:
            return f"output {i}\n  came:  {got}\n  model: {want}"
    return None


def widths(case):
    """Of each frame, by its id."""
    found = {}
    for stream in case.streams:
        for step in stream.steps:
            if step[0] == "caps":
                width = step[1]
            elif step[0] == "frame":
                found[step[1]] = width
    return found


def split_difference(case, out, wanted):
    """Each frame of the batches comes once, in their order, in its caps."""
    width_of = widths(case)
    for k in range(len(case.streams)):
        ids = [i for o in wanted if o[0] == "batch" for i in o[-1][k][-1]]
        ids = [(i, width_of[i]) for i in dict.fromkeys(ids)]
        came, width = [], None
        for o in out:
            if o[0] == "split" and o[1] == k:
                if o[2] == "width":
                    width = o[3]
                else:
                    came.append((o[3], width))
        what = first_difference(came, ids)
        if what:
            return f"stream {k} behind the splitter, (frame, width): {what}"
    return None


def contents(out):
    """Of windows, with all of their parts: per stream (frame, width)."""
    windows = {}
    for o in out:
        if o[0] == "batch":
            rows = windows.setdefault(o[1], [[] for _ in o[-1]])
            for row, (width, *_, ids) in zip(rows, o[-1]):
                row += [(i, width) for i in ids]
    return [(index, rows) for index, rows in windows.items() if any(rows)]


def difference(case, result):
    """The first thing that is not as the model says, or None."""
    out, stats = result
    if case.behind == "again":
        direct = {"batch-duration": case.props["batch-duration"]}
        wanted = oracle.Batcher(
            dataclasses.replace(case, props=direct)).run()
        return first_difference(contents(out), contents(wanted)) or (
            None if out[-1:] == [("eos",)] else f"no EOS: {out[-1:]}")
    try:
        found = models(case)
    except items.Unknown:
        return None
    problems = [model_difference(case, model, out, stats) for model in found]
    return None if None in problems else problems[0]


def model_difference(case, model, out, stats):
    if case.behind == "splitter":
        what = split_difference(case, out, model.out)
    else:
        what = first_difference(out, model.out)
    if what:
        return what
    # an event holds up what is read ahead of a silent stream, so that what a flush
    # throws away may have been counted or not
    return stats_difference(
        model, [s for s in model.streams if not s.flushed], stats)


def stats_difference(batcher, counted, stats):
    totals = dict(batcher.stats)
    for s in counted:
        totals[f"sink_{s.number}-late"] = s.total_late
        totals[f"sink_{s.number}-dropped"] = s.total_dropped
    for name, value in totals.items():
        if stats.get(name) != value:
            return f"stats {name}: came {stats.get(name)}, model {value}"
    return None


def make_case(seed):
    if seed % 10 in (6, 7):
        return streams.flush_case(seed)
    if seed % 10 == 8:
        return streams.split_case(seed)
    if seed % 10 == 9:
        return streams.round_trip_case(seed)
    return streams.random_case(seed)


def report(feed, seed, case, what):
    print(f"seed {seed}: {what}", flush=True)
    small = streams.shrink(
        case, lambda c: difference(c, run(feed, [c])[0]) is not None)
    print(f"smaller:\n{small.text()}"
          f"{difference(small, run(feed, [small])[0])}\n", flush=True)


def check(seeds, make, run_cases, differ, tell):
    """Runs the cases of these seeds, and tells of some that differ."""
    most = int(os.environ.get("MOST", "5"))
    failures, todo = 0, list(seeds)
    while todo and failures < most:
        cases = [make(seed) for seed in todo[:AT_ONCE]]
        reached = 0
        for seed, case, result in zip(todo, cases, run_cases(cases)):
            if result is None:
                break
            reached += 1
            what = differ(case, result)
            if what:
                failures += 1
                tell(seed, case, what)
        todo = todo[reached:]
    print(f"{len(seeds) - len(todo)} cases, seeds {min(seeds)} to {max(seeds)}: "
          f"{failures} differ")
    return 1 if failures or todo else 0


def main():
    feed = sys.argv[1]
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    ways = (make_case, lambda cases: run(feed, cases), difference,
            lambda *args: report(feed, *args))
    bad = len(sys.argv) <= 3 and check(ONCE_DIFFERED * TIMES, *ways)
    return check(range(first, first + n), *ways) or bad


if __name__ == "__main__":
    sys.exit(main())
