#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Second N of two videos paired with multiprocessing.Queue.

Two processes read a video each and put one second of frames at a time into a
queue, as a list. A third pairs the lists, and gives each pair to a fourth
through another queue. Every frame is pickled, written and read on each hop.
"""

import multiprocessing
import time

from baseline import (COPIES_PER_PIPE, frame_rate, milliseconds, paced_frames,
                      parse_arguments, report, spread)


def read_seconds(path, seconds, start, output, count):
    per_second = round(frame_rate(path))
    frames = []
    for frame in paced_frames(path, seconds, start):
        frames.append(frame)
        count.value += 1
        if len(frames) == per_second:
            output.put((time.monotonic_ns(), frames))
            frames = []
    if frames:
        output.put((time.monotonic_ns(), frames))
    output.put(None)


def next_second(queue, handover_ms):
    item = queue.get()
    if item is None:
        return None
    sent, frames = item
    # The frames of a list cross together, so that each took this long.
    handover_ms.extend([milliseconds(sent)] * len(frames))
    return frames


def pair_seconds(inputs, output, result):
    arrivals, handover_ms = [], []
    open_inputs = list(inputs)
    while open_inputs:
        pair = []
        for queue in inputs:
            frames = None
            if queue in open_inputs:
                frames = next_second(queue, handover_ms)
                if frames is None:
                    open_inputs.remove(queue)
            pair.append(frames or [])
        if any(pair):
            arrivals.append(time.monotonic())
            output.put((time.monotonic_ns(), pair))
    output.put(None)
    result.put((arrivals, handover_ms))


def use_pairs(queue, result):
    arrived, pair_ms, size = [0, 0], [], 0
    while (item := queue.get()) is not None:
        sent, pair = item
        pair_ms.append(milliseconds(sent))
        for stream, frames in enumerate(pair):
            arrived[stream] += len(frames)
            size += sum(frame.nbytes for frame in frames)
    result.put((arrived, pair_ms, size))


def main():
    arguments = parse_arguments(__doc__.splitlines()[0])
    inputs = [multiprocessing.Queue() for _ in arguments.files]
    counts = [multiprocessing.Value("i", 0) for _ in arguments.files]
    pairs, paired, used = (multiprocessing.Queue() for _ in range(3))
    start = time.monotonic() + 0.5
    processes = [
        multiprocessing.Process(target=read_seconds, args=(
            path, arguments.seconds, start, queue, count))
        for path, queue, count in zip(arguments.files, inputs, counts)]
    processes.append(multiprocessing.Process(
        target=pair_seconds, args=(inputs, pairs, paired)))
    processes.append(multiprocessing.Process(
        target=use_pairs, args=(pairs, used)))
    for process in processes:
        process.start()
    arrivals, handover_ms = paired.get()
    arrived, pair_ms, size = used.get()
    for process in processes:
        process.join()
    report("queue", __file__, arrivals, [count.value for count in counts], arrived,
           spread(handover_ms), pair_ms, 2 * COPIES_PER_PIPE * size)


if __name__ == "__main__":
    main()
