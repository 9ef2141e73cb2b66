#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Children of Python's multiprocessing, which forks without exec: those of a consumer are nothing to
the frames that it holds, those of a producer nothing to who comes after it is killed."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

CHILDREN = 6


def sleep_long():
    time.sleep(100)


def produce(path):
    """With a child that outlives it; says its number when it has got a consumer."""
    Gst.init(None)
    pipeline = Gst.parse_launch(
        "videotestsrc is-live=true pattern=snow ! "
        "video/x-raw,format=GRAY8,width=64,height=48,framerate=200/1 ! "
        f"shmframesink name=sink socket-path={path} async=false"
    )
    pipeline.set_state(Gst.State.PLAYING)
    while pipeline.get_by_name("sink").get_property("num-clients") == 0:
        time.sleep(0.01)
    child = multiprocessing.Process(target=sleep_long)
    child.start()
    print(child.pid, flush=True)
    signal.pause()


def start_producer(path):
    return subprocess.Popen(
        [sys.executable, __file__, path], stdout=subprocess.PIPE, text=True
    )


def child_of(producer):
    return int(producer.stdout.readline())


def bytes_of(sample):
    ok, info = sample.get_buffer().map(Gst.MapFlags.READ)
    assert ok
    data = bytes(info.data)
    sample.get_buffer().unmap(info)
    return data


def let_go(samples):
    samples.clear()
    gc.collect()


def pull(sink):
    sample = sink.emit("try-pull-sample", 30 * Gst.SECOND)
    assert sample is not None, "no frame came"
    return sample


def frames_stay(sink, connections):
    samples = [pull(sink) for i in range(3)]
    before = [bytes_of(sample) for sample in samples]
    for i in range(CHILDREN):
        child = multiprocessing.Process(target=let_go, args=(samples,))
        child.start()
        child.join()
        assert child.exitcode == 0, child.exitcode
    for i in range(100):
        pull(sink)
    assert [bytes_of(sample) for sample in samples] == before, "a frame was written again"
    assert connections() == 1, "the connection was ended"


def end(producer):
    producer.kill()
    producer.wait()
    producer.stdout.close()


def main():
    Gst.init(None)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        first = start_producer(path)
        consumer = Gst.parse_launch(
            f"shmframesrc name=src socket-path={path} ! "
            "appsink name=sink sync=false max-buffers=4 drop=true"
        )
        sink = consumer.get_by_name("sink")

        def connections():
            stats = consumer.get_by_name("src").get_property("stats")
            return stats.get_uint64("connections").value

        consumer.set_state(Gst.State.PLAYING)
        children = [child_of(first)]
        frames_stay(sink, connections)
        end(first)
        second = start_producer(path)
        children.append(child_of(second))
        while connections() < 2:
            pull(sink)
        pull(sink)
        end(second)
        consumer.set_state(Gst.State.NULL)
        for child in children:
            os.kill(child, signal.SIGKILL)


# Since Python 3.14 another method is the default.
multiprocessing.set_start_method("fork")
if len(sys.argv) > 1:
    produce(sys.argv[1])
else:
    main()
