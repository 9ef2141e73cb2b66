#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the timeline of secondbatcher with the model, live: what comes when, and
deadlines that pass while streams are silent.

usage: live_oracle.py TIMELINEFEED [CASES [FIRST-SEED]]
"""

import random
import subprocess
import sys

import items
import oracle
from streams import MS, SECOND, shrink_list


class Live(oracle.Batcher):
    """Takes items one by one, in the order in which they come."""

    def __init__(self, n, props):
        self.duration, self.hop = props["duration"], props["hop"]
        self.align = "first-frame" if props["relative"] else "running-time"
        self.incomplete = "drop" if props["drop"] else "push"
        self.late = "next" if props["late-next"] else "drop"
        self.streams = [oracle.Stream(k, 0, []) for k in range(n)]
        for s in self.streams:
            s.parts[0].flush = "more may come"
        self.formats = [0] * n
        self.ended = [False] * n
        self.zero, self.window, self.pushed = 0, None, False
        self.closed = False
        self.out = []

    def arrive(self, kind, k, *args):
        if kind == "format":
            self.formats[k] += 1
            return
        fmt = items.Format(width=self.formats[k])
        if kind == "frame":
            item = items.Item("frame", fmt, id=args[0], t=args[1],
                               tolerance=args[2], moved=None)
        elif kind == "gap" and self.window is None:
            return              # alone, it starts nothing
        elif kind == "gap":
            item = items.Item("gap", fmt, reach=args[0])
        else:
            item = items.Item("eos", fmt)
        self.streams[k].items.append(item)
        self.go_on()

    def open(self):
        """By the first frame of all."""
        firsts = [s for s in self.streams
                  if s.items and s.items[0].kind == "frame"]
        for s in firsts:
            s.first = s.items[0]
        if firsts:
            self.place_start()
        return bool(firsts)

    def go_on(self):
        if self.window is None and not self.open():
            return
        self.read_all()
        while self.has_more() and all(self.is_past(s) for s in self.streams):
            self.close(forced=False)

    def has_more(self):
        return any(s.held or not s.next() or s.next().kind != "eos"
                   for s in self.streams)

    def deadline(self):
        if self.window is not None and self.has_more():
            self.close(forced=True)
        if self.window is not None:
            self.go_on()

    def close(self, forced):
        self.judge()
        frames = [list(s.held) for s in self.streams]
        past = all(self.is_past(s) for s in self.streams)
        positions = [p for p in map(self.next_position, self.streams)
                     if p is not None]
        target = self.first_window(min(positions)) if positions else 0
        gone = target - self.window
        missing = any(not f and not (s.next() and s.next().kind == "eos")
                      for s, f in zip(self.streams, frames))
        if not any(frames) and past and (
                gone > oracle.MANY_WINDOWS
                or (self.incomplete == "drop" and gone > 0)):
            self.out.append(("hole", self.window, target))
            self.window = target - 1
        elif missing and self.incomplete == "drop":
            self.out.append(("dropped", self.window))
        else:
            self.push_window(frames, missing)
        self.leave()
        self.read_all()

    def push_window(self, frames, incomplete):
        self.stats = {"incomplete-batches": 0}
        super().push_window(frames, incomplete)

    def push_part(self, part, left, start, end):
        rows = []
        for s, frames in zip(self.streams, part):
            for f in frames:
                f.batches += 1
            width = frames[0].fmt.width if frames else -1
            ids = [f.id for f in sorted(frames, key=self.t)]
            rows.append((width, s.late, s.dropped, ids))
            s.late = s.dropped = 0
        self.out.append(("window", self.window, start, end, rows))


def random_case(seed):
    r = random.Random(seed)
    duration = r.choice([200 * MS, SECOND])
    props = {"duration": duration, "hop": r.choice(
        [duration, duration, duration // 2, duration // 3]),
             "late-next": r.random() < .5, "relative": r.random() < .3,
             "drop": r.random() < .3}
    n = r.choice([1, 2, 3, 5])
    steps, frame_id = [], 0
    for k in range(n):
        interval = r.choice([8, 16, 33, 40, 100, 400]) * MS
        begin = r.choice([0, r.randrange(5 * SECOND),
                          r.randrange(1, 4) * duration + interval // 2])
        silent = r.choice([0, 0, 0, duration, 3 * duration])
        delay = r.choice([0, 0, 20 * MS, r.randrange(2 * duration)])
        t, came = begin, begin
        for _ in range(r.randrange(2, 60)):
            at = t + r.choice([0, 0, 0, r.randrange(-interval, interval)])
            came = max(came, at + r.choice([delay, 0, delay // 2]))
            kind = r.random()
            if kind < .07:
                steps.append((came, ("format", k)))
                t = max(t - r.choice([0, 1, 5]) * interval, begin)
            elif kind < .1 and t > begin:
                gap = r.choice([30 * MS, duration, 3 * duration])
                steps.append((came, ("gap", k, t + gap)))
                t += gap
            else:
                steps.append((came, ("frame", k, frame_id, max(at, 0),
                                     r.choice([0, interval // 8]))))
                frame_id += 1
            t += interval + (silent if r.random() < .03 else 0)
        if r.random() < .7:
            steps.append((came, ("end", k)))
    lag = r.choice([0, 100 * MS])
    last = max(s[0] for s in steps)
    steps += [(i * props["hop"] + duration + lag, ("deadline",))
              for i in range((last + 3 * duration) // props["hop"])
              if r.random() < .9]
    steps.sort(key=lambda s: s[0])
    return n, props, [s[1] for s in steps]


def text(case):
    n, p, steps = case
    lines = [f"case {p['duration']} {p['hop']} {n} {int(p['late-next'])} "
             f"{int(p['relative'])} {int(p['drop'])}"]
    return "\n".join(lines + [" ".join(map(str, s)) for s in steps]
                     + ["run", ""])


def model(case):
    n, props, steps = case
    live = Live(n, props)
    for step in steps:
        if step[0] == "deadline":
            live.deadline()
        else:
            live.arrive(*step)
    return live.out


def parse(output):
    results, out = [], []
    for line in output.splitlines():
        word, _, rest = line.partition(" ")
        if word == "end":
            results.append(out)
            out = []
        elif word == "of":
            fields, _, ids = rest.partition(":")
            out[-1][-1].append((*map(int, fields.split()),
                                [int(i) for i in ids.split()]))
        elif word == "window":
            out.append((word, *map(int, rest.split()), []))
        else:
            out.append((word, *map(int, rest.split())))
    return results


def run(feed, cases):
    done = subprocess.run([feed], input="".join(map(text, cases)),
                          capture_output=True, text=True, timeout=120,
                          check=False)
    if done.returncode:
        print(done.stderr[-2000:])
    return parse(done.stdout)


def difference(case, came):
    wanted = model(case)
    for i in range(max(len(came), len(wanted))):
        got = came[i] if i < len(came) else None
        want = wanted[i] if i < len(wanted) else None
        if got != want:
            return f"output {i}\n  came:  {got}\n  model: {want}"
    return None


def shrink(feed, case):
    n, props, steps = case

    def fails(steps):
        results = run(feed, [(n, props, steps)])
        return results and difference((n, props, steps), results[0])

    return n, props, shrink_list(steps, fails)


def main():
    feed = sys.argv[1]
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    failures = 0
    seeds = range(first, first + n)
    cases = [random_case(seed) for seed in seeds]
    results = run(feed, cases)
    for seed, case, came in zip(seeds, cases, results):
        what = difference(case, came)
        if what and failures < 3:
            small = shrink(feed, case)
            print(f"seed {seed}: {what}\nsmaller:\n{text(small)}"
                  f"{difference(small, run(feed, [small])[0])}\n")
        failures += what is not None
    print(f"{len(results)} live cases, seeds {first} to {first + n - 1}: "
          f"{failures} differ")
    return 1 if failures or len(results) != n else 0


if __name__ == "__main__":
    sys.exit(main())
