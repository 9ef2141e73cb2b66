# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seconds of several producers, side by side."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from typing import Any

from shmframe.batch import Batch
from shmframe.errors import Error
from shmframe.gst import Gst, make, nanoseconds
from shmframe.layout import structure_of
from shmframe.pipeline import Pipeline
from shmframe.reader import HOLDING, converter, source, stats

BATCH_CAPS = "multistream/x-second-batch"


def batches(*paths: str | os.PathLike[str], seconds: float = 1.0,
            format: str | None = None, live: bool = True,
            timeout: float | None = None, publish: str | os.PathLike[str] | None = None,
            hop: float | None = None, frames: int = 0, incomplete: str = "push",
            on_disconnect: str = "reconnect", on_eos: str = "eos",
            max_held: int = 0, max_memory: int = 1 << 30) -> Batches:
    """Return an iterator over batches: second N of each path.

        for batch in shmframe.batches("/tmp/a", "/tmp/b"):
            left, right = batch[0].array, batch[1].array     # (T, H, W, C) each

    paths: sockets of producers of frames; or one socket on which batches are published,
        which then come as they are.
    seconds: how much each batch has of each stream.
    format: convert the frames to it, which copies each of another format once, and once
        more to put them in a row.
    live: for cameras: second N is that of the clock, and a camera that is silent is
        not waited for. False, for files: second N is that of the file, and all frames
        of a second are waited for.
    timeout: seconds to wait for each batch; then Timeout. None: for good.
    publish: a path where batches() in another process receives these batches, by
        reference: no picture is copied. Without `live` a batch waits for whoever
        receives them.
    hop: seconds from one batch to the next; less than `seconds` overlap. None: the
        same.
    frames: make it so many per stream and batch, by repeating the last one or leaving
        out some at the end; 0: as they come.
    incomplete: a second in which a stream has no frame: "push" gives what there is,
        "drop" leaves it out, "wait" waits for it.
    on_disconnect, on_eos, max_held: as for a Reader.
    max_memory: bytes of shared memory for frames that have to be copied to `publish`.

    Raises Error, with the sentence of the element that failed. Ctrl-C ends each wait.
    """
    if not paths:
        raise Error("batches() needs at least one path.")
    options = {"batch_duration": nanoseconds(seconds), "hop": nanoseconds(hop or 0),
               "frames": frames, "incomplete": incomplete}
    sources = [source(path, live, on_disconnect=on_disconnect, on_eos=on_eos,
                      max_held=max_held) for path in paths]
    target = None if publish is None else make(
        "shmframesink", socket_path=os.fspath(publish), max_memory=max_memory)
    return Batches(sources, options, format, timeout, target)


class Batches(Iterator[Batch]):
    """What batches() returns. Close it, or use it in a `with`, to end it early."""

    def __init__(self, sources: list[Gst.Element], options: dict[str, Any],
                 format: str | None, timeout: float | None,
                 target: Gst.Element | None):
        self._pipeline = Pipeline(HOLDING)
        self._sources = sources
        self._format = format
        self._timeout = timeout
        self._target = target
        paths = [element.get_property("socket-path") for element in sources]
        self._what = f"No batch came from {' and '.join(paths)}"
        gather = target is None and len(sources) <= 16
        self._batcher: Gst.Element | None = make(
            "secondbatcher", output="memory" if gather else "meta", **options)
        self._converters = [converter(format) for _ in sources]
        if len(sources) == 1:
            self._add_one(sources[0])
        else:
            self._add_batcher()
        self._pipeline.play()

    def _add_one(self, only: Gst.Element) -> None:
        """Link it when it is known whether it sends batches or frames."""
        self._pipeline.add(self._pipeline.sink)
        self._pipeline.add(only)
        only.get_static_pad("src").add_probe(
            Gst.PadProbeType.BLOCK | Gst.PadProbeType.BUFFER, _on_first,
            weakref.ref(self))

    def _add_rest(self, caps: Gst.Caps) -> None:
        if structure_of(caps).get_name() != BATCH_CAPS:
            self._add_batcher()
        elif self._format is None:
            self._batcher = None
            self._add_outputs(self._sources[0])
        else:
            raise Error("Batches cannot be converted: give format= to the batches() "
                        "that makes them.")

    def _add_batcher(self) -> None:
        self._add_outputs(self._batcher)
        for element, convert in zip(self._sources, self._converters):
            self._pipeline.add(element, *convert, self._batcher)

    def _add_outputs(self, before: Gst.Element) -> None:
        if self._target is None:
            self._pipeline.add(before, self._pipeline.sink)
            return
        tee = make("tee")
        self._pipeline.add(before, tee, self._target)
        self._pipeline.add(tee, self._pipeline.sink)

    def __next__(self) -> Batch:
        sample = self._pipeline.pull(self._what, self._timeout)
        if sample is None:
            self.close()
            raise StopIteration
        return Batch(sample)

    @property
    def stats(self) -> list[dict[str, Any]]:
        """What each shmframesrc counts, then the secondbatcher, then the sink."""
        elements = [*self._sources, self._batcher, self._target]
        return [stats(element) for element in elements if element is not None]

    def close(self) -> None:
        """Disconnect. Batches and arrays stay as they are."""
        self._pipeline.stop()

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _on_first(pad: Gst.Pad, info: Gst.PadProbeInfo,
              batches: weakref.ref[Batches]) -> Gst.PadProbeReturn:
    """In GStreamer's thread, which waits with the first frame or batch."""
    self = batches()
    if self is not None:
        try:
            self._add_rest(pad.get_current_caps())
        except Error as error:
            self._pipeline.fail(error)
        except Exception as error:  # which nobody would see in this thread
            self._pipeline.fail(Error(repr(error)))
    return Gst.PadProbeReturn.REMOVE
