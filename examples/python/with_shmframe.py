#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Second N of two videos paired with the module shmframe.

Two processes read a video each, into shared memory. A third pairs the seconds, and
passes each pair on to a fourth, by reference. Each frame says in its first pixels when
it was published. A second is over when the first frame of the next one is; from then
on counts how long it takes until all of it is in NumPy arrays of the fourth process.
"""

import multiprocessing
import tempfile
import time

import cv2
import numpy as np

import shmframe
from baseline import frame_rate, grabbed, parse_arguments, report, wait_until

HANDOVER = {"p50": "handover-p50", "p99": "handover-p99", "max": "handover-max"}


def mark(picture):
    """Writes when it is published into the blue of eight pixels."""
    picture[0, :8, 0] = np.frombuffer(np.int64(time.monotonic_ns()), np.uint8)


def published(picture):
    return int(picture[0, :8, 0].copy().view(np.int64)[0])


def read_video(path, seconds, ready, output, result):
    video = cv2.VideoCapture(path)
    size = [int(video.get(i)) for i in (cv2.CAP_PROP_FRAME_WIDTH,
                                        cv2.CAP_PROP_FRAME_HEIGHT)]
    count = 0
    with shmframe.Writer(output, *size, frame_rate(path), live=False) as writer:
        ready.wait()
        for due, capture in grabbed(path, seconds, time.monotonic()):
            with writer.frame() as picture:
                capture.retrieve(picture)
                wait_until(due)
                mark(picture)
            count += 1
        copied = writer.stats["bytes-copied"]
    result.put((count, copied))


def pair_seconds(inputs, rate, ready, output, result):
    # The second under way, one here, and two in the fourth process.
    held = 4 * round(rate) + 4
    with shmframe.batches(*inputs, live=False, publish=output,
                          max_held=held) as batches:
        ready.wait()
        arrivals = [time.monotonic() for _ in batches]
        *sources, _, sink = batches.stats
    handover = {name: max(source[field] for source in sources) / 1e6
                for name, field in HANDOVER.items()}
    result.put((arrivals, handover, sink["bytes-copied"]))


def use_pairs(path, ready, result):
    arrived, pair_ms, copied, before = [0, 0], [], 0, None
    batches = shmframe.batches(path, live=False)
    ready.wait()
    for batch in batches:
        arrays = [stream.array for stream in batch]
        now = time.monotonic_ns()
        if before is not None and all(map(len, arrays)):
            over = max(published(array[0]) for array in arrays)
            pair_ms.append((before - over) / 1e6)
        before = now
        for number, array in enumerate(arrays):
            arrived[number] += len(array)
            copied += 0 if batch[number].in_row else array.nbytes
    result.put((arrived, pair_ms, copied))


def run(folder, files, seconds):
    spawn = multiprocessing.get_context("spawn")
    a, b, pairs = (f"{folder}/{name}" for name in ("a", "b", "pairs"))
    read, paired, used = (spawn.Queue() for _ in range(3))
    ready = spawn.Barrier(4)
    processes = [
        spawn.Process(target=read_video, args=(path, seconds, ready, output, read))
        for path, output in zip(files, (a, b))]
    rate = max(map(frame_rate, files))
    processes.append(spawn.Process(
        target=pair_seconds, args=((a, b), rate, ready, pairs, paired)))
    processes.append(spawn.Process(target=use_pairs, args=(pairs, ready, used)))
    for process in processes:
        process.start()
    arrived, pair_ms, copied_use = used.get()
    arrivals, handover_ms, copied_pair = paired.get()
    counts, copied_read = zip(read.get(), read.get())
    for process in processes:
        process.join()
    report("shmframe", __file__, arrivals, counts, arrived, handover_ms, pair_ms,
           sum(copied_read) + copied_pair + copied_use)


def main():
    arguments = parse_arguments(__doc__.splitlines()[0])
    with tempfile.TemporaryDirectory() as folder:
        run(folder, arguments.files, arguments.seconds)


if __name__ == "__main__":
    main()
