#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Batches go on whatever crashes: two cameras, a process that batches them and
receivers, each killed and started again; and a receiver that forks without exec."""

import gc
import os
import signal
import subprocess
import tempfile
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

FRAMES = 5                      # of a stream in a batch
PATIENCE = 60


def launch(line):
    return subprocess.Popen(["gst-launch-1.0", "-q", *line.split()])


def camera(path):
    return launch("videotestsrc is-live=true pattern=snow ! video/x-raw,"
                  "format=GRAY8,width=64,height=48,framerate=25/1 ! "
                  f"shmframesink socket-path={path}")


def batcher(folder):
    return launch("secondbatcher name=b batch-duration=200000000 ! shmframesink "
                  f"socket-path={folder}/pairs shmframesrc socket-path={folder}/a"
                  f" ! b. shmframesrc socket-path={folder}/b ! b.")


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


class Receiver:
    def __init__(self, folder):
        self.pipeline = Gst.parse_launch(
            f"shmframesrc socket-path={folder}/pairs ! "
            "appsink name=sink sync=false max-buffers=1 drop=true")
        self.pipeline.set_state(Gst.State.PLAYING)

    def pull(self):
        sink = self.pipeline.get_by_name("sink")
        sample = sink.emit("try-pull-sample", Gst.SECOND)
        error = self.pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        assert error is None, error.parse_error()
        return sample

    def await_full(self, what, batches=3):
        """So many whole batches in a row."""
        row, until = 0, time.monotonic() + PATIENCE
        while row < batches:
            assert time.monotonic() < until, f"no whole batches after {what}"
            sample = self.pull()
            if sample is None:
                continue
            counts = [frames_of(sample, k).length() for k in (0, 1)]
            row = row + 1 if counts == [FRAMES, FRAMES] else 0
        print(f"whole batches: {what}", flush=True)
        return sample

    def close(self):
        self.pipeline.set_state(Gst.State.NULL)


def frames_of(sample, k):
    meta = sample.get_buffer().get_custom_meta("GstSecondBatchMeta")
    return meta.get_structure().get_value(f"buffers-{k}")


def bytes_of(sample):
    frames = frames_of(sample, 0)
    return [frames.get(i).extract_dup(0, 64 * 48)
            for i in range(frames.length())]


def check_fork(receiver):
    """What a child drops is still ours."""
    held = receiver.await_full("before the fork")
    before = bytes_of(held)
    child = os.fork()
    if child == 0:
        del held
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    receiver.await_full("a child let go of its copy", batches=15)
    assert bytes_of(held) == before, "the frames that we hold were rewritten"


def check_crashes(folder, processes):
    receiver = Receiver(folder)
    receiver.await_full("the start")
    check_fork(receiver)
    kill(processes["batcher"])
    processes["batcher"] = batcher(folder)
    receiver.await_full("the batching process was killed")
    for name in "ab":
        kill(processes[name])
        processes[name] = camera(f"{folder}/{name}")
    receiver.await_full("both cameras were killed")
    other = launch(f"shmframesrc socket-path={folder}/pairs ! fakesink")
    receiver.await_full("another receiver came")
    kill(other)
    receiver.await_full("it was killed")
    receiver.close()


def receive_anew(folder):
    receiver = Receiver(folder)
    receiver.await_full("received anew")
    receiver.close()


def open_fds():
    return len(os.listdir("/proc/self/fd"))


def main():
    Gst.init(None)
    with tempfile.TemporaryDirectory() as folder:
        processes = {name: camera(f"{folder}/{name}") for name in "ab"}
        processes["batcher"] = batcher(folder)
        try:
            check_crashes(folder, processes)
            gc.collect()
            before = open_fds()
            receive_anew(folder)
            gc.collect()
            assert open_fds() <= before, (before, open_fds())
        finally:
            for process in processes.values():
                kill(process)


main()
