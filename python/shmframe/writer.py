# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames to any number of other processes."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Union

import numpy as np

from shmframe.errors import Error
from shmframe.gst import Gst, make, nanoseconds
from shmframe.layout import Layout, Plane
from shmframe.memory import Mapping
from shmframe.pipeline import Pipeline, Wait
from shmframe.reader import stats

# Frames on their way to the sink, so that it and we work at the same time.
_QUEUED = 2
# Seconds to wait for a slot before the frame is made elsewhere, and copied.
_PATIENCE = 0.25
# The type of memory that is one.
_SLOT = "ShmFrame"

Picture = Union[np.ndarray, Sequence[np.ndarray]]


class Writer:
    """Publishes frames that NumPy makes.

        with shmframe.Writer("/tmp/camera", 640, 480, 25) as writer:
            for picture in pictures:
                writer.write(picture)                   # copies once
            with writer.frame() as array:               # copies nothing
                np.add(left, right, out=array)

    path: where Readers and shmframesrc connect.
    width, height: in pixels.
    fps: frames a second: a number, a Fraction, or 0 if they come as they like.
    format: "BGR", "RGB", "BGRA", "GRAY8", "GRAY16_LE", "I420", "NV12", ...
    live: for a camera: frames are stamped with the time, and never wait; who is slow,
        or not there, loses them. False, for files: frames are stamped by their number,
        and wait for `min_clients` readers, and for those that are slow; none is lost.
    min_clients: how many readers a frame waits for if `live` is False; 0: for none.
    timeout: seconds that a frame may have to wait before it is a Timeout; None: for
        good. The log says for whom.
    max_memory: bytes of shared memory at most. slots: frames it holds; 0: as many as
        the readers need.
    socket_mode: permissions of the socket; 0o600 is for the same user.

    Raises Error, with the sentence of the element that failed. Ctrl-C ends each wait.
    Use it in the process, and from one thread at a time, that made it.
    """

    def __init__(self, path: str | os.PathLike[str], width: int, height: int,
                 fps: float | Fraction, format: str = "BGR", live: bool = True,
                 timeout: float | None = None, *, min_clients: int = 1,
                 max_memory: int = 1 << 30, slots: int = 0, socket_mode: int = 0o600):
        self._pipeline = Pipeline()
        self._path = os.fspath(path)
        self._live = live
        self._timeout = timeout
        self._rate = _rate(fps)
        self._caps = _make_caps(width, height, self._rate, format)
        self._layout = Layout(self._caps)
        self._source = make("appsrc", caps=self._caps, is_live=live, format="time",
                            max_buffers=_QUEUED, max_bytes=0)
        self._room = threading.Event()
        self._source.connect("need-data", _set, self._room)
        self._sink = make(
            "shmframesink", socket_path=self._path, min_clients=min_clients,
            max_memory=max_memory, slots=slots, socket_mode=socket_mode,
            delivery="live" if live else "lossless")
        self._pipeline.add(self._source, self._sink)
        self._pool: Gst.BufferPool | None = None
        self._planes: tuple[Plane, ...] | None = None
        self._duration = int(Gst.SECOND / self._rate) if self._rate else None
        self._patience = _PATIENCE
        self._number = 0
        self._pipeline.play()

    def write(self, array: Picture, pts: int | None = None) -> None:
        """Publish a copy of `array`.

        (H, W, C) of the format's dtype, (H, W) for gray; for planar formats a sequence
        of the planes. ValueError if the shape is another one. `pts` in nanoseconds: see
        frame().
        """
        given = [array] if isinstance(array, np.ndarray) else list(array)
        planes = self._layout.planes()
        wanted = [plane.shape for plane in planes]
        shapes = [np.shape(plane) for plane in given]
        if shapes != wanted:
            raise ValueError(f"{self._layout.format} frames here are {wanted}, not "
                             f"{shapes}")
        for plane, values in zip(planes, given):
            if np.asarray(values).dtype.newbyteorder("=") != np.dtype(
                    plane.dtype).newbyteorder("="):
                raise ValueError(f"{self._layout.format} frames here are "
                                 f"{np.dtype(plane.dtype).name}, not "
                                 f"{np.asarray(values).dtype.name}")
        with self._frame(pts) as targets:
            for target, values in zip(targets, given):
                np.copyto(target, values)

    @contextlib.contextmanager
    def frame(self, pts: int | None = None) -> Iterator[Any]:
        """Give a writable array in shared memory, and publish it at the end.

        It holds whatever was there before. (H, W, C), (H, W) for gray, a tuple of the
        planes for planar formats. After the `with` it belongs to the readers, and is
        read-only; views that were made of it must not be written to either. If the
        `with` raises, nothing is published.

        pts: nanoseconds; None: the time now if live, else number / fps.
        """
        with self._frame(pts) as planes:
            yield planes if len(planes) > 1 else planes[0]

    @contextlib.contextmanager
    def _frame(self, pts: int | None) -> Iterator[tuple[np.ndarray, ...]]:
        self._wait_for_room()
        buffer = self._acquire()
        if self._planes is None:  # one pool lays out all of its buffers alike
            self._planes = self._layout.planes(buffer)
        mapping = Mapping(buffer, writable=True)
        planes = tuple(map(mapping.array, self._planes))
        try:
            yield planes
        finally:
            for plane in planes:
                plane.flags.writeable = False
            mapping.unmap()
        self._stamp(buffer, pts)
        self._push(buffer)

    def _wait_for_room(self) -> None:
        self._pipeline.check()
        if self._source.get_property("current-level-buffers") < _QUEUED:
            return
        wait = Wait(self._pipeline, f"A frame could not go out at {self._path}",
                    self._timeout)
        step = wait.step()
        self._room.clear()
        while self._source.get_property("current-level-buffers") >= _QUEUED:
            self._room.wait(step)
            step = wait.step()
            self._room.clear()

    def _acquire(self) -> Gst.Buffer:
        """Return a buffer in a slot; elsewhere, if readers have all of them."""
        if self._pool is None:
            self._pool = self._ask_pool()
        end, pause = time.monotonic() + self._patience, 0.001
        while not (buffer := self._try_acquire()).peek_memory(0).is_type(_SLOT):
            if time.monotonic() >= end:
                self._patience = 0.0  # until there is one again
                return buffer
            del buffer
            time.sleep(pause)
            pause = min(2 * pause, 0.01)
        self._patience = _PATIENCE
        return buffer

    def _try_acquire(self) -> Gst.Buffer:
        parameters = Gst.BufferPoolAcquireParams()
        parameters.flags = Gst.BufferPoolAcquireFlags.DONTWAIT
        flow, buffer = self._pool.acquire_buffer(parameters)
        if flow != Gst.FlowReturn.OK:
            self._pipeline.check()
            raise Error(f"There is no memory for a frame ({flow.value_nick}).")
        return buffer

    def _ask_pool(self) -> Gst.BufferPool:
        query = Gst.Query.new_allocation(self._caps, True)
        self._source.get_static_pad("src").peer_query(query)
        if query.get_n_allocation_pools() == 0:
            self._pipeline.check()
            raise Error(f"{self._sink.name} at {self._path} offers no memory.")
        pool = query.parse_nth_allocation_pool(0)[0]
        pool.set_active(True)
        return pool

    def _stamp(self, buffer: Gst.Buffer, pts: int | None) -> None:
        if pts is None:
            pts = (self._pipeline.running_time() if self._live or not self._rate
                   else self._number * Gst.SECOND * self._rate.denominator
                   // self._rate.numerator)
        buffer.pts = pts
        if self._duration is not None:
            buffer.duration = self._duration
        buffer.offset = self._number
        buffer.offset_end = self._number + 1
        self._number += 1

    def _push(self, buffer: Gst.Buffer) -> None:
        flow = self._source.emit("push-buffer", buffer)
        if flow != Gst.FlowReturn.OK:
            self._pipeline.check()
            raise Error(f"A frame could not go out at {self._path} "
                        f"({flow.value_nick}).")

    @property
    def caps(self) -> Gst.Caps:
        """Of the frames."""
        return self._caps

    @property
    def num_clients(self) -> int:
        """How many readers are connected now."""
        return self._sink.get_property("num-clients")

    @property
    def stats(self) -> dict[str, Any]:
        """What shmframesink counts: frames, frames-copied, frames-dropped, ..."""
        return stats(self._sink)

    def close(self) -> None:
        """End the stream, and stop when all frames have gone out.

        With `live` False that waits for the readers, like write().
        """
        try:
            if self._number > 0:
                self._source.emit("end-of-stream")
                self._pipeline.drain(Wait(
                    self._pipeline, f"The last frames could not go out at {self._path}",
                    self._timeout))
        finally:
            self._stop()

    def _stop(self) -> None:
        self._pipeline.stop()
        self._pool = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, failure: type[BaseException] | None, *rest: object) -> None:
        if failure is None:
            self.close()
        else:
            self._stop()


def _rate(fps: float | Fraction) -> Fraction:
    """Frames a second; 29.97 means 30000/1001, as everybody else does."""
    broadcast = Fraction(round(fps) * 1000, 1001)
    if isinstance(fps, float) and 0 < abs(fps - broadcast) < 0.005:
        return broadcast
    return Fraction(fps).limit_denominator(1001)


def _make_caps(width: int, height: int, rate: Fraction, format: str) -> Gst.Caps:
    # As text, which takes fractions wherever gst-python is older than they are.
    caps = Gst.Caps.from_string(
        f"video/x-raw,format=(string){format},width=(int){width},"
        f"height=(int){height},framerate=(fraction){rate.numerator}/"
        f"{rate.denominator}")
    if caps is None:
        raise Error(f"format={format!r}, {width}x{height}, is no raw video.")
    return caps


def _set(source: Gst.Element, size: int, room: threading.Event) -> None:
    room.set()
