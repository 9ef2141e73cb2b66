# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames of one producer, in another process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from shmframe.errors import Error
from shmframe.frame import Frame
from shmframe.gst import Gst, GstVideo, logger, make, nanoseconds
from shmframe.layout import Layout
from shmframe.pipeline import Pipeline

HOLDING = (" In Python: let go of arrays, or copy them; max_held is how many frames "
           "may be held here, max_memory of the Writer (max-memory of shmframesink) "
           "how much there is for all.")


def source(path: str | os.PathLike[str], live: bool, **properties: Any
           ) -> Gst.Element:
    """Return a shmframesrc; `max_lag` is in seconds here."""
    if "max_lag" in properties:
        properties["max_lag"] = nanoseconds(properties["max_lag"])
    return make("shmframesrc", socket_path=os.fspath(path), is_live=live,
                **properties)


def converter(format: str | None) -> list[Gst.Element]:
    """Return what makes frames of this format; it copies those of another one."""
    if format is None:
        return []
    convert = make("videoconvert")
    if GstVideo.VideoFormat.from_string(format) == GstVideo.VideoFormat.UNKNOWN:
        raise Error(f"format={format!r} is no format of raw video, as \"BGR\" is.")
    caps = Gst.Caps.from_string(f"video/x-raw,format=(string){format}")
    return [convert, make("capsfilter", caps=caps)]


class Reader(Iterator[Frame]):
    """Iterates over the frames of a producer.

        for frame in shmframe.Reader("/tmp/camera", format="BGR"):
            cv2.imshow("camera", frame.array)

    path: the socket-path of the shmframesink, or the path of a Writer.
    format: of the frames ("BGR", "GRAY8", "I420"). One that the producer does not
        send is converted to, which copies each frame once; the log says so. None:
        as they come.
    live: for a camera, and for the newest frames of anything. Otherwise, for files,
        time stamps are the file's. Frames come in order in both cases, and whether
        the producer waits for a slow reader is up to it and to `delivery`.
    timeout: seconds to wait for each frame, and for the producer; then Timeout. None:
        for good. While it waits, the log says for whom.
    on_disconnect: when the producer is gone: "reconnect" waits for it to come back,
        "eos" ends the iteration, "error" raises.
    on_eos: when the producer's stream ends: "eos" ends the iteration, "reconnect"
        waits for the next one.
    delivery: "auto" follows the producer; "live": rather lose the oldest frames than
        have it wait for us.
    max_held: how many frames may be held at once, by arrays and on the way; 0: what
        turns out to be needed.
    max_lag: seconds that frames may wait for a slow reader where the producer does
        not; older ones are lost. `frame.discont` tells of it.

    Raises Error, with the sentence of the element that failed. Ctrl-C ends each wait.
    Use it in the process that made it. Close it, or use it in a `with`, to disconnect
    early; arrays stay valid.
    """

    def __init__(self, path: str | os.PathLike[str], format: str | None = None,
                 live: bool = True, timeout: float | None = None, *,
                 on_disconnect: str = "reconnect", on_eos: str = "eos",
                 delivery: str = "auto", max_held: int = 0, max_lag: float = 0.5):
        self._pipeline = Pipeline(HOLDING)
        self._timeout = timeout
        self._what = f"No frame came from {os.fspath(path)}"
        self._format = format
        self._source = source(
            path, live, on_disconnect=on_disconnect, on_eos=on_eos, delivery=delivery,
            max_held=max_held, max_lag=max_lag)
        self._pipeline.add(self._source, *converter(format), self._pipeline.sink)
        self._count = 0
        self._caps: Gst.Caps | None = None
        self._layout: Layout
        self._pipeline.play()

    def __next__(self) -> Frame:
        sample = self._pipeline.pull(self._what, self._timeout)
        if sample is None:
            self.close()
            raise StopIteration
        caps = sample.get_caps()
        if self._caps is None or not caps.is_equal(self._caps):
            self._take_caps(caps)
        frame = Frame(sample.get_buffer(), caps, self._layout, sample.get_segment(),
                      self._count)
        self._count += 1
        return frame

    def _take_caps(self, caps: Gst.Caps) -> None:
        self._layout = Layout(caps)
        self._caps = caps
        sent = self._source.get_static_pad("src").get_current_caps()
        if self._format and sent and Layout(sent).format != self._layout.format:
            logger.info("Converting from %s to %s, which copies each frame once.",
                        Layout(sent).format, self._layout.format)

    @property
    def caps(self) -> Gst.Caps | None:
        """Of the last frame; None before the first one."""
        return self._caps

    @property
    def stats(self) -> dict[str, Any]:
        """What shmframesrc counts: frames, frames-lost, handover-p50 (ns), ..."""
        return stats(self._source)

    def close(self) -> None:
        """Disconnect. Frames and arrays stay as they are."""
        self._pipeline.stop()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def stats(element: Gst.Element) -> dict[str, Any]:
    """Return the property `stats` of an element, but for what is nested in it."""
    structure = element.get_property("stats")
    names = [structure.nth_field_name(i) for i in range(structure.n_fields())]
    return {name: structure.get_value(name) for name in names if name != "clients"}
