# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the steps of a stream to items with a time and a tolerance, by "The model of
time" of docs/secondbatcher.md, written from that page alone."""

import dataclasses

from items import NONE, Format, Item, Unknown, clamp, told

LIMIT = 1 << 62


class Placing:
    """The properties that place items in time."""

    def __init__(self, props):
        self.duration = props.get("batch-duration", 10 ** 9)
        self.hop = props.get("hop", 0) or self.duration
        self.align = props.get("align", "running-time")
        self.tolerance = props.get("boundary-tolerance", -1)

    def items_of(self, stream):
        fmt, reference, items = Format(), None, []
        for step in stream.steps:
            kind, args = step[0], step[1:]
            if kind in ("start", "caps", "segment"):
                fmt = told(fmt, step)
            elif kind == "frame":
                item, reference = self.frame(stream, fmt, args, reference)
                items.append(item)
            elif kind == "gap":
                item = self.gap(stream, fmt, args, reference)
                if item:
                    items.append(item)
            else:
                items.append(Item(kind, fmt, id=args[0] if args else None))
                if kind == "flush":
                    fmt = dataclasses.replace(fmt, segment=None)
                    reference = None
        return items

    def frame(self, stream, fmt, args, reference):
        frame_id, pts, duration, stamp = args
        if fmt.segment is None:
            raise Unknown
        shown = duration if duration != NONE else fmt.frame_duration()
        inside = fmt.segment.clip(pts, pts + shown)
        if inside is None:
            return Item("outside", fmt, id=frame_id), reference
        edge = inside[0] if fmt.segment.rate > 0 else inside[1]
        running = fmt.segment.running_time(edge)
        if stamp != NONE:
            reference = stamp - running
        time = running + stream.offset
        if self.align == "reference-timestamp":
            if reference is None:
                raise Unknown
            time += reference
        time = clamp(time, -LIMIT, LIMIT)
        if self.tolerance == -1:
            length = fmt.frame_duration() or (
                duration if duration != NONE else 0)
            rate = abs(fmt.segment.rate)
            if rate != 1.0:
                length = int(length / rate)
            tolerance = min(length, self.hop) // 8
        else:
            tolerance = min(self.tolerance, self.hop - 1)
        return Item("frame", fmt, id=frame_id, t=time, tolerance=tolerance,
                    moved=None, shift=reference or 0), reference

    def gap(self, stream, fmt, args, reference):
        start, duration = args
        if fmt.segment is None:
            raise Unknown
        stop = start + (duration if duration != NONE else 0)
        inside = fmt.segment.clip(start, stop)
        if inside is None:
            return None
        reach = max(map(fmt.segment.running_time, inside)) + stream.offset
        if self.align == "reference-timestamp":
            if reference is None:
                return None
            reach += reference
        return Item("gap", fmt, reach=reach)
