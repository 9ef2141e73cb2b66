# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames, as a Reader and the streams of a batch give them."""

from __future__ import annotations

import functools

import numpy as np

from shmframe.errors import Error
from shmframe.gst import Gst, check_process
from shmframe.layout import Layout
from shmframe.memory import Mapping


class Frame:
    """A picture in the memory that its producer wrote it to.

    Its arrays are read-only views of that memory: nothing is copied. Each keeps the
    frame for as long as it, or a view of it, is there; it may outlive the Frame, the
    Reader and the producer. Meanwhile the producer cannot use that memory again, so
    copy what is to stay for long (`frame.array.copy()`).
    """

    def __init__(self, buffer: Gst.Buffer, caps: Gst.Caps, layout: Layout,
                 segment: Gst.Segment | None, number: int):
        self._buffer = buffer
        self._layout = layout
        self._segment = segment
        self._count = number
        self.caps = caps  #: Gst.Caps of the frame

    @functools.cached_property
    def planes(self) -> tuple[np.ndarray, ...]:
        """The planes, read-only, in the order of the format.

        (H, W) of one sample a pixel, (H, W, C) of several, in memory order: I420 has
        three of (H, W), (H/2, W/2) and (H/2, W/2), rounded up; NV12 has (H, W) and
        (H/2, W/2, 2). uint8, or uint16 of formats with 10 to 16 bits, in the byte
        order and in the bits that the format has them (P010: the upper ten). Rows
        may be padded: `strides` say how far apart they are.
        """
        check_process()
        mapping = Mapping(self._buffer)
        return tuple(mapping.array(plane)
                     for plane in self._layout.planes(self._buffer))

    @property
    def array(self) -> np.ndarray:
        """The picture, read-only: (H, W, C), or (H, W) for gray and Bayer.

        Packed formats only: BGR and RGB have C 3, BGRA and the like 4, in memory
        order; packed 4:2:2 (YUY2, UYVY) 2, with W rounded up to even. Error for
        planar formats, which have `planes`.
        """
        if len(self.planes) > 1:
            raise Error(f"{self._layout.format} has {len(self.planes)} planes: use "
                        "frame.planes, or ask for a packed format, as in "
                        "format=\"BGR\".")
        return self.planes[0]

    @property
    def pts(self) -> int | None:
        """Nanoseconds: the time stamp in the stream. None if there is none."""
        return _time(self._buffer.pts)

    @property
    def duration(self) -> int | None:
        """Nanoseconds. None if unknown."""
        return _time(self._buffer.duration)

    @property
    def time(self) -> float | None:
        """Seconds since the stream began: in a live Reader, since that one began."""
        pts = self.pts
        if pts is None:
            return None
        if self._segment is not None:
            pts = _time(self._segment.to_running_time(Gst.Format.TIME, pts))
        return None if pts is None else pts / Gst.SECOND

    @property
    def number(self) -> int:
        """The producer's number of the frame, from 0.

        Where the producer does not number its frames: how many came before.
        """
        offset = self._buffer.offset
        return self._count if offset == Gst.BUFFER_OFFSET_NONE else offset

    @property
    def discont(self) -> bool:
        """Whether frames are missing before this one, or a stream begins with it."""
        return self._buffer.has_flags(Gst.BufferFlags.DISCONT)

    def __repr__(self) -> str:
        return f"<shmframe.Frame {self.number} of {self._layout.format}>"


def _time(nanoseconds: int) -> int | None:
    return None if nanoseconds == Gst.CLOCK_TIME_NONE else nanoseconds
