# SPDX-License-Identifier: LGPL-2.1-or-later
"""A running pipeline: what it says, and waits that Ctrl-C ends."""

from __future__ import annotations

import atexit
import threading
import time
import weakref

from shmframe.errors import Error, Timeout
from shmframe.gst import Gst, check_process, in_process, logger, make

# How long one call of C may last: so late Ctrl-C comes at most.
_STEP = Gst.SECOND // 10
# A wait is told at this level if it takes longer (seconds).
_LONG = 3.0

_TOLD = (Gst.MessageType.ERROR | Gst.MessageType.WARNING | Gst.MessageType.INFO
         | Gst.MessageType.EOS)
_running: weakref.WeakSet[Pipeline] = weakref.WeakSet()


class Wait:
    """A wait for something that may not come; use it once per wait.

    `timeout` in seconds, None for good. `what` says in a log and in a Timeout what
    did not come.
    """

    def __init__(self, pipeline: Pipeline, what: str, timeout: float | None):
        self._pipeline = pipeline
        self._what = what
        self._begin = time.monotonic()
        self._timeout = timeout
        self._told = False

    def step(self) -> float:
        """Return for how many seconds to wait now. Timeout when it is over."""
        self._pipeline.check()
        waited = time.monotonic() - self._begin
        if self._timeout is not None and waited >= self._timeout:
            raise Timeout(f"{self._what} within {self._timeout:g} s."
                          f"{self._reason()}")
        if waited >= _LONG and not self._told:
            self._told = True
            logger.warning("%s for %.0f s.%s", self._what, waited, self._reason())
        left = _STEP / Gst.SECOND
        if self._timeout is not None:
            left = min(left, self._timeout - waited)
        return left

    def _reason(self) -> str:
        said = self._pipeline.said
        return f" {said}" if said else ""


class Pipeline:
    """Elements in a row or a graph, started by play() and stopped by stop().

    `hint` is added to warnings that frames are held, with the argument to change.
    """

    def __init__(self, hint: str = ""):
        self._pipeline = make("pipeline")
        self._bus = self._pipeline.get_bus()
        # It keeps one frame for pull(), besides the one that was pulled last.
        self.sink = make("appsink", sync=False, max_buffers=1,
                         enable_last_sample=False, **{"async": False})
        self._hint = hint
        self._failure: Error | None = None
        self.said = ""  # the last INFO: for whom it waits
        self._ended = False  # all sinks have had the end of the stream
        self._stopped = False
        # Running times count on the clock that all processes share.
        self._pipeline.use_clock(Gst.SystemClock.obtain())

    def add(self, *elements: Gst.Element) -> None:
        """Link elements in a row; those that are new start with the pipeline."""
        new = [element for element in elements if element.get_parent() is None]
        for element in new:
            self._pipeline.add(element)
        for before, after in zip(elements, elements[1:]):
            if not before.link(after):
                raise Error(f"Cannot link {before.name} to {after.name}.")
        for element in reversed(new):
            element.sync_state_with_parent()

    def play(self) -> None:
        """Start. Error if an element cannot."""
        # The appsink first, before a frame comes: a change of its state waits for
        # the lock that it holds while it is full, and nobody pulls yet.
        self.sink.set_locked_state(True)
        if self.sink.get_parent() is not None:
            self.sink.set_state(Gst.State.PLAYING)
        change = self._pipeline.set_state(Gst.State.PLAYING)
        self.sink.set_locked_state(False)
        _running.add(self)
        if change == Gst.StateChangeReturn.FAILURE:
            try:
                self.check()
                raise Error("The pipeline does not start.")
            finally:
                self.stop()

    def running_time(self) -> int:
        """Return nanoseconds since it plays."""
        now = Gst.SystemClock.obtain().get_time()
        return max(0, now - self._pipeline.get_base_time())

    def check(self) -> None:
        """Log what the elements say; raise the Error of one that failed."""
        check_process()
        while (not self._stopped
               and (message := self._bus.pop_filtered(_TOLD)) is not None):
            self._tell(message)
        if self._failure is not None:
            raise self._failure
        if self._stopped:
            raise Error("It was closed.")

    def _tell(self, message: Gst.Message) -> None:
        if message.type == Gst.MessageType.ERROR:
            self.fail(Error(message.parse_error()[0].message))
        elif message.type == Gst.MessageType.WARNING:
            error = message.parse_warning()[0]
            hint = self._hint if error.matches(
                Gst.ResourceError.quark(), Gst.ResourceError.NO_SPACE_LEFT) else ""
            logger.warning("%s%s", error.message, hint)
        elif message.type == Gst.MessageType.EOS:
            self._ended = True
        else:
            self.said = message.parse_info()[0].message
            logger.info("%s", self.said)

    def fail(self, error: Error) -> None:
        """Have check() raise it, unless another one came first."""
        if self._failure is None:
            self._failure = error

    def pull(self, what: str, timeout: float | None) -> Gst.Sample | None:
        """Return the next sample of the sink, None at the end of the stream."""
        wait = Wait(self, what, timeout)
        while True:
            step = wait.step()
            sample = self.sink.emit("try-pull-sample", int(step * Gst.SECOND))
            if sample is not None:
                self.said = ""
                return sample
            if self.sink.get_property("eos"):
                self.check()
                return None

    def drain(self, wait: Wait) -> None:
        """Wait until the sinks have had all frames and the end of the stream."""
        while not self._ended:
            step = int(wait.step() * Gst.SECOND)
            message = self._bus.timed_pop_filtered(step, _TOLD)
            if message is not None:
                self._tell(message)

    def stop(self) -> None:
        """Stop for good; arrays stay as they are. Does nothing in a fork."""
        if not self._stopped and in_process():
            self._stopped = True
            self._pipeline.set_state(Gst.State.NULL)
            # What they have are frames and file descriptors.
            del self._pipeline, self._bus, self.sink
            _running.discard(self)

    def __del__(self) -> None:
        if not hasattr(self, "_pipeline") or not in_process():
            return
        if isinstance(threading.current_thread(), threading._DummyThread):
            # A thread of GStreamer's, perhaps one that stopping would wait for.
            self._pipeline.call_async(Gst.Element.set_state, Gst.State.NULL)
        else:
            self.stop()


@atexit.register
def _stop_all() -> None:
    for pipeline in list(_running):
        pipeline.stop()
