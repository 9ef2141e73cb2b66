#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Arrays keep what they show, and let go of it with the last view."""

import gc
import subprocess
import sys
import threading
import unittest

import numpy as np

import rig
import shmframe


class Arrays(rig.Case):
    def held(self):
        return self._reader.stats["held"]

    def read(self, **arguments):
        self._reader = self.reader(**arguments)
        return self._reader

    def test_outlives_all(self):
        """The frame, the reader, the writer."""
        with self.feeding(rig.picture(i) for i in range(30)):
            kept = [frame.array[10:20, ::2] for frame in self.read()][3:7]
        self._reader.close()
        del self._reader
        gc.collect()
        for number, array in enumerate(kept, 3):
            np.testing.assert_array_equal(array, rig.picture(number)[10:20, ::2])

    def test_last_view(self):
        """A frame is held by any view; the last one to go returns its slot."""
        with self.feeding(rig.picture(i) for i in range(12)):
            reader = self.read()
            array = next(reader).array
            row, pixel = array[5], array[7, 7]
            del array
            for number in range(1, 12):
                next(reader)
            # besides the last one, until the next is read
            self.until(lambda: self.held() == 2)
            del row
            gc.collect()
            self.assertEqual(self.held(), 2)
            np.testing.assert_array_equal(pixel, rig.picture(0)[7, 7])
            del pixel
            self.until(lambda: self.held() == 1)
            self.assertEqual(list(reader), [])

    def test_no_cycles(self):
        """Slots go back at once, without the garbage collector."""
        gc.disable()
        self.addCleanup(gc.enable)
        with self.feeding(rig.picture(i) for i in range(200)):
            for frame in self.read(max_held=4):
                frame.array.sum()
        self.assertEqual(frame.number, 199)

    def test_planes_hold(self):
        self.producer("video/x-raw,format=I420,width=64,height=48,framerate=25/1",
                      "videotestsrc num-buffers=6")
        reader = self.read()
        y, u, v = next(reader).planes
        del y, v
        for _ in range(5):
            next(reader)
        self.until(lambda: self.held() == 2)
        u.sum()
        del u
        self.until(lambda: self.held() == 1)

    def test_in_batches(self):
        with self.feeding(rig.picture(i) for i in range(75)):
            batches = shmframe.batches(self.path, live=False, timeout=rig.DEADLINE)
            kept = [batch[0].array[3] for batch in batches]
            single = kept.pop(1)
        batches.close()
        del batches
        gc.collect()
        np.testing.assert_array_equal(single, rig.picture(28))

    def test_caps_outlive(self):
        with self.feeding(rig.picture(i) for i in range(50)):
            with shmframe.batches(self.path, live=False) as batches:
                streams = [batch[0] for batch in batches]
        caps, frame = streams[0].caps, streams[1][24]
        del streams
        gc.collect()
        self.assertIn("BGR", caps.to_string())
        self.assertIn("BGR", frame.caps.to_string())
        self.assertAlmostEqual(frame.time, 49 / 25)
        np.testing.assert_array_equal(frame.array, rig.picture(49))

    def test_holding_too_many(self):
        """The warning names the argument; nothing is overwritten meanwhile."""
        stop = threading.Event()

        def pictures():
            number = 0
            while not stop.is_set() and number < 40:
                yield rig.picture(number)
                number += 1

        with self.feeding(pictures()):
            reader = self.read(max_held=5, timeout=5)
            kept = []
            with self.assertLogs("shmframe", "WARNING") as log:
                with self.assertRaises(shmframe.Timeout):
                    for frame in reader:
                        kept.append(frame.array)
            self.assertIn("max_held", "".join(log.output))
            self.assertGreaterEqual(len(kept), 4)
            for number, array in enumerate(kept):
                np.testing.assert_array_equal(array, rig.picture(number))
            count = len(kept)
            kept.clear()
            stop.set()
            for frame in reader:
                self.assertEqual(frame.number, count)
                count += 1

    def test_at_exit(self):
        """Whatever is still there when Python ends goes without a word."""
        with self.feeding(rig.picture(i) for i in range(60)):
            end = subprocess.run(
                [sys.executable, "-c", "import shmframe\n"
                 f"reader = shmframe.Reader({self.path!r}, live=False)\n"
                 "frames = [next(reader) for _ in range(6)]\n"
                 "arrays = [frame.array[1:] for frame in frames[:3]]\n"
                 "cycle = [arrays]\n"
                 "cycle.append(cycle)\n"],
                capture_output=True, text=True, timeout=rig.DEADLINE)
            for _ in self.read():
                pass
        self.assertEqual((end.returncode, end.stdout, end.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
