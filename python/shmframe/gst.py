# SPDX-License-Identifier: LGPL-2.1-or-later
"""GStreamer, loaded and started when it is first used, in one process only."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import Any

from shmframe.errors import Error

logger = logging.getLogger("shmframe")

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstVideo", "1.0")
    from gi.repository import Gst, GstVideo  # noqa: F401
    # Of gst-python: without it a map is a copy.
    from gi.overrides import _gi_gst  # noqa: F401
except (ImportError, ValueError) as missing:
    raise ImportError(
        f"shmframe lacks GStreamer's Python bindings ({missing}): install "
        "python3-gi, python3-gst-1.0 and gir1.2-gst-plugins-base-1.0, and run "
        "/usr/bin/python3, which finds them") from missing

_FORKED = ("GStreamer was used in the process that this one was forked from, and "
           "does not work here: start processes with "
           "multiprocessing.get_context('spawn'), or fork before the first Reader, "
           "Writer or batches()")

_process: int | None = None  # that uses GStreamer, which begins with make()
_beginning = threading.Lock()


def in_process() -> bool:
    """Return whether GStreamer may be called: not after such a fork, nor at exit."""
    return _process in (None, os.getpid()) and not sys.is_finalizing()


def check_process() -> None:
    """Raise Error after such a fork."""
    if not in_process():
        raise Error(_FORKED)


def _begin() -> None:
    global _process
    check_process()
    with _beginning:
        if _process is None:
            Gst.init(None)
            _process = os.getpid()


def make(factory: str, **properties: Any) -> Gst.Element:
    """Make an element; its properties are named with _ for -, enums by nick."""
    _begin()
    element = Gst.ElementFactory.make(factory, None)
    if element is None:
        raise Error(f"GStreamer has no element {factory}; install gst-shmframe and "
                    "gstreamer1.0-plugins-base, or source scripts/environment")
    for name, value in properties.items():
        try:
            element.set_property(name.replace("_", "-"), value)
        except (TypeError, ValueError, OverflowError) as wrong:
            raise Error(f"{name}={value!r} is no value of {factory}: {wrong}"
                        ) from wrong
    return element


def nanoseconds(seconds: float | None) -> int:
    """Return a time in GStreamer's unit; None is for good."""
    return -1 if seconds is None else round(seconds * Gst.SECOND)
