#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""OpenCV with frames of other processes: by shmframe, and by OpenCV's own backend.

    opencv.py [--frames N] [--size WxH]

Each way of writing is read in each way of reading. cv2.VideoCapture and VideoWriter
copy each frame, and take BGR only; a Reader and `writer.frame()` copy none.
"""

import argparse
import multiprocessing
import tempfile
import time

import cv2
import numpy as np

import shmframe

CAPTURE = ("shmframesrc is-live=false socket-path={path} ! videoconvert ! "
           "video/x-raw,format=BGR ! appsink sync=false")
WRITER = "appsrc ! videoconvert ! shmframesink delivery=lossless socket-path={path}"


def draw(picture, number):
    picture[:] = 40
    cv2.circle(picture, (20 + 8 * number % 200, 100), 16, (0, 200, 255), -1)


def write_shmframe(path, size, frames):
    with shmframe.Writer(path, *size, 25, live=False) as writer:
        for number in range(frames):
            with writer.frame() as picture:
                draw(picture, number)


def write_opencv(path, size, frames):
    writer = cv2.VideoWriter(WRITER.format(path=path), cv2.CAP_GSTREAMER, 0, 25, size)
    picture = np.empty((size[1], size[0], 3), np.uint8)
    for number in range(frames):
        draw(picture, number)
        writer.write(picture)
    writer.release()


def read_shmframe(path):
    for frame in shmframe.Reader(path, format="BGR", live=False):
        yield frame.array


def read_opencv(path):
    capture = cv2.VideoCapture(CAPTURE.format(path=path), cv2.CAP_GSTREAMER)
    while True:
        good, picture = capture.read()
        if not good:
            break
        yield picture
    capture.release()


def measure(write, read, size, frames):
    """Print how long a frame takes, and check that each is what was drawn."""
    expected = np.empty((size[1], size[0], 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        arguments = (f"{folder}/s", size, frames)
        process = multiprocessing.get_context("spawn").Process(
            target=write, args=arguments)
        process.start()
        number, begin = 0, None
        for number, picture in enumerate(read(arguments[0])):
            begin = begin or time.monotonic()
            draw(expected, number)
            assert np.array_equal(picture, expected), f"frame {number} is another one"
        process.join()
    each = (time.monotonic() - begin) / frames * 1000
    print(f"{write.__name__}, {read.__name__}: {number + 1} of {frames} frames, "
          f"{each:.1f} ms each", flush=True)
    assert number + 1 == frames


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--size", default="640x480")
    arguments = parser.parse_args()
    size = tuple(map(int, arguments.size.split("x")))
    writers, readers = [write_shmframe], [read_shmframe]
    if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        writers.append(write_opencv)
        readers.append(read_opencv)
    else:
        print("this OpenCV has no GStreamer backend to compare with")
    for write in writers:
        for read in readers:
            measure(write, read, size, arguments.frames)


if __name__ == "__main__":
    main()
