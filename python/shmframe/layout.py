# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the samples of a frame are: from caps and video meta to planes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from shmframe.errors import Error
from shmframe.gst import Gst, GstVideo

_Flags = GstVideo.VideoFormatFlags
_NO_ARRAY = _Flags.COMPLEX | _Flags.TILED | _Flags.PALETTE


@dataclasses.dataclass(frozen=True)
class Plane:
    """One array of a frame. Offset, strides and end are in bytes."""

    shape: tuple[int, ...]  # (H, W) of one sample a pixel, else (H, W, C)
    dtype: str  # as in NumPy's array interface: "|u1", "<u2", ">u2"
    offset: int
    strides: tuple[int, ...]

    @property
    def end(self) -> int:
        """The byte behind the last one."""
        last = sum((n - 1) * step for n, step in zip(self.shape, self.strides))
        return self.offset + last + int(self.dtype[2:])


def structure_of(caps: Gst.Caps) -> Gst.Structure:
    """Return a copy of the only structure of fixed caps."""
    structure = caps.get_structure(0)
    if not hasattr(structure, "__enter__"):
        return structure.copy()
    # gst-python since 1.26 lends it for a block.
    with structure as lent:
        return lent.copy()


class Layout:
    """Arrays for frames of some caps: video/x-raw of a format, or video/x-bayer."""

    def __init__(self, caps: Gst.Caps):
        structure = structure_of(caps)
        self._info = None
        if structure.get_name() == "video/x-bayer":
            self.format = structure.get_value("format")
            self._planes = (_bayer(structure),)
            return
        try:
            self._info = GstVideo.VideoInfo.new_from_caps(caps)
        except TypeError:  # it made none
            raise Error(f"These caps are no raw video: {caps.to_string()}") from None
        self.format = self._info.finfo.name
        self._picture = (self._info.finfo.format, self._info.width, self._info.height)
        self._places = (self._info.offset, self._info.stride)
        self._planes = self._make(*self._places)

    def planes(self, buffer: Gst.Buffer | None = None) -> tuple[Plane, ...]:
        """Return the planes of a buffer, or those that the caps imply."""
        meta = GstVideo.buffer_get_video_meta(buffer) if buffer else None
        if meta is None or self._info is None:
            return self._planes
        if (meta.format, meta.width, meta.height) != self._picture:
            raise Error(f"A frame is not what its caps say ({self.format}, "
                        f"{self._info.width}x{self._info.height}); its producer is "
                        "broken.")
        places = (meta.offset, meta.stride)
        return self._planes if places == self._places else self._make(*places)

    def _make(self, offsets: Sequence[int],
              strides: Sequence[int]) -> tuple[Plane, ...]:
        return tuple(_plane(self._info, number, offsets[number], strides[number])
                     for number in range(self._info.finfo.n_planes))


def _plane(info: GstVideo.VideoInfo, number: int, offset: int,
           stride: int) -> Plane:
    finfo = info.finfo
    components = [c for c in range(finfo.n_components) if finfo.plane[c] == number]
    pixel = min(finfo.pixel_stride[c] for c in components)
    if pixel == 0 or finfo.flags & _NO_ARRAY:
        raise Error(f"NumPy has no array for {finfo.name} frames; ask the Reader for "
                    "another format, or put videoconvert before the shmframesink.")
    size = _sample_size(finfo, components)
    width, height = _extent(info, components)
    shape: tuple[int, ...] = (height, width)
    steps: tuple[int, ...] = (stride, pixel)
    if pixel > size:
        shape, steps = (*shape, pixel // size), (*steps, size)
    if stride < width * pixel:
        raise Error(f"A frame has rows of {stride} bytes, fewer than its caps say; "
                    "its producer is broken.")
    return Plane(shape, _dtype(finfo, size), offset, steps)


def _sample_size(finfo: GstVideo.VideoFormatInfo, components: list[int]) -> int:
    """Return the bytes of each number in a plane."""
    pixels = {finfo.pixel_stride[c] for c in components}
    places = {finfo.poffset[c] for c in components}
    pixel = min(pixels)
    if len(components) > 1 and len(pixels) == len(places) == 1 and pixel <= 4:
        return pixel  # all components are bits of one number
    return 1 if max(finfo.depth[c] for c in components) == 8 else 2


def _extent(info: GstVideo.VideoInfo, components: list[int]) -> tuple[int, int]:
    """Return width and height of a plane. Packed 4:2:2 comes in pairs of pixels."""
    finfo, first = info.finfo, components[0]
    height = info.height
    if info.interlace_mode == GstVideo.VideoInterlaceMode.ALTERNATE:
        height = -(-height // 2)  # a buffer is a field
    if len({finfo.pixel_stride[c] for c in components}) > 1:
        return info.width + info.width % 2, height
    return (-(-info.width >> finfo.w_sub[first]), -(-height >> finfo.h_sub[first]))


def _dtype(finfo: GstVideo.VideoFormatInfo, size: int) -> str:
    if size == 1:
        return "|u1"
    big = finfo.name.endswith("BE") or finfo.name == "r210"
    return f"{'>' if big else '<'}u{size}"


def _bayer(structure: Gst.Structure) -> Plane:
    """One value a pixel, of 8 bits ("bggr") or 10 to 16 ("bggr10le")."""
    name = structure.get_value("format")
    width, height = structure.get_value("width"), structure.get_value("height")
    size = 2 if len(name) > 4 else 1
    dtype = "|u1" if size == 1 else f"{'>' if name.endswith('be') else '<'}u2"
    stride = -(-width * size // 4) * 4
    return Plane((height, width), dtype, 0, (stride, size))
