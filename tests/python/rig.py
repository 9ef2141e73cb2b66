# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the Python module share."""

import contextlib
import faulthandler
import gc
import os
import tempfile
import threading
import time
import unittest

import numpy as np

import shmframe
from shmframe.gst import Gst, make

# Longer than this nothing may take.
DEADLINE = 60


def picture(number, shape=(48, 64, 3), dtype=np.uint8):
    """Frame `number`: what it holds says which it is."""
    values = np.arange(int(np.prod(shape)), dtype=np.uint64)
    return ((values * 7 + number * 13) % 251).astype(dtype).reshape(shape)


class Case(unittest.TestCase):
    """A folder for sockets; no file descriptor may be left behind."""

    def setUp(self):
        faulthandler.dump_traceback_later(DEADLINE * 3, exit=True)
        self.addCleanup(faulthandler.cancel_dump_traceback_later)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "s")
        make("fakesink")  # GStreamer's own descriptors
        self._before = len(open_files())
        self.addCleanup(self._check_files)

    def _check_files(self):
        gc.collect()
        try:
            self.until(lambda: len(open_files()) <= self._before)
        except AssertionError:
            self.fail(f"file descriptors are left: {open_files()}")

    def until(self, condition):
        end = time.monotonic() + DEADLINE
        while not condition():
            self.assertLess(time.monotonic(), end, "it never came true")
            gc.collect()
            time.sleep(0.005)

    def reader(self, **arguments):
        reader = shmframe.Reader(self.path, **{"timeout": DEADLINE, "live": False}
                                 | arguments)
        self.addCleanup(reader.close)
        return reader

    @contextlib.contextmanager
    def feeding(self, frames, path=None, **arguments):
        """A thread that writes these frames, waiting for readers."""
        options = {"timeout": DEADLINE, "live": False} | arguments
        failures = []

        def feed():
            try:
                with shmframe.Writer(path or self.path, 64, 48, 25,
                                     **options) as writer:
                    for frame in frames:
                        writer.write(frame)
            except Exception as failure:
                failures.append(failure)

        thread = threading.Thread(target=feed, daemon=True)
        thread.start()
        yield
        thread.join(DEADLINE)
        self.assertFalse(thread.is_alive(), "the frames do not go out")
        self.assertEqual(failures, [])

    def producer(self, caps, elements="videotestsrc pattern=smpte", sink="", **more):
        """A pipeline of gst-launch that ends in a shmframesink at the path."""
        pipeline = Gst.parse_launch(
            f"{elements} ! {caps} ! shmframesink name=sink socket-path={self.path} "
            f"{sink}")
        pipeline.set_state(Gst.State.PLAYING)
        self.addCleanup(pipeline.set_state, Gst.State.NULL)
        return pipeline


def open_files():
    """What the file descriptors are."""
    names = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            names.append(os.readlink(f"/proc/self/fd/{number}"))
    return names
