#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames of a video from one Python process to another, one way out of WAYS.

    python-ways.py Queue|Pipe|shared_memory|shmframe FILE SECONDS

A frame has in its first pixels when it was given away. Prints one JSON object: the
nanoseconds from then until the other process has an array of it, and the CPU time of
a frame in both, reading the file included.
"""

import json
import multiprocessing
import pathlib
import signal
import sys
import tempfile
import time
from multiprocessing import shared_memory

TREE = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(TREE / "examples/python"), str(TREE / "python")]
try:
    import cv2
    import numpy as np
    import shmframe
    from baseline import paced_frames
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(77)

SLOTS = 8
LIMIT = 30  # seconds after which something hangs


def size_of(path):
    capture = cv2.VideoCapture(path)
    shape = [int(capture.get(i)) for i in (cv2.CAP_PROP_FRAME_HEIGHT,
                                           cv2.CAP_PROP_FRAME_WIDTH)]
    capture.release()
    return (*shape, 3)


def until_none(receive):
    while (item := receive()) is not None:
        yield item


class ByPipe:
    def __init__(self, shape):
        self.inward, self.outward = multiprocessing.Pipe(duplex=False)

    def sender(self):
        return self.outward.send

    def received(self):
        return until_none(self.inward.recv)


class ByQueue:
    def __init__(self, shape):
        self.queue = multiprocessing.Queue()

    def sender(self):
        return self.queue.put

    def received(self):
        return until_none(self.queue.get)


class BySharedMemory:
    """Frames are copied into memory of both; a pipe says into which part of it."""

    def __init__(self, shape):
        self.shape = shape
        self.memory = shared_memory.SharedMemory(create=True,
                                                 size=SLOTS * int(np.prod(shape)))
        self.free = multiprocessing.Semaphore(SLOTS)
        self.pipe = ByPipe(shape)

    def slots(self):
        return np.frombuffer(self.memory.buf, np.uint8,
                             SLOTS * int(np.prod(self.shape))).reshape(SLOTS, *self.shape)

    def sender(self):
        send, slots, count = self.pipe.sender(), self.slots(), 0

        def write(frame):
            nonlocal count
            if frame is not None:
                self.free.acquire()
                slots[count % SLOTS] = frame
            send(None if frame is None else count % SLOTS)
            count += 1
        return write

    def received(self):
        slots = self.slots()
        for slot in self.pipe.received():
            yield slots[slot]
            self.free.release()


class ByShmframe:
    def __init__(self, shape):
        self.shape = shape
        self.folder = tempfile.TemporaryDirectory()
        self.path = f"{self.folder.name}/s"

    def sender(self):
        writer = shmframe.Writer(self.path, self.shape[1], self.shape[0], 25,
                                 live=False)
        return lambda frame: writer.close() if frame is None else writer.write(frame)

    def received(self):
        for frame in shmframe.Reader(self.path, live=False, on_disconnect="eos"):
            yield frame.array


WAYS = {"Queue": ByQueue, "Pipe": ByPipe, "shared_memory": BySharedMemory,
        "shmframe": ByShmframe}


def cpu_ns(before=0):
    return time.process_time_ns() - before


def give(way, path, seconds, ready, result):
    signal.alarm(round(seconds) + LIMIT)
    send = way.sender()
    ready.wait()
    before, count = cpu_ns(), 0
    for frame in paced_frames(path, seconds, time.monotonic()):
        frame[0, :8, 0] = np.frombuffer(np.int64(time.monotonic_ns()), np.uint8)
        send(frame)
        count += 1
    result.send((cpu_ns(before), count))
    send(None)


def take(way, ready):
    took = []
    ready.wait()
    before = cpu_ns()
    for array in way.received():
        now = time.monotonic_ns()
        took.append(now - int(array[0, :8, 0].copy().view(np.int64)[0]))
    return took, cpu_ns(before)


def main():
    name, path, seconds = sys.argv[1:]
    signal.alarm(round(float(seconds)) + LIMIT)
    way = WAYS[name](size_of(path))
    ready = multiprocessing.Barrier(2)
    inward, outward = multiprocessing.Pipe(duplex=False)
    giver = multiprocessing.Process(
        target=give, args=(way, path, float(seconds), ready, outward))
    giver.start()
    took, cpu = take(way, ready)
    cpu_given, count = inward.recv()
    giver.join()
    if isinstance(way, BySharedMemory):
        way.memory.unlink()
    if len(took) != count:
        raise SystemExit(f"{len(took)} frames of {count} arrived")
    # The first ones meet caches and pools that are not filled.
    took = took[min(5, count // 2):]
    print(json.dumps({"took": took, "cpu": (cpu + cpu_given) / count}))


if __name__ == "__main__":
    main()
