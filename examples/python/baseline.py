# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the two multiprocessing baselines share: paced reading and reporting."""

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


def paced_frames(path, seconds, start):
    """Yields the file's frames as NumPy arrays, when a camera would."""
    # One thread of OpenCV a process: four processes share the machine.
    cv2.setNumThreads(1)
    capture = cv2.VideoCapture(path)
    fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
    number = 0
    while number / fps < seconds:
        good, frame = capture.read()
        if not good:
            break
        delay = start + number / fps - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        yield frame
        number += 1
    capture.release()


def milliseconds(start_ns):
    return (time.monotonic_ns() - start_ns) / 1e6


def spread(values):
    """The figures that the summary of scripts/demo shows of a series."""
    if not values:
        return None
    p50, p99 = np.percentile(values, [50, 99])
    figures = {"p50": p50, "p99": p99, "min": min(values), "max": max(values)}
    return {name: round(float(value), 3) for name, value in figures.items()}


def report(variant, arrivals, expected, arrived, handover_ms, pair_ms):
    """One JSON line: seconds between arrivals, frames, and latencies in ms."""
    intervals = [after - before for before, after in zip(arrivals, arrivals[1:])]
    print(json.dumps({
        "variant": variant,
        "interval_s": spread(intervals),
        "expected": expected,
        "arrived": arrived,
        "handover_ms": spread(handover_ms),
        "pair_ms": spread(pair_ms),
    }), flush=True)
