#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Second N of each stream, here and in the next process."""

import contextlib
import multiprocessing
import unittest

import numpy as np

import rig
import shmframe


def pass_on(paths, publish, results):
    """The third process: pairs the seconds, and gives them to the fourth."""
    with shmframe.batches(*paths, live=False, publish=publish,
                          timeout=rig.DEADLINE) as batches:
        seen = [(batch.index, batch[0].frames, batch[1].frames,
                 int(batch[1].array[0, 0, 0, 0])) for batch in batches]
        results.put((seen, batches.stats[-1]["bytes-copied"]))


class Batches(rig.Case):
    def paths(self, n=2):
        return [f"{self.path}{k}" for k in range(n)]

    @contextlib.contextmanager
    def feeding_all(self, n=75, streams=2):
        """Stream K begins with picture K * 1000."""
        with contextlib.ExitStack() as stack:
            for k, path in enumerate(self.paths(streams)):
                pictures = map(rig.picture, range(k * 1000, k * 1000 + n))
                stack.enter_context(self.feeding(pictures, path))
            yield

    def batches(self, *paths, **arguments):
        batches = shmframe.batches(*paths, **{"live": False, "timeout": rig.DEADLINE}
                                   | arguments)
        self.addCleanup(batches.close)
        return batches

    def check(self, stream, k, index):
        self.assertEqual(stream.array.shape, (25, 48, 64, 3))
        self.assertFalse(stream.array.flags.writeable)
        self.assertEqual((stream.frames, stream.expected, stream.late, stream.dropped),
                         (25, 25, 0, 0))
        for t, frame in enumerate(stream):
            expected = rig.picture(k * 1000 + index * 25 + t)
            np.testing.assert_array_equal(stream.array[t], expected)
            np.testing.assert_array_equal(frame.array, expected)
            self.assertEqual(frame.number, index * 25 + t)
            self.assertEqual(int(frame.time), index)

    def test_pairs(self):
        with self.feeding_all():
            seen = list(self.batches(*self.paths()))
        self.assertEqual([batch.index for batch in seen], [0, 1, 2])
        for batch in seen:
            self.assertEqual(len(batch), 2)
            self.assertEqual((batch.start, batch.duration),
                             (batch.index * 10**9, 10**9))
            for k, stream in enumerate(batch):
                self.check(stream, k, batch.index)

    def test_two_processes(self):
        """The fourth process has the same arrays, and nobody copied them."""
        spawn = multiprocessing.get_context("spawn")
        results = spawn.Queue()
        third = spawn.Process(target=pass_on, args=(self.paths(), self.path, results))
        third.start()
        # spawn keeps pipes of its own
        self._before = len(rig.open_files())
        with self.feeding_all(150):
            batches = self.batches(self.path)
            for batch in batches:
                for k, stream in enumerate(batch):
                    self.check(stream, k, batch.index)
        self.assertEqual(batch.index, 5)
        seen, copied = results.get(timeout=rig.DEADLINE)
        third.join()
        results.close()
        self.assertEqual(copied, 0)
        self.assertEqual(seen, [(n, 25, 25, int(rig.picture(1000 + n * 25)[0, 0, 0]))
                                for n in range(6)])

    def test_in_a_row(self):
        """Where frames lie in a row, the array is the memory that they are in."""
        with self.feeding_all(250, 1):
            in_row = 0
            for batch in self.batches(*self.paths(1), max_held=80):
                stream = batch[0]
                self.check(stream, 0, batch.index)
                first = stream[0].array
                if stream.array.ctypes.data == first.ctypes.data:
                    in_row += 1
                    self.assertTrue(stream.in_row)
        self.assertGreater(in_row, 0)

    def test_one_stream(self):
        with self.feeding_all(60, 1):
            seen = list(self.batches(*self.paths(1)))
        self.assertEqual([len(batch[0]) for batch in seen], [25, 25, 10])

    def test_converted(self):
        with self.feeding_all(50, 1):
            for batch in self.batches(*self.paths(1), format="GRAY8"):
                self.assertEqual(batch[0].array.shape, (25, 48, 64))
                np.testing.assert_array_equal(batch[0].array[3], batch[0][3].array)

    def test_batches_are_not_converted(self):
        self.producer("video/x-raw,framerate=25/1 ! secondbatcher "
                      "batch-duration=200000000", "videotestsrc is-live=true")
        self.assertGreater(next(self.batches(self.path, live=True)).index, -1)
        with self.assertRaisesRegex(shmframe.Error, "cannot be converted"):
            next(self.batches(self.path, live=True, format="GRAY8"))

    def test_planar(self):
        path = self.paths(1)[0]
        planes = [np.full(shape, value, np.uint8) for value, shape
                  in enumerate([(48, 64), (24, 32), (24, 32)], 1)]
        with self.feeding([planes] * 25, path, format="I420"):
            stream = next(self.batches(path))[0]
            self.assertEqual([plane.shape for plane in stream.planes],
                             [(25, 48, 64), (25, 24, 32), (25, 24, 32)])
            self.assertEqual([plane.max() for plane in stream.planes], [1, 2, 3])
            with self.assertRaisesRegex(shmframe.Error, "3 planes"):
                stream.array

    def test_no_frames(self):
        """A stream that is silent for a second has an empty array."""
        path = self.paths(1)[0]
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.feeding([rig.picture(0)] * 75, path))
            other = shmframe.Writer(f"{self.path}1", 64, 48, 25, live=False)
            batches = self.batches(path, f"{self.path}1")
            other.write(rig.picture(0), pts=0)
            other.write(rig.picture(1), pts=2 * 10**9)
            other._source.emit("end-of-stream")
            seen = list(batches)
            other._stop()
        self.assertEqual([batch[1].frames for batch in seen], [1, 0, 1])
        self.assertEqual(seen[1][1].array.shape, (0, 48, 64, 3))
        self.assertEqual(list(seen[1][1]), [])

    def test_options(self):
        with self.feeding_all(50, 1):
            seen = list(self.batches(*self.paths(1), seconds=0.4, hop=0.2, frames=8))
        self.assertEqual([stream.frames for batch in seen for stream in batch],
                         [8] * len(seen))
        self.assertEqual(seen[1].start - seen[0].start, 200_000_000)

    def test_sequence(self):
        with self.feeding_all(25, 1):
            stream = next(self.batches(*self.paths(1)))[0]
            self.assertEqual(stream[-1].number, 24)
            self.assertEqual([frame.number for frame in stream[5:8]], [5, 6, 7])
            with self.assertRaises(IndexError):
                stream[25]

    def test_wrong(self):
        with self.assertRaisesRegex(shmframe.Error, "at least one path"):
            shmframe.batches()
        with self.assertRaisesRegex(shmframe.Error, "incomplete='x' is no value"):
            shmframe.batches(self.path, incomplete="x")
        with self.assertRaisesRegex(shmframe.Timeout, "Waiting for a producer"):
            next(shmframe.batches(self.path, timeout=2))


if __name__ == "__main__":
    unittest.main()
