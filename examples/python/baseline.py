# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the scripts of the demo share: paced reading and reporting."""

import argparse
import json
import time

import cv2
import numpy as np


def parse_arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("files", nargs=2, metavar="FILE")
    parser.add_argument("--seconds", type=float, default=10)
    return parser.parse_args()


def frame_rate(path):
    capture = cv2.VideoCapture(path)
    try:
        if not capture.isOpened():
            raise SystemExit(f"cannot read {path}")
        return capture.get(cv2.CAP_PROP_FPS) or 25.0
    finally:
        capture.release()


def grabbed(path, seconds, start):
    """Yields when each frame is due, as a camera's would be, and what has it."""
    # One thread of OpenCV a process: four processes share the machine.
    cv2.setNumThreads(1)
    capture = cv2.VideoCapture(path)
    fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
    number = 0
    while number / fps < seconds and capture.grab():
        yield start + number / fps, capture
        number += 1
    capture.release()


def wait_until(due):
    time.sleep(max(0, due - time.monotonic()))


def paced_frames(path, seconds, start):
    """Yields the file's frames as NumPy arrays, when a camera would."""
    for due, capture in grabbed(path, seconds, start):
        frame = capture.retrieve()[1]
        wait_until(due)
        yield frame


# A frame that goes through a pipe: into the pickle, into the pipe, out of it, and into
# an array.
COPIES_PER_PIPE = 4


def milliseconds(start_ns):
    return (time.monotonic_ns() - start_ns) / 1e6


def spread(values):
    """The figures that the summary of scripts/demo shows of a series."""
    if not values:
        return None
    p50, p99 = np.percentile(values, [50, 99])
    figures = {"p50": p50, "p99": p99, "min": min(values), "max": max(values)}
    return {name: round(float(value), 3) for name, value in figures.items()}


def lines_of(script):
    """Lines of a script that are no comments."""
    with open(script, encoding="ascii") as lines:
        return sum(1 for line in map(str.strip, lines)
                   if line and not line.startswith("#"))


def report(variant, script, arrivals, expected, arrived, handover_ms, pair_ms,
           copied):
    """One JSON line: seconds between arrivals, frames, latencies in ms, and bytes."""
    intervals = [after - before for before, after in zip(arrivals, arrivals[1:])]
    print(json.dumps({
        "variant": variant,
        "interval_s": spread(intervals),
        "expected": expected,
        "arrived": arrived,
        "handover_ms": handover_ms,
        "pair_ms": spread(pair_ms),
        "bytes_copied": copied,
        "lines": lines_of(script),
    }), flush=True)
