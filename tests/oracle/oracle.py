# SPDX-License-Identifier: LGPL-2.1-or-later
"""What secondbatcher does with a set of streams, by "The model of time" of
docs/secondbatcher.md, written from that page alone.

Streams are not live, so that the result does not depend on when things arrive.
Times are signed integers in ns; `Case` is described in streams.py.
"""

import itertools
from fractions import Fraction

from items import clamp, split_at_flushes
from placing import Placing

MANY_WINDOWS = 100


class Stream:
    def __init__(self, number, offset, items):
        self.number, self.offset = number, offset
        self.parts = split_at_flushes(items)
        self.items = self.parts[0].items        # unread, up to the next flush
        self.run = 0            # how many formats there were so far
        self.total_frames = self.total_late = self.total_dropped = 0
        self.flushed = False
        self.log = []           # read before the first window is over
        self.first = None       # its first frame
        self.forget()

    def forget(self):
        self.held = []          # frames read that may be in a batch yet
        self.format = None      # of the frame read last
        self.origin = 0         # t + T of the first one under that format
        self.last = None        # of the latest batch that had one: frame
        self.late = self.dropped = 0

    @property
    def flush_ahead(self):
        """The number of the flush behind these items, or None."""
        return self.parts[0].flush

    def flush(self):
        self.flushed = True
        self.log, self.first = [], None
        self.parts.pop(0)
        self.items = self.parts[0].items
        self.forget()

    def put_back(self):
        """As if nothing had been read yet."""
        self.items[:0] = self.log
        self.log = []
        self.total_dropped -= self.dropped
        self.forget()

    def next(self):
        return self.items[0] if self.items else None

    def leading(self):
        """What shows where it begins, one after the other."""
        return (i for i in self.items if i.kind not in ("custom", "outside"))

    def show_first(self, frame):
        self.first = frame
        for item in itertools.takewhile(lambda i: i is not frame,
                                        self.log + self.items):
            if item.kind == "gap":
                item.reach = min(item.reach, frame.t)

    def drop(self, frame):
        if frame.batches == 0:
            self.dropped += 1
            self.total_dropped += 1


class Showing:
    """How far a stream has shown where it begins."""

    def __init__(self, stream):
        self.stream = stream
        self.items = stream.leading()
        self.reach = -1 << 63   # of its GAPs so far
        self.ended = False

    def lacks(self, shown):
        if self.stream.first or self.ended:
            return False
        firsts = [s.stream.first.t for s in shown if s.stream.first]
        return self.reach < min(firsts, default=1 << 63) and not any(
            s.reach < self.reach for s in shown
            if not s.stream.first and not s.ended)

    def go_on(self):
        item = next(self.items, None)
        if item is None and self.stream.flush_ahead:
            return False
        if item is None or item.kind == "eos":
            self.ended = True
        elif item.kind == "frame":
            self.stream.show_first(item)
        else:
            self.reach = max(self.reach, item.reach)
        return True


class Batcher(Placing):
    def __init__(self, case, waits=()):
        props = case.props
        super().__init__(props)
        self.incomplete = props.get("incomplete", "push")
        self.late = props.get("late", "drop")
        self.n_frames = props.get("frames", 0)
        self.fill = props.get("fill", "repeat-last")
        self.streams = [Stream(k, s.offset, self.items_of(s))
                        for k, s in enumerate(case.streams)]
        self.zero = 0
        self.window = None
        self.shift = 0          # of the alignment, of the last batch
        self.last_pts = 0
        self.closed = False     # a window is over
        self.start_moves = False        # by a flush before that
        self.undecided = 0      # how often a stream may wait, and whether it does
        self.waits = list(waits)
        self.pushed = False     # and had a batch
        self.out = []
        self.awaited = []       # (flush, name, value): what is so before it
        self.stats = dict.fromkeys(
            ("incomplete-batches", "dropped-windows", "skipped-windows"), 0)

    def p(self, frame):
        if frame.moved is not None:
            return frame.moved
        return max(frame.t - self.zero + frame.tolerance, 0)

    def t(self, frame):
        return frame.t - self.zero

    def first_window(self, position):
        """The first one that contains the position."""
        return max((position - self.duration) // self.hop + 1, 0)

    def start_of(self, window):
        return window * self.hop

    def end_of(self, window):
        return window * self.hop + self.duration

    # --- reading ---------------------------------------------------------

    def decide_start(self):
        """False: no stream has a frame at all, or one has shown too little."""
        for s in self.streams:
            s.put_back()
        shown = [Showing(s) for s in self.streams]
        progress = True
        while progress:
            progress = False
            for s in shown:
                if s.lacks(shown):
                    progress |= s.go_on()
        if any(s.lacks(shown) for s in shown):
            return False
        if not any(s.first for s in self.streams):
            return False
        self.place_start()
        return True

    def place_start(self):
        firsts = [s.first for s in self.streams if s.first]
        if self.align == "first-frame":
            self.zero = min(f.t for f in firsts)
        self.window = min(self.first_window(self.p(f)) for f in firsts)

    def is_past(self, stream):
        item = stream.next()
        end = self.end_of(self.window)
        if item is None:
            return not stream.flush_ahead
        if item.kind == "frame":
            return self.p(item) >= end
        if item.kind == "gap":
            return max(item.reach - self.zero, 0) >= end
        return item.kind == "eos"

    @staticmethod
    def has_ended(stream):
        """Before the end of the open window, in the stream's order."""
        item = stream.next()
        return item.kind == "eos" if item else not stream.flush_ahead

    def read(self, stream):
        while stream.items and not self.is_past(stream):
            item = stream.items.pop(0)
            if not self.closed:
                stream.log.append(item)
            if item.kind == "outside":
                stream.drop(item)
            elif item.kind == "frame":
                self.read_frame(stream, item)

    def read_frame(self, stream, frame):
        if not stream.first and not self.closed:
            before = self.window
            stream.show_first(frame)
            self.place_start()
            self.window = min(self.window, before)
        if stream.format != frame.fmt:
            stream.run += 1
            stream.format, stream.origin = frame.fmt, frame.t + frame.tolerance
        frame.run, frame.origin = stream.run, stream.origin
        if not self.closed or not self.is_late(stream, frame):
            stream.held.append(frame)

    def is_late(self, stream, frame):
        """True: it goes, and is counted."""
        if self.p(frame) >= self.start_of(self.window):
            return False
        stream.late += 1
        stream.total_late += 1
        if self.late == "next":
            frame.moved = self.start_of(self.window)
            return False
        stream.drop(frame)
        return True

    def judge(self):
        """What was read before it was known where the windows start."""
        for s in self.streams:
            for f in list(s.held):
                if self.is_late(s, f):
                    s.held.remove(f)

    def read_all(self):
        """Where the start moves, all streams are read again."""
        while True:
            start = self.window, self.zero
            if not self.closed:
                for s in self.streams:
                    s.put_back()
            for s in self.streams:
                self.read(s)
            if (self.window, self.zero) == start:
                return

    # --- windows ---------------------------------------------------------

    def next_position(self, stream):
        item = stream.next()
        if item and item.kind == "frame":
            return self.p(item)
        if item and item.kind == "gap":
            return max(item.reach - self.zero, 0)
        return None

    def leave(self):
        """What is in no window behind the open one goes."""
        self.closed = True
        self.window += 1
        start = self.start_of(self.window)
        for s in self.streams:
            s.log = []
            for f in [f for f in s.held if self.p(f) < start]:
                s.held.remove(f)
                s.drop(f)

    def run(self):
        flushes = {part.flush for s in self.streams for part in s.parts}
        for flush in sorted(flushes - {None}):
            self.run_part()
            self.flush(flush)
        self.run_part()
        for s in self.streams:
            for i in s.items:
                if i.kind == "outside":
                    s.drop(i)
        self.out.append(("eos",))
        return self.out

    def run_part(self):
        """As far as what streams show up to their next flush goes."""
        if not self.closed:
            self.window = None
            if not self.decide_start():
                return
        self.read_all()
        if not self.closed and all(map(self.is_past, self.streams)):
            if any(map(self.may_wait, self.streams)):
                self.undecided += 1
                if self.waits and self.waits.pop(0):
                    return
        while all(map(self.is_past, self.streams)) and self.close_window():
            self.read_all()

    def may_wait(self, stream):
        """All of it may have been read before the start moved back: then its next
        item shows that it is past the window, and a flush comes before that."""
        if not stream.flush_ahead or stream.next().kind == "eos" or not (
                self.start_moves or any(map(self.begins_with_gap,
                                            self.streams))):
            return False
        items = [i for i in stream.log + stream.items
                 if i.kind in ("frame", "gap")]
        first = next((i for i in items if i.kind == "frame"), None)
        if not first:
            return True
        # no start was later than that by its own first frame alone
        zero = first.t if self.align == "first-frame" else 0
        places = [max(i.t - zero + i.tolerance if i.kind == "frame"
                      else i.reach - zero, 0) for i in items]
        end = self.end_of(self.first_window(places[items.index(first)]))
        return max(places) < end

    @staticmethod
    def begins_with_gap(stream):
        return any(i.kind == "gap" for i in itertools.takewhile(
            lambda i: i.kind != "frame", stream.log + stream.items))

    def flush(self, number):
        outputs = sum(o[0] in ("batch", "gap") for o in self.out)
        self.awaited += [(number, "outputs", outputs)] + [
            (number, name, self.stats[name])
            for name in ("dropped-windows", "skipped-windows")]
        flushed = [s for s in self.streams if s.flush_ahead == number]
        for s in flushed:
            s.flush()
        if len(flushed) == len(self.streams):
            self.zero, self.shift, self.last_pts = 0, 0, 0
            self.closed = self.pushed = self.start_moves = False
        elif not self.closed:
            self.start_moves = True

    def close_window(self):
        """False if there is nothing more."""
        self.judge()
        frames = [list(s.held) for s in self.streams]
        positions = [p for p in map(self.next_position, self.streams)
                     if p is not None]
        if not positions and not any(frames):
            return False
        if not any(frames):
            target = self.first_window(min(positions))
            if target - self.window > MANY_WINDOWS or (
                    self.incomplete == "drop" and target > self.window):
                self.skip_to(target)
                return True
        missing = any(not f and not self.has_ended(s)
                      for s, f in zip(self.streams, frames))
        if missing and self.incomplete == "drop":
            self.stats["dropped-windows"] += 1
        else:
            self.push_window(frames, missing)
        self.leave()
        return True

    def skip_to(self, target):
        if self.pushed:
            self.out.append(("gap", *self.running(
                self.start_of(self.window), self.start_of(target))))
        self.stats["skipped-windows"] += target - self.window
        self.window = target - 1
        self.leave()

    def running(self, start, end):
        """PTS and duration, on the batcher's own segment."""
        shift = -self.zero if self.align == "first-frame" else self.shift
        start = max(start - shift, 0)
        return start, max(end - shift, 0) - start

    # --- parts -----------------------------------------------------------

    @staticmethod
    def old_format(left):
        """The frames of the first format, and the first one of the next."""
        old = []
        for f in left:
            if f.run != left[0].run:
                return old, f
            old.append(f)
        return old, None

    def push_window(self, frames, incomplete):
        seen = [min(group, key=self.t) for group in frames if group]
        if self.align == "reference-timestamp" and seen:
            self.shift = min(seen, key=self.t).shift
        left = [list(f) for f in frames]
        start, end = self.start_of(self.window), self.end_of(self.window)
        while True:
            split = [self.old_format(group) for group in left]
            cuts = [clamp(max(self.t(new), max(self.t(f) for f in old)),
                          start, end) if new else None
                    for old, new in split]
            stop = min((c for c in cuts if c is not None), default=end)
            last = all(c is None for c in cuts)
            part = []
            for k, (old, _) in enumerate(split):
                if not last and cuts[k] != stop:
                    old = [f for f in old if self.t(f) < stop]
                part.append(old)
                left[k] = [f for f in left[k] if f not in old]
            self.push_part(part, left, start, stop)
            self.stats["incomplete-batches"] += incomplete
            if last:
                return
            start = stop

    def described_by(self, stream, part, left):
        """The frame or item that says which format the stream has."""
        return (part or left or [next(stream.leading())])[0]

    def origin(self, stream, item, start):
        """Where the frames of the item's format began."""
        if item.kind == "frame" and item not in stream.items:
            origin = item.origin
        elif stream.format == item.fmt:
            origin = stream.origin
        else:
            return start
        return max(origin - self.zero, 0)

    @staticmethod
    def expected(fmt, origin, start, end):
        if not fmt.fps or fmt.fps[0] == 0:
            return 0
        rate = abs(fmt.segment.rate) if fmt.segment else 1
        fps = Fraction(*fmt.fps) * Fraction(rate)
        if fmt.alternate:
            fps *= 2

        def before(time):
            return -((origin - time) * fps // 10 ** 9)

        return int(before(end) - before(start))

    def push_part(self, part, left, start, end):
        self.pushed = True
        rows = []
        for s, frames, rest in zip(self.streams, part, left):
            item = self.described_by(s, frames, rest)
            fmt = item.fmt
            ids = self.filled(s, fmt, sorted(frames, key=self.t))
            rows.append((fmt.width if fmt.width is not None else -1,
                         fmt.stream_id,
                         fmt.segment.base if fmt.segment else 0,
                         self.expected(fmt, self.origin(s, item, start),
                                       start, end),
                         s.late, s.dropped, ids))
            s.total_frames += len(ids)
            s.late = s.dropped = 0
        pts, duration = self.running(start, end)
        self.last_pts = pts = max(pts, self.last_pts)
        self.out.append(("batch", self.window, start, end - start, pts,
                         duration, rows))

    def filled(self, stream, fmt, frames):
        n = self.n_frames
        out = frames
        if n and len(frames) > n:
            out = frames[:n]
            following = self.start_of(self.window + 1)
            for f in frames[n:]:
                if self.p(f) < following:
                    stream.held.remove(f)
                    stream.drop(f)
        for f in out:
            f.batches += 1
        if n and len(out) < n and self.fill == "repeat-last":
            last = out[-1] if out else stream.last
            if last is not None and last.fmt == fmt:
                out = out + [last] * (n - len(out))
        if out:
            stream.last = out[-1]
        return [f.id for f in out]
