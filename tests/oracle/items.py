# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a stream consists of, for the model of secondbatcher. Times are signed
integers in ns."""

import dataclasses

NONE = -1


class Unknown(Exception):
    """A stream without reference is placed by UTC, and one without a segment is an
    error."""


def clamp(value, low, high):
    return max(low, min(value, high))


@dataclasses.dataclass(frozen=True)
class Segment:
    rate: float = 1.0
    start: int = 0
    stop: int = NONE
    base: int = 0
    offset: int = 0
    time: int = 0

    def clip(self, start, stop):
        """gst_segment_clip() of [start, stop]: None if it lies outside."""
        if self.stop != NONE and (start > self.stop or (
                self.start != self.stop and start == self.stop)):
            return None
        if stop < self.start or (start != stop and stop == self.start):
            return None
        return (max(start, self.start),
                stop if self.stop == NONE else min(stop, self.stop))

    def running_time(self, position):
        """gst_segment_to_running_time_full(), as one signed number."""
        if self.rate > 0:
            distance = position - self.start - self.offset
        else:
            distance = self.stop - self.offset - position
        rate = abs(self.rate)
        if rate != 1.0:
            distance = int(distance / rate)
        return distance + self.base


@dataclasses.dataclass(frozen=True)
class Format:
    """Caps, stream id and segment that a stream's frames have."""
    width: int = None
    fps: tuple = None           # None before caps
    alternate: bool = False
    stream_id: str = "-"
    segment: Segment = None

    def frame_duration(self):
        """Of a buffer, by the framerate, in ns; 0 if it is variable."""
        if not self.fps or self.fps[0] == 0:
            return 0
        buffers = self.fps[0] * (2 if self.alternate else 1)
        return 10 ** 9 * self.fps[1] // buffers


def told(fmt, step):
    """The format after an event."""
    kind, args = step[0], step[1:]
    if kind == "start":
        return dataclasses.replace(fmt, stream_id=args[0])
    if kind == "caps":
        return dataclasses.replace(fmt, width=args[0], fps=args[1],
                                   alternate=args[2])
    if kind == "segment":
        return dataclasses.replace(fmt, segment=Segment(*args))
    return fmt


class Item:
    """A frame, GAP, custom event or EOS of a stream."""

    def __init__(self, kind, fmt, **fields):
        self.kind, self.fmt = kind, fmt
        self.batches = 0        # that a frame has been in
        self.__dict__.update(fields)


@dataclasses.dataclass
class Part:
    items: list
    flush: int = None           # what ends it


def split_at_flushes(items):
    parts = [Part([])]
    for item in items:
        if item.kind == "flush":
            parts[-1].flush = item.id
            parts.append(Part([]))
        else:
            parts[-1].items.append(item)
    return parts
