# SPDX-License-Identifier: LGPL-2.1-or-later
"""One second of several streams, as batches() gives them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from shmframe.errors import Error
from shmframe.frame import Frame
from shmframe.gst import Gst, check_process
from shmframe.layout import Layout
from shmframe.memory import Mapping

META = "GstSecondBatchMeta"


class Stream(Sequence[Frame]):
    """The frames of one stream in one second: a sequence of Frame.

    Arrays are read-only, and each keeps the whole batch for as long as it, or a view
    of it, is there; it may outlive the Batch, the iteration and the producers.
    """

    def __init__(self, fields: Gst.Structure, number: int):
        def get(name: str) -> Any:
            return fields.get_value(f"{name}-{number}")

        caps = fields.has_field(f"caps-{number}") and get("caps")
        # What get_value() gives is not ours, and goes with the fields.
        self._fields = fields
        self._number = number
        self._buffers = get("buffers")
        self._segment = get("segment").copy()
        self._in_row = bool(get("contiguous"))
        self._frame_stride = get("frame-stride") or 0
        self.caps: Gst.Caps | None = caps.copy() if caps else None
        """Of the frames; None while the stream has not said what it is."""
        self.frames: int = get("frames")
        """How many there are, T."""
        self.expected: int = get("expected")
        """How many there should be, by the frame rate; 0 if that is variable."""
        self.late: int = get("late")
        """Frames that came when their second had left, since the last batch."""
        self.dropped: int = get("dropped")
        """Frames that were left out here, since the last batch."""

    @functools.cached_property
    def _layout(self) -> Layout:
        if self.caps is None:
            raise Error(f"Stream {self._number} has not had a frame, so that nobody "
                        "knows its format yet: look at its `frames` first, or set "
                        "incomplete=\"drop\" of batches().")
        return Layout(self.caps)

    @property
    def in_row(self) -> bool:
        """Whether `array` and `planes` show the frames where they are."""
        return self._in_row

    @functools.cached_property
    def planes(self) -> tuple[np.ndarray, ...]:
        """The planes of all frames, read-only: (T, H, W), or (T, H, W, C).

        As in Frame.planes, with an axis for time before. Nothing is copied where the
        frames lie in a row in memory (`in_row`); elsewhere they are gathered into one
        array, the first time that it is asked for.
        """
        check_process()
        if not self.frames:
            return tuple(np.empty((0, *plane.shape), plane.dtype)
                         for plane in self._layout.planes())
        if not self._in_row:
            return tuple(map(_gather, zip(*(frame.planes for frame in self))))
        first = self._buffers.get(0)
        mapping = Mapping(first, self._fields)
        return tuple(mapping.array(plane, self.frames, self._frame_stride)
                     for plane in self._layout.planes(first))

    @property
    def array(self) -> np.ndarray:
        """The pictures, read-only: (T, H, W, C), or (T, H, W) for gray and Bayer.

        Packed formats only, as in Frame.array; planar ones have `planes`.
        """
        if len(self.planes) > 1:
            raise Error(f"{self._layout.format} has {len(self.planes)} planes: use "
                        "planes, or a packed format, as in format=\"BGR\".")
        return self.planes[0]

    def __len__(self) -> int:
        return self.frames

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = index + self.frames if index < 0 else index
        if not 0 <= position < self.frames:
            raise IndexError(f"frame {index} of {self.frames}")
        return Frame(self._buffers.get(position), self.caps, self._layout,
                     self._segment, position)

    def __repr__(self) -> str:
        return f"<shmframe.Stream of {self.frames} frames, {self.expected} expected>"


class Batch(Sequence[Stream]):
    """Second N of each stream: batch[0] is that of the first path."""

    def __init__(self, sample: Gst.Sample):
        buffer = sample.get_buffer()
        meta = buffer.get_custom_meta(META)
        if meta is None:
            raise Error("A batch has no GstSecondBatchMeta; its producer is broken.")
        fields = meta.get_structure()
        self.index: int = fields.get_value("index")
        """N."""
        self.start: int = fields.get_value("window-start")
        """Nanoseconds: where it begins, in running time."""
        self.duration: int = fields.get_value("window-duration")
        """Nanoseconds."""
        self._streams = [Stream(fields, number)
                         for number in range(fields.get_value("n-streams"))]

    def __len__(self) -> int:
        return len(self._streams)

    def __getitem__(self, number: Any) -> Any:
        return self._streams[number]

    def __repr__(self) -> str:
        counts = ", ".join(f"{stream.frames}/{stream.expected}" for stream in self)
        return f"<shmframe.Batch {self.index}: {counts}>"


def _gather(frames: tuple[np.ndarray, ...]) -> np.ndarray:
    if len({frame.shape for frame in frames}) > 1:
        raise Error("The frames of a stream differ in size; use each frame's array.")
    gathered = np.stack(frames)
    gathered.flags.writeable = False
    return gathered
