#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Processes of multiprocessing: what works in them, and what says that it does not."""

import multiprocessing
import unittest

import numpy as np

import rig
import shmframe


def read_all(path, results):
    with shmframe.Reader(path, live=False, timeout=rig.DEADLINE) as reader:
        results.put([int(frame.array[3, 3, 0]) for frame in reader])


def try_all(path, reader, frame, array, results):
    """In a fork of a process that uses GStreamer."""
    told = []
    for attempt in (lambda: shmframe.Reader(path),
                    lambda: shmframe.Writer(path + "w", 64, 48, 25),
                    lambda: shmframe.batches(path),
                    lambda: next(reader),
                    lambda: frame.array):
        try:
            attempt()
            told.append("nothing")
        except shmframe.Error as error:
            told.append(str(error))
    # What the fork lets go of is not given back.
    del array, frame
    reader.close()
    results.put(told)


class Processes(rig.Case):
    def setUp(self):
        super().setUp()
        # spawn and Queue keep pipes of their own
        self._before = 1000

    def feed(self, start, read):
        context = multiprocessing.get_context(start)
        results = context.Queue()
        process = context.Process(target=read_all, args=(self.path, results))
        process.start()
        with self.feeding(rig.picture(i) for i in range(20)):
            seen = results.get(timeout=rig.DEADLINE)
        process.join()
        self.assertEqual(seen, [int(rig.picture(i)[3, 3, 0]) for i in range(20)])
        self.assertEqual(process.exitcode, 0)

    def test_spawn(self):
        self.feed("spawn", read_all)

    def test_forkserver(self):
        self.feed("forkserver", read_all)

    def test_fork_after_use(self):
        context = multiprocessing.get_context("fork")
        results = context.Queue()
        with self.feeding(rig.picture(i) for i in range(20)):
            reader = self.reader()
            frame, other = next(reader), next(reader)
            array = frame.array
            process = context.Process(target=try_all, args=(
                self.path, reader, other, array, results))
            process.start()
            told = results.get(timeout=rig.DEADLINE)
            process.join()
            # and the parent goes on as if nothing had been
            np.testing.assert_array_equal(array, rig.picture(0))
            self.assertEqual([frame.number for frame in reader], list(range(2, 20)))
        self.assertEqual(process.exitcode, 0)
        for sentence in told:
            self.assertIn("get_context('spawn')", sentence)


class Before(unittest.TestCase):
    """Has to run first: nobody has used GStreamer yet."""

    def test_fork_before_use(self):
        import os
        import tempfile

        context = multiprocessing.get_context("fork")
        results = context.Queue()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            process = context.Process(target=read_all, args=(path, results))
            process.start()
            with shmframe.Writer(path, 64, 48, 25, live=False) as writer:
                for number in range(20):
                    writer.write(rig.picture(number))
            self.assertEqual(len(results.get(timeout=rig.DEADLINE)), 20)
            process.join()


if __name__ == "__main__":
    unittest.main()
