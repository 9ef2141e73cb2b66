#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames that NumPy makes, with a copy and without."""

import threading
import unittest
from fractions import Fraction

import numpy as np

import rig
import shmframe


class Frames(rig.Case):
    def writer(self, format="BGR", **arguments):
        writer = shmframe.Writer(self.path, 64, 48, 25, format,
                                 **{"live": False, "timeout": rig.DEADLINE} | arguments)
        self.addCleanup(writer._stop)
        return writer

    def collect(self, format=None):
        """A thread that reads all frames; join() gives them."""
        frames = []
        reader = self.reader(format=format)
        thread = threading.Thread(target=lambda: frames.extend(reader))
        thread.start()
        return lambda: thread.join() or frames

    def test_no_copy(self):
        join = self.collect()
        with self.writer() as writer:
            for number in range(40):
                with writer.frame() as array:
                    self.assertEqual(array.shape, (48, 64, 3))
                    array[:] = rig.picture(number)
        frames = join()
        self.assertEqual(len(frames), 40)
        for number, frame in enumerate(frames):
            np.testing.assert_array_equal(frame.array, rig.picture(number))
        self.assertEqual(writer.stats["bytes-copied"], 0)

    def test_array_after(self):
        """What was published cannot be written by mistake, and is not reused."""
        join = self.collect()
        with self.writer() as writer:
            with writer.frame() as first:
                first[:] = 1
            with self.assertRaises(ValueError):
                first[:] = 2
            with writer.frame() as second:
                second[:] = 3
            self.assertTrue((first == 1).all())
        self.assertEqual([frame.array[0, 0, 0] for frame in join()], [1, 3])

    def test_nothing_published(self):
        join = self.collect()
        with self.writer() as writer:
            with self.assertRaises(KeyError):
                with writer.frame():
                    raise KeyError
            writer.write(rig.picture(7))
        frames = join()
        self.assertEqual(len(frames), 1)
        np.testing.assert_array_equal(frames[0].array, rig.picture(7))

    def test_planar(self):
        join = self.collect()
        with self.writer("I420") as writer:
            planes = [rig.picture(i, shape)
                      for i, shape in enumerate([(48, 64), (24, 32), (24, 32)])]
            writer.write(planes)
            with writer.frame() as (y, u, v):
                y[:], u[:], v[:] = 1, 2, 3
        frames = join()
        for plane, expected in zip(frames[0].planes, planes):
            np.testing.assert_array_equal(plane, expected)
        self.assertEqual([plane[0, 0] for plane in frames[1].planes], [1, 2, 3])

    def test_wrong_arrays(self):
        writer = self.writer()
        for array, sentence in [
                (np.zeros((64, 48, 3), np.uint8), r"\(48, 64, 3\)"),
                (np.zeros((48, 64), np.uint8), r"\(48, 64, 3\)"),
                (np.zeros((48, 64, 3)), "uint8, not float64")]:
            with self.assertRaisesRegex(ValueError, sentence):
                writer.write(array)

    def test_wrong_arguments(self):
        with self.assertRaisesRegex(shmframe.Error, "no raw video"):
            self.writer("BGRR")
        with self.assertRaisesRegex(shmframe.Error, "make it first"):
            shmframe.Writer("/nowhere/at/all", 64, 48, 25)
        self.writer()
        with self.assertRaisesRegex(shmframe.Error, "Another producer serves"):
            self.writer()

    def test_rates(self):
        for rate, expected in [(25, "25/1"), (29.97, "30000/1001"), (0, "0/1"),
                               (Fraction(30000, 1001), "30000/1001"), (12.5, "25/2")]:
            with shmframe.Writer(self.path, 64, 48, rate) as writer:
                self.assertIn(f"framerate=(fraction){expected}",
                              writer.caps.to_string())

    def test_own_times(self):
        join = self.collect()
        with self.writer() as writer:
            for pts in (5, 7, 11):
                writer.write(rig.picture(0), pts=pts * 1_000_000_000)
        self.assertEqual([frame.time for frame in join()], [5, 7, 11])


class Waits(rig.Case):
    def test_nobody_there(self):
        with shmframe.Writer(self.path, 64, 48, 25, live=False, timeout=2) as writer:
            with self.assertRaisesRegex(shmframe.Timeout, "Waiting for 1 consumer"):
                for _ in range(10):
                    writer.write(rig.picture(0))
            writer._number = 0  # nothing to wait for at the end

    def test_long_wait_is_told(self):
        writer = shmframe.Writer(self.path, 64, 48, 25, live=False, timeout=3.3)
        with self.assertLogs("shmframe", "WARNING") as log:
            with self.assertRaises(shmframe.Timeout):
                while True:
                    writer.write(rig.picture(0))
        writer._stop()
        self.assertIn("Waiting for 1 consumer", log.output[0])

    def test_live_waits_for_nobody(self):
        with shmframe.Writer(self.path, 64, 48, 25) as writer:
            for number in range(100):
                writer.write(rig.picture(number))

    def test_needs_nobody(self):
        with shmframe.Writer(self.path, 64, 48, 25, live=False,
                             min_clients=0) as writer:
            for number in range(100):
                writer.write(rig.picture(number))

    def test_closed(self):
        writer = shmframe.Writer(self.path, 64, 48, 25)
        writer.close()
        with self.assertRaisesRegex(shmframe.Error, "closed"):
            writer.write(rig.picture(0))


if __name__ == "__main__":
    unittest.main()
