#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares a live secondbatcher with the model: deadlines by a test clock, silent and
late streams, pads that come and go, flushes.

usage: live_element_oracle.py LIVEFEED [CASES [FIRST-SEED]]

The clock stands still until the element has done all that there is to do, so that
the result is the same each time. Three things cannot be had so: incomplete=wait (no
deadline to wait for tells that the element is done; its rules are those of streams
that are not live), a stream that runs ahead of the clock (its thread is stopped when
its queue is full, by the base class's rules), and a skew longer than a window.
"""

import dataclasses
import random
import sys

import batcher_oracle
import items
import oracle
import streams
from streams import MS, NONE, SECOND

BASE = 12345678901


class Live(oracle.Batcher):
    """Takes steps one by one; `told` are those for the feed, with deadlines."""

    def __init__(self, props, upstream):
        super().__init__(streams.Case(props, []))
        self.latency = upstream * MS + (
            self.duration // 2 if props["latency"] == -1 else props["latency"])
        self.clock_offset = BASE if self.align == "clock" else 0
        self.shift = self.clock_offset
        self.pads, self.now, self.over = [], 0, False
        self.told = []

    def frame(self, stream, fmt, args, reference):
        item, reference = super().frame(stream, fmt, args, reference)
        if item.kind == "frame":
            item.t += self.clock_offset
        return item, reference

    # --- steps -----------------------------------------------------------

    def do(self, step):
        if self.over:
            return
        kind, args = step[0], step[1:]
        if kind == "at":
            self.pass_deadlines(args[0])
            self.now = args[0]
            self.told.append(step)
        else:
            self.told.append(step)
            getattr(self, kind)(*args)
            self.go_on()
            self.pass_deadlines(self.now)
        if self.has_deadline():
            self.told.append(("pending",))

    def request(self, offset):
        stream = oracle.Stream(len(self.pads), offset, [])
        stream.parts[0].flush = "more may come"
        stream.fmt = items.Format()
        self.pads.append(stream)
        self.streams.append(stream)

    def release(self, k):
        self.streams.remove(self.pads[k])
        self.decide_anew()

    def push(self, k, kind, *args):
        stream = self.pads[k]
        if kind == "frame":
            stream.items.append(self.frame(stream, stream.fmt, args, None)[0])
        elif kind == "gap":
            gap = self.gap(stream, stream.fmt, args, None)
            if gap and self.window is not None:     # alone, it starts nothing
                gap.reach += self.clock_offset
                stream.items.append(gap)
        elif kind == "eos":
            stream.items.append(items.Item("eos", stream.fmt))
        else:
            stream.fmt = items.told(stream.fmt, (kind, *args))

    def flush(self, *pads):
        for k in pads:
            stream = self.pads[k]
            stream.forget()
            stream.log, stream.first = [], None
            stream.items.clear()
            stream.flushed = True
            stream.fmt = dataclasses.replace(stream.fmt, segment=None)
        if len(pads) == len(self.streams):
            self.zero, self.last_pts = 0, 0
            self.closed = self.pushed = False
            self.window = None
        self.decide_anew()

    def decide_anew(self):
        if not self.closed:
            self.window = None
            for s in self.streams:
                s.put_back()
            if any(s.first for s in self.streams):
                self.place_start()

    # --- windows ---------------------------------------------------------

    def has_deadline(self):
        return self.window is not None and not self.over

    def pass_deadlines(self, time):
        while self.has_deadline() and self.deadline() <= time:
            if self.deadline() > self.now:
                self.now = self.deadline()
                self.told.append(("at", self.now))
            self.close_window(forced=True)
            self.go_on()
            if self.has_deadline():
                self.told.append(("pending",))

    def deadline(self):
        least = min(s.offset for s in self.streams) + self.clock_offset
        return max(self.end_of(self.window) + self.zero - least + self.latency,
                   0)

    def go_on(self):
        if self.window is None:
            self.show_first_frames()
        if self.window is not None:
            self.read_all()
            while not self.is_done() and all(map(self.is_past, self.streams)):
                self.close_window(forced=False)
                self.read_all()
        if self.is_done() and not self.over:
            self.over = True
            for s in self.streams:
                for i in s.items:
                    if i.kind == "outside":
                        s.drop(i)
            self.out.append(("eos",))

    def show_first_frames(self):
        for s in self.streams:
            for frame in [i for i in s.items if i.kind == "frame"][:1]:
                s.show_first(frame)
        if any(s.first for s in self.streams):
            self.place_start()

    def is_done(self):
        return all(s.items and s.items[-1].kind == "eos" and not s.held and (
            self.window is None or s.next().kind == "eos")
            for s in self.streams)

    def close_window(self, forced=False):
        self.judge()
        frames = [list(s.held) for s in self.streams]
        past = all(map(self.is_past, self.streams))
        positions = [p for p in map(self.next_position, self.streams)
                     if p is not None]
        target = self.first_window(min(positions)) if positions else 0
        if past and not any(frames) and (
                target - self.window > oracle.MANY_WINDOWS
                or self.incomplete == "drop" and target > self.window):
            self.skip_to(target)
            return
        missing = any(not f and not self.has_ended(s)
                      for s, f in zip(self.streams, frames))
        if missing and self.incomplete == "drop":
            self.stats["dropped-windows"] += 1
        else:
            self.push_window(frames, missing)
        self.leave()

    def push_part(self, part, left, start, end):
        self.out.append(("time", self.now))
        super().push_part(part, left, start, end)

    def described_by(self, stream, part, left):
        told = items.Item("told", stream.fmt)
        return (part or left or [next(stream.leading(), told)])[0]


# --- cases -------------------------------------------------------------------


def random_props(r):
    duration = r.choice([100 * MS, 200 * MS, SECOND, SECOND])
    props = {"batch-duration": duration}
    if r.random() < .3:
        props["hop"] = r.choice([duration // 2, duration // 3])
    props["align"] = r.choice(["running-time", "running-time", "clock",
                               "first-frame"])
    props["incomplete"] = r.choice(["push", "push", "drop"])
    props["late"] = r.choice(["drop", "next"])
    props["latency"] = r.choice([-1, -1, 0, 20 * MS, duration])
    if r.random() < .2:
        props["boundary-tolerance"] = r.choice([0, 5 * MS])
    if r.random() < .2:
        props["frames"] = r.choice([1, 3, 25])
        props["fill"] = r.choice(["repeat-last", "drop-excess"])
    return props


class Camera:
    """(time, step) of one stream, in the order in which they come."""

    def __init__(self, r, k, duration):
        self.r, self.k, self.duration = r, k, duration
        self.steps = []
        self.id = k * 10000
        self.came = 0

    def push(self, at, *step):
        self.came = max(self.came, at)
        self.steps.append((self.came, ("push", self.k, *step)))

    def caps(self):
        self.fps = self.r.choice([(5, 1), (10, 1), (25, 1), (30000, 1001),
                                  (60, 1), None])
        self.push(self.came, "caps", self.r.choice([4, 8, 12]), self.fps,
                  False)

    def segment(self):
        self.start = self.r.choice([0, 0, self.came, 7 * SECOND])
        self.base = self.r.choice([0, self.came])
        self.push(self.came, "segment", 1.0, self.start, NONE, self.base, 0,
                  self.start)

    def flush(self, others=()):
        self.steps.append((self.came, ("flush", self.k, *others)))
        if self.r.random() < .3:
            self.caps()
        self.segment()

    def frame(self, t, delay):
        interval = SECOND * self.fps[1] // self.fps[0] if self.fps else 70 * MS
        pts = t - self.base + self.start
        if self.r.random() < .1:
            pts += self.r.randrange(-2 * interval, 1)
        if pts >= 0:
            duration = self.r.choice([interval, interval, NONE])
            self.push(t + delay, "frame", self.id, pts, duration, NONE)
            self.id += 1
        return interval

    def run(self, begin, length, offset):
        self.came = begin
        if begin:
            self.steps.append((begin, ("request", offset, self.k)))
        self.push(begin, "start", f"s{self.k}")
        self.caps()
        self.segment()
        delay = self.r.choice([0, 0, 10 * MS, self.r.randrange(self.duration)])
        t = begin
        for _ in range(self.r.randrange(1, length)):
            kind = self.r.random()
            if kind < .03:
                self.caps()
            elif kind < .04:
                self.segment()
            elif kind < .05:
                self.flush()
            elif kind < .07:
                self.push(t, "custom", self.id)
            elif kind < .09:
                pts = t - self.base + self.start
                gap = self.r.choice([10 * MS, self.duration])
                if pts >= 0:
                    self.push(t + gap, "gap", pts, gap)
                t += gap
            elif kind < .12:
                t += self.r.choice([1, 3, 12]) * self.duration     # silent
            else:
                t += self.frame(t, self.r.choice([delay, delay, 0, 2 * delay]))
        return t


def random_case(seed):
    """(props, upstream's latency in ms, steps)"""
    r = random.Random(seed)
    props = random_props(r)
    duration = props["batch-duration"]
    offsets = [0, 0, 0, r.randrange(-duration // 4, duration // 4)]
    n = r.choice([1, 2, 2, 3, 4])
    steps, cameras = [], []
    for k in range(n):
        camera = Camera(r, k, duration)
        offset = r.choice(offsets) if not cameras else offsets[0]
        if not cameras:
            offsets[0] = offset
        # one that comes later does not move the deadline, which no one would see
        begin = 0 if not cameras or r.random() < .7 else r.randrange(
            1, 5 * duration)
        end = camera.run(begin, r.choice([8, 30, 80]), offset)
        if k and r.random() < .2:
            camera.steps.append((max(end, camera.came), ("release", k)))
        elif r.random() < .4:
            camera.push(end, "eos")
        if not begin:
            steps.append((-1, ("request", offset, k)))
        cameras.append(camera)
    last = max(c.came for c in cameras)
    ended = {step[1] for c in cameras for _, step in c.steps
             if step[0] == "release" or step[-1] == "eos"}
    steps += [s for c in cameras for s in c.steps]
    steps += [(last + r.randrange(5 * duration), ("push", k, "eos"))
              for k in range(n) if k not in ended]
    return props, r.choice([0, 0, 20, 300]), number_pads(
        sorted(steps, key=lambda s: s[0]))


def number_pads(timed):
    """By the order of requests; and an `at` where time goes on."""
    steps, now, number = [], 0, {}
    for time, step in timed:
        if time > now:
            steps.append(("at", time))
            now = time
        kind, args = step[0], step[1:]
        if kind == "request":
            number[args[1]] = len(number)
            steps.append(("request", args[0]))
        elif kind == "push":
            steps.append(("push", number[args[0]], *args[1:]))
        else:
            steps.append((kind, *(number[k] for k in args)))
    return steps


def is_valid(steps):
    """Whether each pad is there when it is used."""
    pads, n = set(), 0
    for step in steps:
        if step[0] == "request":
            pads.add(n)
            n += 1
        elif step[0] != "at":
            used = step[1:] if step[0] == "flush" else step[1:2]
            if not pads.issuperset(used):
                return False
        if step[0] == "release":
            pads.remove(step[1])
    return bool(pads)


def model(case):
    props, upstream, steps = case
    live = Live(props, upstream)
    for step in steps:
        live.do(step)
    return live


def text(case):
    props, upstream, _ = case
    lines = [f"case {BASE} {upstream}"]
    lines += [f"prop {name} {value}" for name, value in props.items()]
    lines.append("begin")
    for step in model(case).told:
        if step[0] == "push":
            lines.append(f"push {step[1]} {streams.step_text(step[2:])}")
        else:
            lines.append(" ".join(map(str, step)))
    return "\n".join(lines + ["run", ""])


def run(feed, cases):
    return batcher_oracle.feed_cases(feed, [text(case) for case in cases])


def difference(case, result):
    out, stats = result
    live = model(case)
    what = batcher_oracle.first_difference(out, live.out)
    if what:
        return what
    # what a flush throws away may have been counted, where no deadline shows that
    # it was read
    return batcher_oracle.stats_difference(
        live, [s for s in live.streams if not s.flushed], stats)


def fails(feed, case):
    try:
        return is_valid(case[2]) and difference(
            case, run(feed, [case])[0]) is not None
    except items.Unknown:
        return False


def main():
    feed = sys.argv[1]
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 1

    def report(seed, case, what):
        props, upstream, steps = case
        small = props, upstream, streams.shrink_list(
            steps, lambda s: fails(feed, (props, upstream, s)))
        print(f"seed {seed}: {what}\nsmaller:\n{text(small)}"
              f"{difference(small, run(feed, [small])[0])}\n", flush=True)

    return batcher_oracle.check(range(first, first + n), random_case,
                                lambda cases: run(feed, cases), difference,
                                report)


if __name__ == "__main__":
    sys.exit(main())
