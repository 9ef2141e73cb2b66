#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Second N of two videos paired with multiprocessing.Pipe and threads.

Two processes read a video each and send every frame through a pipe. In a third
one thread a pipe keeps the latest frame; the main thread looks at both once a
frame time, and sends what it saw in a second to a fourth process. Material
arrives on time, but a frame that is replaced before it was seen is lost.
"""

import multiprocessing
import threading
import time

from baseline import (COPIES_PER_PIPE, frame_rate, milliseconds, paced_frames,
                      parse_arguments, report, spread)


def read_frames(path, seconds, start, output, count):
    for frame in paced_frames(path, seconds, start):
        count.value += 1
        output.send((count.value, time.monotonic_ns(), frame))
    output.send(None)


class LatestFrame(threading.Thread):
    """Receives from one pipe and remembers the last frame only."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe = pipe
        self.latest = (0, None)
        self.handover_ms = []

    def run(self):
        while (item := self.pipe.recv()) is not None:
            number, sent, frame = item
            self.handover_ms.append(milliseconds(sent))
            self.latest = (number, frame)


class Sampler:
    """Collects each new latest frame of one stream, once a frame time."""

    def __init__(self, receiver, rate):
        self.receiver = receiver
        self.period = 1 / rate
        self.due = time.monotonic()
        self.number = 0
        self.frames = []

    def look(self):
        self.due += self.period
        number, frame = self.receiver.latest
        if number != self.number:
            self.number = number
            self.frames.append(frame)

    def take_second(self):
        frames, self.frames = self.frames, []
        return frames


def sample_second(samplers, deadline):
    while True:
        sampler = min(samplers, key=lambda candidate: candidate.due)
        if sampler.due >= deadline:
            break
        time.sleep(max(0, sampler.due - time.monotonic()))
        sampler.look()
    time.sleep(max(0, deadline - time.monotonic()))


def pair_seconds(inputs, rates, start, output, result):
    receivers = [LatestFrame(pipe) for pipe in inputs]
    for receiver in receivers:
        receiver.start()
    time.sleep(max(0, start - time.monotonic()))
    samplers = [Sampler(*pair) for pair in zip(receivers, rates)]
    arrivals = []
    deadline = start
    more = True
    while more:
        more = any(receiver.is_alive() for receiver in receivers)
        deadline += 1
        sample_second(samplers, deadline)
        pair = [sampler.take_second() for sampler in samplers]
        if any(pair):
            arrivals.append(time.monotonic())
            output.send((time.monotonic_ns(), pair))
    output.send(None)
    result.put((arrivals, sum((r.handover_ms for r in receivers), [])))


def use_pairs(pipe, result):
    arrived, pair_ms, size = [0, 0], [], 0
    while (item := pipe.recv()) is not None:
        sent, pair = item
        pair_ms.append(milliseconds(sent))
        for stream, frames in enumerate(pair):
            arrived[stream] += len(frames)
            size += sum(frame.nbytes for frame in frames)
    result.put((arrived, pair_ms, size))


def main():
    arguments = parse_arguments(__doc__.splitlines()[0])
    rates = [frame_rate(path) for path in arguments.files]
    counts = [multiprocessing.Value("i", 0) for _ in arguments.files]
    pipes = [multiprocessing.Pipe(duplex=False) for _ in range(3)]
    ends = [end for end, _ in pipes]
    paired, used = multiprocessing.Queue(), multiprocessing.Queue()
    start = time.monotonic() + 0.5
    processes = [
        multiprocessing.Process(target=read_frames, args=(
            path, arguments.seconds, start, pipe[1], count))
        for path, pipe, count in zip(arguments.files, pipes, counts)]
    processes.append(multiprocessing.Process(
        target=pair_seconds,
        args=(ends[:2], rates, start, pipes[2][1], paired)))
    processes.append(multiprocessing.Process(
        target=use_pairs, args=(ends[2], used)))
    for process in processes:
        process.start()
    arrivals, handover_ms = paired.get()
    arrived, pair_ms, size = used.get()
    for process in processes:
        process.join()
    report("pipe", __file__, arrivals, [count.value for count in counts], arrived,
           spread(handover_ms), pair_ms, 2 * COPIES_PER_PIPE * size)


if __name__ == "__main__":
    main()
