#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether --check sees each goal that is missed, and none that is reached."""

import copy
import unittest

from figures import Results
from goals import verdicts

# At the limit: row, case, way, figures.
REACHED = (
    ("hand-over", "1080p60", "queue", {"p50_us": 100, "p99_us": 100, "cpu_us": 100}),
    ("hand-over", "1080p60", "shmframe", {
        "p50_us": 115, "p99_us": 120, "cpu_us": 130, "sender_faults": 0,
        "receiver_faults": 0}),
    ("hand-over", "240p60", "shmframe", {"p50_us": 100}),
    ("hand-over", "4320p60", "shmframe", {"p50_us": 110}),
    ("full speed", "1080p", "queue", {"fps": 100, "cpu_us": 100}),
    ("full speed", "1080p", "shmframe", {"fps": 90, "cpu_us": 130}),
    ("written and read", "1080p", "bare loops", {"fps": 100}),
    ("written and read", "1080p", "shmframe", {"fps": 95}),
    ("copy path", "1080p", "memcpy", {"sender_cpu_us": 100}),
    ("copy path", "1080p", "shmframe", {"sender_cpu_us": 105}),
    ("system calls", "4", "shmframe", {"sender": 4, "receiver": 3}),
    ("consumers", "1", "shmframe", {"sender_cpu_us": 100}),
    ("consumers", "32", "shmframe", {"sender_cpu_us": 193}),
    ("batch hop", "2 x 25 x 1080p", "shmframe", {"mapped_p50_us": 1000,
                                                 "bytes_copied": 0}),
    ("batcher", "2 x 1000 fps, paced", "funnel", {"cpu_us": 1}),
    ("batcher", "2 x 1000 fps, paced", "secondbatcher", {"cpu_us": 11}),
    ("joins", "8", "fixed", {"all_p99_us": 100, "max_us": 100, "cpu_us": 100,
                             "bytes": 100}),
    ("joins", "8", "grows", {"all_p99_us": 120, "max_us": 200, "cpu_us": 110, "bytes": 110,
                             "publish_max_us": 2000, "join_max_us": 20000}),
    ("observers", "1080p60", "0 observers", {"p50_us": 100, "sender_cpu_us": 100,
                                             "receiver_cpu_us": 100}),
    ("observers", "1080p60", "4 observers", {"p50_us": 105, "sender_cpu_us": 105,
                                             "receiver_cpu_us": 105}),
)
# What is compared with: more of it is not worse.
REFERENCES = ("queue", "bare loops", "memcpy", "funnel", "fixed", "0 observers")


def results_of(rows):
    results = Results()
    for row, case, way, figures in rows:
        results.add(row, case, "unpinned", way, [figures], [])
    return results


class Goals(unittest.TestCase):
    def test_reached_at_the_limit(self):
        self.assertEqual([str(v) for v in verdicts(results_of(REACHED)) if v.missed], [])

    def test_each_figure_can_miss(self):
        for i, (row, case, way, figures) in enumerate(REACHED):
            if way in REFERENCES or case in ("1", "240p60"):
                continue
            for name in figures:
                rows = copy.deepcopy(list(REACHED))
                worse = rows[i][3]
                worse[name] = worse[name] * (.9 if name == "fps" else 1.1) or 1
                missed = [v for v in verdicts(results_of(rows)) if v.missed]
                self.assertTrue(missed, f"{row}, {case}, {way}: {name}")

    def test_what_was_not_measured_is_not_missed(self):
        self.assertEqual(verdicts(Results()), [])


if __name__ == "__main__":
    unittest.main()
