#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What moves in two streams: found each second, drawn, and published.

    motion.py [--files] PATH PATH OUT

Each PATH is a producer's socket. On OUT come both pictures side by side, with a frame
around what moves; any shmframesrc or Reader shows them. --files: the producers are
files, whose frames all count, not cameras.
"""

import argparse

import cv2
import numpy as np

import shmframe

SMALLEST = 200  # pixels that move together


def moving(before, now):
    """Return the rectangles in which two pictures differ."""
    difference = cv2.absdiff(before, now).max(axis=2)
    mask = cv2.dilate(cv2.threshold(difference, 25, 255, cv2.THRESH_BINARY)[1], None,
                      iterations=3)
    contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    return [cv2.boundingRect(contour) for contour in contours
            if cv2.contourArea(contour) >= SMALLEST]


def draw(target, picture, rectangles):
    """Copy a picture to where it is published, and mark what moves."""
    marked = picture.copy()
    for x, y, width, height in rectangles:
        cv2.rectangle(marked, (x, y), (x + width, y + height), (0, 255, 0), 2)
    target[:marked.shape[0]] = marked


def show_second(writer, streams):
    """Publish a second of both. Return in how many pictures something moved."""
    moved = [0, 0]
    for t in range(1, min(map(len, streams))):
        with writer.frame() as out:
            out[:] = 0
            halves = np.split(out, [streams[0].shape[2]], axis=1)
            for k, (half, stream) in enumerate(zip(halves, streams)):
                rectangles = moving(stream[t - 1], stream[t])
                moved[k] += bool(rectangles)
                draw(half, stream[t], rectangles)
    return moved


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs=2, metavar="PATH")
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--files", action="store_true")
    arguments = parser.parse_args()
    writer = None
    for batch in shmframe.batches(*arguments.paths, format="BGR",
                                  live=not arguments.files):
        streams = [stream.array for stream in batch]
        if not all(map(len, streams)):
            continue
        if writer is None:
            _, heights, widths, _ = zip(*(stream.shape for stream in streams))
            writer = shmframe.Writer(arguments.out, sum(widths), max(heights),
                                     0, live=not arguments.files, min_clients=0)
        moved = show_second(writer, streams)
        print(f"second {batch.index}: something moves in {moved[0]} and {moved[1]} "
              "pictures", flush=True)
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    main()
