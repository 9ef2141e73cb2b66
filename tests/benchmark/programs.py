# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the programs of a build folder, and compares ways by turns."""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TREE = pathlib.Path(__file__).resolve().parents[2]
PLACEMENTS = {"unpinned": 0, "one CPU": 1, "two CPUs": 2}
NOT_INSTALLED = 77
TIMEOUT = 180


class NotHere(Exception):
    """This machine lacks what a way needs."""


class Failed(Exception):
    """A run that gave no figures. The others of its row go on."""


class Bench:
    def __init__(self, build, results, quick):
        self.programs = build / "tests/benchmark"
        self.results = results
        self.quick = quick
        self.missing = {}
        self.failures = []
        self.environment = dict(os.environ)
        if "GST_REGISTRY" not in self.environment:
            self.environment.update(
                GST_PLUGIN_PATH=f"{build}/gst/shmframe:{build}/gst/secondbatch",
                GST_REGISTRY=f"{build}/gst-registry.bin")

    def placements(self, always_all=False):
        if self.quick and not always_all:
            return ["unpinned"]
        return [name for name, cpus in PLACEMENTS.items()
                if cpus <= len(os.sched_getaffinity(0))]

    def few(self, quick, full):
        return quick if self.quick else full

    def execute(self, command):
        text = " ".join(map(str, command))
        try:
            done = subprocess.run(command, env=self.environment, timeout=TIMEOUT,
                                  stdout=subprocess.PIPE, text=True, check=False)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{text} hangs") from error
        if done.returncode == NOT_INSTALLED:
            raise NotHere("not installed")
        if done.returncode != 0:
            raise Failed(f"{text} failed ({done.returncode})")
        return done.stdout

    def command(self, program, placement, options):
        options = {"cpus": PLACEMENTS[placement], **options}
        return [self.programs / program,
                *(f"--{name}={value}" for name, value in options.items())]

    def run(self, program, placement, **options):
        return json.loads(self.execute(self.command(program, placement, options)))

    def traced(self, program, placement, **options):
        """System calls of each side's threads in the steady state: {side: {name: n}}."""
        with tempfile.TemporaryDirectory() as folder:
            self.execute(["strace", "-ff", "-ttt", "-qq", "-o", f"{folder}/t",
                          *self.command(program, placement, options)])
            return calls_of_sides(pathlib.Path(folder))

    def compare(self, row, case, placement, ways, rounds, measure):
        """measure(way): the figures of a round, and latencies for p99.9 or []."""
        done = {way: ([], []) for way in ways}
        for _ in range(rounds):
            for way in ways:
                if way in self.missing:
                    continue
                try:
                    figures, samples = measure(way)
                except (NotHere, FileNotFoundError) as error:
                    self.missing[way] = str(error)
                    continue
                except Failed as error:
                    complain(str(error))
                    self.failures.append(str(error))
                    continue
                done[way][0].append(figures)
                done[way][1].extend(samples)
        for way, (figures, samples) in done.items():
            if figures:
                show(self.results.add(row, case, placement, way, figures, samples))


def show(measurement):
    figures = ", ".join(f"{name} {value['median']:.4g}"
                        for name, value in measurement["figures"].items())
    place = " | ".join(measurement[key] for key in ("row", "case", "placement", "way"))
    print(f"{place}: {figures}", flush=True)


CALL = re.compile(r"^(\d+\.\d+) (\w+)\((.*)")
MARK = re.compile(r'"/shmframe-bench/(\w+)/(\w+)"')


def read_thread(path):
    with open(path, encoding="utf-8", errors="replace") as lines:
        return [(float(match[1]), match[2], match[3])
                for match in map(CALL.match, lines) if match]


def calls_of_sides(folder):
    """Not of main threads, which are the benchmark's own."""
    threads = {int(path.suffix[1:]): read_thread(path) for path in folder.iterdir()}
    process_of, sides = {}, {}
    for thread, calls in threads.items():
        for when, name, rest in calls:
            if name.startswith("clone") and "CLONE_THREAD" in rest:
                process_of[int(rest.rsplit("= ", 1)[1])] = thread
            elif name == "access" and (mark := MARK.search(rest)):
                sides.setdefault(mark[1], [thread])[1:] += [when]
    # Threads that threads made.
    def root(thread):
        while thread in process_of:
            thread = process_of[thread]
        return thread
    found = {}
    for side, (marked, warm, last) in sides.items():
        found[side] = collections.Counter(
            name for thread, calls in threads.items()
            if thread in process_of and root(thread) == root(marked)
            for when, name, rest in calls
            if warm < when < last and not MARK.search(rest))
    return found


def complain(text):
    print(f"run: {text}", file=sys.stderr, flush=True)
