# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random streams for secondbatcher, and how to make a failing case smaller.

A case is a dict of properties and a list of streams; a stream has a `ts-offset`
and steps: ("start", ID), ("caps", WIDTH, FPS or None, ALTERNATE), ("segment",
RATE, START, STOP, BASE, OFFSET, TIME), ("frame", ID, PTS, DURATION, REFERENCE),
("gap", TS, DURATION), ("custom", ID), ("flush", N), ("eos",). All streams that have
flush N are flushed together, when nothing more happens before.
"""

import copy
import dataclasses
import random

NONE = -1
MS = 10 ** 6
SECOND = 10 ** 9
MOST_FLUSHES = 2
RATES = [(1, 1), (5, 1), (10, 1), (24000, 1001), (25, 1), (30000, 1001),
         (30, 1), (50, 1), (60, 1), (120, 1), (240, 1), None]


@dataclasses.dataclass
class Stream:
    offset: int
    steps: list


@dataclasses.dataclass
class Case:
    props: dict
    streams: list
    behind: str = ""            # the batcher: "", "splitter" or "again"
    awaited: list = ()  # (flush, name, value, others): what is so before it

    def text(self):
        """As batchfeed reads it."""
        lines = ["case 0"]
        if self.behind == "splitter":
            lines.append("splitter")
        elif self.behind == "again":
            lines.append("again batch-duration "
                         f"{self.props['batch-duration']}")
        lines += [f"prop {name} {value}" for name, value in self.props.items()]
        for stream in self.streams:
            lines.append(f"stream {stream.offset}")
            lines += [step_text(step) for step in stream.steps]
        lines += [" ".join(map(str, ("await", *a))) for a in self.awaited]
        return "\n".join(lines + ["run", ""])


def step_text(step):
    if step[0] != "caps":
        return " ".join(str(word) for word in step)
    width, fps, alternate = step[1:]
    rate = f"{fps[0]}/{fps[1]}" if fps else "0/1"
    mode = ",interlace-mode=alternate" if alternate else ""
    # alternate fields are a feature of their caps
    feature = "(format:Interlaced)" if alternate else ""
    return (f"caps video/x-raw{feature},format=GRAY8,width={width},height=4,"
            f"framerate={rate}{mode}")


def random_props(r):
    duration = r.choice([100 * MS, 200 * MS, 200 * MS, 333 * MS, SECOND,
                         SECOND, 1001 * MS])
    props = {"batch-duration": duration}
    if r.random() < .3:
        props["hop"] = r.choice([duration // 2, duration // 3, duration,
                                 2 * duration // 3])
    props["align"] = r.choice(["running-time"] * 4 + ["first-frame"] * 2
                              + ["reference-timestamp"])
    props["incomplete"] = r.choice(["push", "push", "wait", "drop"])
    props["late"] = r.choice(["drop", "next"])
    if r.random() < .3:
        props["boundary-tolerance"] = r.choice([0, 1, 5 * MS, 40 * MS,
                                                2 * SECOND])
    if r.random() < .2:
        props["frames"] = r.choice([1, 3, 25])
        props["fill"] = r.choice(["repeat-last", "drop-excess"])
    return props


class Generator:
    """The steps of one stream."""

    def __init__(self, r, number, length, references):
        self.r, self.number, self.length = r, number, length
        self.reference = r.randrange(10 ** 6) * 1000003 if references else None
        self.stamped = False
        self.id = number * 10000
        self.pts = r.choice([0, 0, 0, r.randrange(SECOND),
                             r.randrange(5) * SECOND])
        self.begun = self.pts
        self.steps = [("start", f"s{number}")]
        self.width = 4
        self.caps()
        self.segment(first=True)

    def caps(self):
        self.fps = self.r.choice(RATES)
        self.width = self.r.choice([4, 8, 12])
        self.steps.append(("caps", self.width, self.fps,
                           self.r.random() < .05))

    def segment(self, first=False):
        r = self.r
        rate = r.choice([1.0] * 8 + [2.0, 0.5, -1.0])
        start, stop, base, offset = 0, NONE, 0, 0
        if r.random() < .3:
            start = max(self.pts - r.choice([0, 0, 10, 60 * MS]), 0)
        if not first:
            base = self.pts if start else 0
        if r.random() < .1:
            base += r.choice([0, 7, 300 * MS, 3 * SECOND])
        if r.random() < .05:
            offset = r.choice([0, 100 * MS])
        self.rate = rate
        if rate < 0:
            stop = self.pts + r.choice([SECOND, 3 * SECOND])
            start = 0
            self.pts = stop
            offset = 0
        elif r.random() < .05:
            stop = self.pts + 2 * SECOND
        self.steps.append(("segment", rate, start, stop, base, offset, start))

    def interval(self):
        if self.fps:
            return SECOND * self.fps[1] // self.fps[0]
        return self.r.choice([10, 40, 170]) * MS

    def frame(self):
        r, interval = self.r, self.interval()
        duration = interval if self.fps or r.random() < .5 else NONE
        if r.random() < .15:
            duration = NONE
        pts = self.pts
        if r.random() < .1:
            pts += r.randrange(-interval, interval)
        if r.random() < .03:
            pts -= r.choice([2, 5, 30]) * interval
        reference = NONE
        pts = max(pts, 0)
        if self.reference is not None and (
                not self.stamped or r.random() < .8):
            reference = self.reference + pts
            self.stamped = True
        if self.rate < 0:
            pts = max(pts - interval, 0)
        self.steps.append(("frame", self.id, pts, duration, reference))
        self.id += 1
        if r.random() > .03:
            self.advance(interval)

    def advance(self, by):
        self.pts = max(self.pts + (by if self.rate > 0 else -by), 0)

    def hole(self, with_gap):
        length = self.r.choice([30 * MS, 200 * MS, SECOND, 2500 * MS,
                                130 * SECOND])
        if with_gap:
            start = self.pts if self.rate > 0 else max(self.pts - length, 0)
            self.steps.append(("gap", start, length))
        self.advance(length)

    def step(self):
        kind = self.r.random()
        if kind < .9:
            self.frame()
        elif kind < .93:
            self.hole(with_gap=self.r.random() < .6)
        elif kind < .96:
            self.caps()
            if self.r.random() < .4:
                self.advance(-self.r.choice([40, 120, 400]) * MS)
        elif kind < .97:
            self.segment()
        elif kind < .975:
            self.steps.append(("start", f"s{self.number}-{self.id}"))
            self.caps()
            self.segment()
        else:
            self.steps.append(("custom", self.id))
            self.id += 1

    def flush(self, number):
        """False: what comes behind it has no segment, and can be no frames."""
        self.steps.append(("flush", number))
        self.pts = self.r.choice([self.pts, self.pts, self.begun, 0,
                                  self.pts + 5 * SECOND])
        self.stamped = False
        # those that were told may have been on their way, and lost
        self.steps.append(("start", f"s{self.number}"))
        self.caps()
        if self.r.random() < .1:
            return False
        self.segment(first=self.r.random() < .5)
        return True

    def run(self, flushes=()):
        for flush in [*flushes, None]:
            for _ in range(self.r.randrange(self.length)):
                self.step()
            if flush and not self.flush(flush):
                break
        return self.steps + [("eos",)]


def random_case(seed):
    r = random.Random(seed)
    props = random_props(r)
    length = r.choice([8, 30, 120])
    streams = []
    for k in range(r.choice([1, 1, 2, 2, 3, 5])):
        offset = r.choice([0] * 6 + [-50 * MS, 50 * MS, -SECOND, 2 * SECOND])
        references = props["align"] == "reference-timestamp"
        streams.append(Stream(offset, Generator(r, k, length,
                                                references).run()))
    return Case(props, streams)


def flush_case(seed):
    """All streams are flushed, or some, once or twice."""
    r = random.Random(seed)
    props = random_props(r)
    n, length = r.choice([1, 2, 2, 3]), r.choice([4, 15, 40])
    references = props["align"] == "reference-timestamp"
    generators = [Generator(r, k, length, references) for k in range(n)]
    flushes = [[] for _ in range(n)]
    for number in range(1, r.choice([2, 2, MOST_FLUSHES + 1])):
        for k in r.choice([range(n), r.sample(range(n), 1)]):
            flushes[k].append(number)
    return Case(props, [
        Stream(r.choice([0] * 6 + [-50 * MS, SECOND]), g.run(flushes[k]))
        for k, g in enumerate(generators)])


def without_frames(props):
    return {n: v for n, v in props.items() if n not in ("frames", "fill")}


def split_case(seed):
    """With a splitter behind, which gives each frame once."""
    case = random_case(seed)
    return dataclasses.replace(case, props=without_frames(case.props),
                               behind="splitter")


def round_trip_case(seed):
    """Overlapping windows, split and batched again. The streams are in order and
    have no holes, so that nothing is late on the second way if it is not on the
    first."""
    r = random.Random(seed)
    duration = r.choice([200 * MS, SECOND])
    props = {"batch-duration": duration,
             "hop": r.choice([duration // 2, duration // 3, duration])}
    streams = []
    for k in range(r.choice([1, 2, 3])):
        fps = r.choice(RATES[4:-1])
        at, steps = r.randrange(duration), [("start", f"s{k}")]
        width = 4
        steps += [("caps", width, fps, False),
                  ("segment", 1.0, 0, NONE, 0, 0, 0)]
        for i in range(r.randrange(10, 100)):
            if r.random() < .03:
                width = 12 - width
                steps.append(("caps", width, fps, False))
            interval = SECOND * fps[1] // fps[0]
            steps.append(("frame", k * 10000 + i, at, interval, NONE))
            at += interval
        streams.append(Stream(0, steps + [("eos",)]))
    return Case(props, streams, "again")


def smaller(case):
    """Cases with less in them, the largest cuts first."""
    for k in range(len(case.streams)):
        if len(case.streams) > 1:
            yield dataclasses.replace(
                case, streams=case.streams[:k] + case.streams[k + 1:])
    for name in case.props:
        if case.behind == "again" and name == "batch-duration":
            continue            # that of both
        yield dataclasses.replace(case, props={
            n: v for n, v in case.props.items() if n != name})
    for k, stream in enumerate(case.streams):
        n = len(stream.steps) - 4       # start, caps, segment and eos stay
        size = n
        while size >= 1:
            for at in range(3, 3 + n, size):
                steps = stream.steps[:at] + stream.steps[
                    min(at + size, 3 + n):]
                yield replace_steps(case, k, steps)
            size //= 2
        if stream.offset:
            shorter = copy.deepcopy(case)
            shorter.streams[k].offset = 0
            yield shorter


def replace_steps(case, k, steps):
    streams = list(case.streams)
    streams[k] = Stream(streams[k].offset, steps)
    return dataclasses.replace(case, streams=streams)


def shrink_list(items, fails):
    """Fewer items that still fail; `fails(items)` says so."""
    size = len(items)
    while size >= 1:
        at = 0
        while at < len(items):
            fewer = items[:at] + items[at + size:]
            if fails(fewer):
                items = fewer
            else:
                at += size
        size //= 2
    return items


def shrink(case, fails, tries=400):
    """A smaller case that still fails; `fails(case)` says so."""
    progress = True
    while progress and tries > 0:
        progress = False
        for candidate in smaller(case):
            tries -= 1
            if tries <= 0:
                break
            if fails(candidate):
                case, progress = candidate, True
                break
    return case
