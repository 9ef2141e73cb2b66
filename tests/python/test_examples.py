#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples do what they say. The argument: the folder that they are in."""

import os
import re
import subprocess
import sys
import unittest

import numpy as np

import rig
import shmframe
from shmframe.gst import Gst

try:
    import cv2
except ImportError:
    cv2 = None

FOLDER = sys.argv.pop(1)
needs_opencv = unittest.skipUnless(cv2, "no OpenCV for Python")


def squares(move, before_last_second=lambda: None):
    """75 pictures of a square that moves, or of nothing."""
    for number in range(75):
        if number == 60:  # the first two seconds are complete without it
            before_last_second()
        picture = np.zeros((48, 64, 3), np.uint8)
        left = 8 * (number % 6)
        picture[10:35, left:left + 14 if move else 0] = 255
        yield picture


class Examples(rig.Case):
    def setUp(self):
        super().setUp()
        # of processes and their pipes
        self._before += 8

    def start(self, name, *arguments):
        process = subprocess.Popen(
            [sys.executable, os.path.join(FOLDER, name), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        return process

    def output(self, process):
        output = process.communicate(timeout=2 * rig.DEADLINE)[0]
        self.assertEqual(process.returncode, 0, output)
        return output

    def film(self, name, pattern, frames, size="width=96,height=64"):
        path = os.path.join(os.path.dirname(self.path), name)
        pipeline = Gst.parse_launch(
            f"videotestsrc num-buffers={frames} pattern={pattern} ! video/x-raw,"
            f"format=I420,{size},framerate=25/1 ! jpegenc ! avimux ! "
            f"filesink location={path}")
        pipeline.set_state(Gst.State.PLAYING)
        pipeline.get_bus().timed_pop_filtered(
            rig.DEADLINE * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        pipeline.set_state(Gst.State.NULL)
        return path

    @needs_opencv
    def test_seed(self):
        films = [self.film("a.avi", "ball", 60), self.film("b.avi", "smpte", 50)]
        output = self.output(self.start("seed.py", *films))
        for line in ["second 0: (25, 64, 96, 3) (25, 64, 96, 3)",
                     "second 1: (25, 64, 96, 3) (25, 64, 96, 3)",
                     "second 2: (10, 64, 96, 3) (0, 64, 96, 3)"]:
            self.assertIn(line, output)
        self.assertEqual(output.count("paired"), 3)
        with open(os.path.join(FOLDER, "seed.py"), encoding="ascii") as lines:
            self.assertLessEqual(len(list(lines)), 40)

    @needs_opencv
    def test_seed_decodes_in_place(self):
        """What OpenCV decodes into a slot is what it gives otherwise."""
        for size in ("width=96,height=64", "width=98,height=50"):
            film = self.film("a.avi", "ball", 30, size)
            process = subprocess.Popen(
                [sys.executable, "-c", f"import sys; sys.path.insert(0, {FOLDER!r}); "
                 f"import seed; seed.fun1({film!r}, {self.path!r}, False)"])
            capture = cv2.VideoCapture(film)
            with self.reader() as reader:
                for frame in reader:
                    np.testing.assert_array_equal(frame.array, capture.read()[1])
            self.assertEqual(frame.number, 29)
            self.assertEqual(process.wait(rig.DEADLINE), 0)
            capture.release()

    @needs_opencv
    def test_opencv(self):
        output = self.output(self.start("opencv.py", "--frames", "30"))
        lines = re.findall("30 of 30 frames", output)
        both = "no GStreamer backend" not in output
        self.assertEqual(len(lines), 4 if both else 1, output)

    @needs_opencv
    def test_motion(self):
        """What moves in the left picture has a green frame; nothing in the right."""
        # It waits for nobody who reads what it publishes.
        with shmframe.Reader(self.path, live=False, timeout=rig.DEADLINE) as reader:
            pictures = squares(True, lambda: self.until(
                lambda: reader.stats["connected"]))
            with self.feeding(pictures, self.path + "a"), self.feeding(
                    squares(False), self.path + "b"):
                process = self.start("motion.py", "--files", self.path + "a",
                                     self.path + "b", self.path)
                pictures = [frame.array.copy() for frame in reader]
                output = self.output(process)
        self.assertEqual(output.count("something moves in 24 and 0 pictures"), 3, output)
        self.assertGreater(len(pictures), 0)
        self.assertEqual(pictures[-1].shape, (48, 128, 3))
        green = (pictures[-1] == (0, 255, 0)).all(axis=2)
        self.assertTrue(green[:, :64].any())
        self.assertFalse(pictures[-1][:, 64:].any())

    def test_tensors(self):
        with self.feeding([rig.picture(7)] * 50):
            output = self.output(self.start("tensors.py", "--files", "--size", "32x16",
                                            self.path))
        self.assertIn("second 1, stream 0: (25, 3, 16, 32) to (25,) with", output)

    def test_tensors_values(self):
        sys.path.insert(0, FOLDER)
        import tensors
        window = np.stack([rig.picture(i) for i in range(3)])
        tensor = tensors.make_tensor(window, 64, 48)
        self.assertEqual((tensor.shape, tensor.dtype), ((3, 3, 48, 64), np.float32))
        np.testing.assert_allclose(tensor[1, 2], window[1, :, :, 2] / 255, rtol=1e-6)

    def test_without_bindings(self):
        """Says which packages are missing."""
        end = subprocess.run(
            [sys.executable, "-c", "import sys; sys.modules['gi'] = None; "
             "import shmframe"], capture_output=True, text=True)
        self.assertIn("install python3-gi, python3-gst-1.0", end.stderr)


if __name__ == "__main__":
    unittest.main()
