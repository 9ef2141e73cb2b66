#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two videos, paired by the second: seed.py FILE FILE, or 0 2 for two cameras."""
import multiprocessing
import os
import sys

import cv2
import shmframe


def fun1(video, path, live):  # and fun2: reads a video, frame by frame
    capture = cv2.VideoCapture(int(video) if live else video)
    width, height, fps = (capture.get(i) for i in (3, 4, 5))
    with shmframe.Writer(path, int(width), int(height), fps, live=live) as writer:
        while capture.grab():
            with writer.frame() as picture:
                capture.retrieve(picture)


def fun3(paths, pairs, live):  # passes second N of both on
    for batch in shmframe.batches(*paths, live=live, publish=pairs):
        print("paired", batch, flush=True)


def fun4(pairs, live):  # has them as arrays (T, H, W, C), which nobody copied
    for batch in shmframe.batches(pairs, live=live):
        left, right = batch[0].array, batch[1].array
        print(f"second {batch.index}: {left.shape} {right.shape}", flush=True)


if __name__ == "__main__":
    live = sys.argv[1].isdigit()
    a, b, pairs = (f"@seed-{os.getpid()}-{name}" for name in ("a", "b", "pairs"))
    start = multiprocessing.get_context("spawn").Process
    for function, *arguments in [(fun1, sys.argv[1], a, live),
                                 (fun1, sys.argv[2], b, live),
                                 (fun3, (a, b), pairs, live)]:
        start(target=function, args=arguments).start()
    fun4(pairs, live)
