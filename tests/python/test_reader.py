#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames as arrays, and what a Reader does when there are none."""

import os
import signal
import subprocess
import sys
import threading
import time
import unittest

import numpy as np

import rig
import shmframe

CAPS = "video/x-raw,format={},width=65,height=49,framerate=25/1"


class Arrays(rig.Case):
    def test_packed(self):
        with self.feeding(rig.picture(i) for i in range(10)):
            frames = list(self.reader())
        self.assertEqual(len(frames), 10)
        for number, frame in enumerate(frames):
            np.testing.assert_array_equal(frame.array, rig.picture(number))
            self.assertFalse(frame.array.flags.writeable)
            self.assertFalse(frame.array.flags.owndata)
            self.assertEqual(frame.number, number)
            self.assertEqual(frame.pts, number * 40_000_000)
            self.assertEqual(frame.duration, 40_000_000)
            self.assertAlmostEqual(frame.time, number / 25)
            self.assertEqual(frame.discont, number == 0)
            self.assertIn("BGR", frame.caps.to_string())

    def test_planar(self):
        self.producer(CAPS.format("I420"), "videotestsrc num-buffers=2")
        frame = next(self.reader())
        self.assertEqual([plane.shape for plane in frame.planes],
                         [(49, 65), (25, 33), (25, 33)])
        with self.assertRaisesRegex(shmframe.Error, "I420 has 3 planes"):
            frame.array

    def test_no_array(self):
        self.producer(CAPS.format("v210"), "videotestsrc num-buffers=2")
        with self.assertRaisesRegex(shmframe.Error, "no array for v210"):
            next(self.reader())

    def test_converted(self):
        self.producer(CAPS.format("I420"), "videotestsrc pattern=red num-buffers=3")
        with self.assertLogs("shmframe", "INFO") as log:
            frame = next(self.reader(format="BGR"))
        self.assertEqual(frame.array.shape, (49, 65, 3))
        blue, green, red = frame.array[24, 32]
        self.assertTrue(red > 240 > 20 > max(blue, green), frame.array[24, 32])
        self.assertIn("from I420 to BGR, which copies", "".join(log.output))

    def test_not_converted(self):
        """What is of the format already is not copied."""
        self.producer(CAPS.format("BGR"), "videotestsrc num-buffers=3")
        reader = self.reader(format="BGR")
        frame = next(reader)
        frame.array
        held = reader.stats["held"]
        self.assertGreaterEqual(held, 1)


class Waits(rig.Case):
    def test_timeout(self):
        reader = self.reader(timeout=2)
        with self.assertRaisesRegex(
                shmframe.Timeout, f"{self.path} within 2 s. Waiting for a producer"):
            next(reader)
        # and it can be asked again
        with self.assertRaises(TimeoutError):
            next(reader)

    def test_interrupted(self):
        """Ctrl-C ends a wait that is for good."""
        wait = subprocess.Popen(
            [sys.executable, "-c", "import logging, shmframe, sys\n"
             "logging.basicConfig(level=logging.INFO)\n"
             f"next(shmframe.Reader({self.path!r}))"],
            stderr=subprocess.PIPE, text=True)
        self.assertIn("Waiting for a producer", wait.stderr.readline())
        wait.send_signal(signal.SIGINT)
        told = wait.communicate(timeout=rig.DEADLINE)[1]
        self.assertIn("KeyboardInterrupt", told)
        self.assertEqual(wait.returncode, -signal.SIGINT)

    def test_threads_begin(self):
        """Whoever is first starts GStreamer, and the others wait until it has."""
        end = subprocess.run(
            [sys.executable, "-c", "import shmframe, threading\n"
             "threads = [threading.Thread(target=lambda n=n: shmframe.Writer(\n"
             f"    {self.path!r} + str(n), 64, 48, 25).close()) for n in range(8)]\n"
             "for thread in threads: thread.start()\n"
             "for thread in threads: thread.join()\n"],
            capture_output=True, text=True, timeout=rig.DEADLINE)
        self.assertEqual((end.returncode, end.stderr), (0, ""))

    def test_long_wait_is_told(self):
        reader = self.reader(timeout=3.3)
        with self.assertLogs("shmframe", "WARNING") as log:
            with self.assertRaises(shmframe.Timeout):
                next(reader)
        self.assertIn("Waiting for a producer at", log.output[0])

    def test_closed(self):
        reader = self.reader()
        reader.close()
        with self.assertRaisesRegex(shmframe.Error, "closed"):
            next(reader)

    def test_bad_arguments(self):
        for arguments, sentence in [
                ({"format": "BGRR"}, "no format"),
                ({"on_eos": "x"}, "on_eos='x' is no value"),
                ({"max_held": -1}, "max_held=-1 is no value")]:
            with self.assertRaisesRegex(shmframe.Error, sentence):
                self.reader(**arguments)
        with self.assertRaisesRegex(shmframe.Error, "not a socket"):
            next(shmframe.Reader(os.path.dirname(self.path)))


class Restarts(rig.Case):
    def feed_and_vanish(self, number):
        with self.feeding([rig.picture(number)] * 3):
            pass

    def test_reconnect(self):
        reader = self.reader(on_eos="reconnect")
        for number in range(2):
            feeder = threading.Thread(target=self.feed_and_vanish, args=(number,))
            feeder.start()
            frames = [next(reader) for _ in range(3)]
            feeder.join()
            self.assertEqual([frame.discont for frame in frames],
                             [True, False, False])
            np.testing.assert_array_equal(frames[-1].array, rig.picture(number))

    def vanish(self, on_disconnect):
        pipeline = self.producer(CAPS.format("BGR"), "videotestsrc is-live=true")
        reader = self.reader(live=True, on_disconnect=on_disconnect)
        next(reader)
        pipeline.set_state(rig.Gst.State.NULL)
        return reader

    def test_ends(self):
        for _ in self.vanish("eos"):
            pass

    def test_raises(self):
        reader = self.vanish("error")
        with self.assertRaisesRegex(shmframe.Error, "The connection to the producer"):
            end = time.monotonic() + rig.DEADLINE
            while time.monotonic() < end:
                next(reader)


if __name__ == "__main__":
    unittest.main()
