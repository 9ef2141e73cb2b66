# SPDX-License-Identifier: LGPL-2.1-or-later
"""NumPy arrays on GStreamer's memory, which they keep."""

from __future__ import annotations

from typing import Any

import numpy as np

from shmframe.errors import Error
from shmframe.gst import Gst, in_process
from shmframe.layout import Plane


class Mapping:
    """A mapped buffer, and whatever else must live as long as arrays on it do.

    It is the base of these arrays: the last one to go unmaps the buffer and lets go
    of `owner`, from which the frame's slot returns to its producer.
    """

    def __init__(self, buffer: Gst.Buffer, owner: Any = None, writable: bool = False):
        flags = Gst.MapFlags.READ
        if writable:
            flags |= Gst.MapFlags.WRITE
        self._buffer = buffer
        self._owner = owner
        self._writable = writable
        mapped = buffer.map(flags)
        if mapped.data is None:
            raise Error("The memory of a frame cannot be mapped; put a converter to "
                        "system memory before its shmframesink.")
        self._map = mapped
        self.size = mapped.size
        bytes_of = np.frombuffer(mapped.data, np.uint8)
        self._address = bytes_of.__array_interface__["data"][0]

    def array(self, plane: Plane, frames: int | None = None,
              frame_stride: int = 0) -> np.ndarray:
        """Return a plane of the frame, or of `frames` ones that far apart."""
        if plane.end > self.size:
            raise Error(f"A frame of {self.size} bytes is smaller than its caps say; "
                        "its producer is broken.")
        shape, strides = plane.shape, plane.strides
        if frames is not None:
            shape, strides = (frames, *shape), (frame_stride, *strides)
        return np.asarray(_Exported(self, {
            "version": 3,
            "data": (self._address + plane.offset, not self._writable),
            "typestr": plane.dtype, "shape": shape, "strides": strides}))

    def unmap(self) -> None:
        """Make it known that nobody writes any more; arrays stay readable."""
        mapped, self._map = self._map, None
        # In a fork the memory is still the parent's.
        if mapped is not None and in_process():
            self._buffer.unmap(mapped)

    def __del__(self) -> None:
        if hasattr(self, "_map"):
            self.unmap()


class _Exported:
    """What NumPy takes as the base of one array."""

    def __init__(self, mapping: Mapping, interface: dict[str, Any]):
        self._mapping = mapping
        self.__array_interface__ = interface
