# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured, row by row. Each is a function of the bench; see ROWS."""

import json
import os

from figures import MICROSECOND, latencies, quantile
from offline import offline
from programs import TREE, Failed

SIZES = {"240p": (320, 240), "1080p": (1920, 1080), "4320p": (7680, 4320)}
RATES = (25, 60, 240)
FRAME = 1920 * 1080 * 3 // 2


def both_ends(run):
    """CPU time of a frame, ns; of a queue both are in one process."""
    return sum(run[side]["cpu"] for side in ("sender", "receiver") if side in run)


class Boundary:
    """Measures ways with `boundary`; a queue is as deep as the ring has slots."""

    def __init__(self, bench, placement, **options):
        self.bench, self.placement, self.options = bench, placement, options
        self.slots = 12

    def run(self, way, **options):
        run = self.bench.run("boundary", self.placement, way=way, depth=self.slots,
                             **self.options, **options)
        self.slots = run["slots"] or self.slots
        return run


def costs(run):
    figures = {"cpu_us": both_ends(run) / MICROSECOND}
    for side in ("sender", "receiver"):
        if side in run:
            figures[f"{side}_cpu_us"] = run[side]["cpu"] / MICROSECOND
            figures[f"{side}_faults"] = run[side]["faults"]
    return figures


def hand_over_case(bench, case, placement, fps, seconds, ways, rounds):
    width, height = SIZES[case]
    boundary = Boundary(bench, placement, width=width, height=height, fps=fps)
    warm = max(5, fps // 4)

    def measure(way):
        run = boundary.run(way, frames=warm + round(fps * seconds), warm=warm)
        return ({**latencies(run["took"]), **costs(run), "lost": run["lost"],
                 "slots": boundary.slots}, run["took"])
    bench.compare("hand-over", f"{case}{fps}", placement, ways, rounds, measure)


def hand_over(bench):
    """From before the boundary to behind it, pixels untouched."""
    for placement in bench.placements(always_all=True):
        hand_over_case(bench, "1080p", placement, 60, bench.few(.3, 2),
                       ["shmframe", "queue", "shmsink", "unixfdsink"],
                       bench.few(1, 4))


def sizes(bench):
    """The same at other sizes and rates."""
    for placement in [] if bench.quick else bench.placements():
        for case in SIZES:
            for fps in RATES:
                if (case, fps) != ("1080p", 60):
                    hand_over_case(bench, case, placement, fps,
                                   {25: 1.4, 60: 1, 240: .5}[fps],
                                   ["shmframe", "queue"], 2 if fps == 60 else 1)


def full_speed(bench):
    """As fast as it goes, pixels untouched. shmsink and unixfdsink stand still then."""
    for placement in bench.placements():
        boundary = Boundary(bench, placement, fps=0, frames=bench.few(5000, 60000),
                            warm=bench.few(1000, 20000))

        def measure(way):
            run = boundary.run(way)
            return ({"fps": run["fps"], **costs(run), "slots": boundary.slots}, [])
        bench.compare("full speed", "1080p", placement,
                      ["shmframe", "queue"], bench.few(1, 7), measure)


def touched(bench):
    """Every pixel written and read, as fast as it goes."""
    for placement in bench.placements():
        boundary = Boundary(bench, placement, fps=0, touch=1,
                            frames=bench.few(60, 600), warm=bench.few(20, 100))

        def measure(way):
            if way == "bare loops":
                run = bench.run("bareloops", placement, slots=boundary.slots,
                                frames=bench.few(60, 600), size=FRAME)
                return {"fps": run["fps"], "cpu_us": run["cpu"] / MICROSECOND}, []
            run = boundary.run(way)
            return {"fps": run["fps"], **costs(run)}, []
        bench.compare("written and read", "1080p", placement,
                      ["shmframe", "bare loops", "queue", "unixfdsink"],
                      bench.few(1, 4), measure)


def copied(bench):
    """A tee in front, so that the sink copies each frame; one memcpy beside it."""
    for placement in bench.placements():
        boundary = Boundary(bench, placement, fps=0, copy=1,
                            frames=bench.few(60, 800), warm=bench.few(20, 100))

        def measure(way):
            if way == "memcpy":
                run = bench.run("bareloops", placement, slots=boundary.slots, copy=1,
                                frames=bench.few(60, 700), size=FRAME)
                return {"frame_us": 1e6 / run["fps"], "sender_cpu_us":
                        run["cpu"] / MICROSECOND}, []
            run = boundary.run(way)
            return {"frame_us": 1e6 / run["fps"], "sender_cpu_us":
                    run["sender"]["cpu"] / MICROSECOND}, []
        bench.compare("copy path", "1080p", placement, ["shmframe", "memcpy"],
                      bench.few(1, 4), measure)


def consumers(bench):
    """What further consumers cost the producer at 60 fps."""
    for placement in bench.placements():
        for n in bench.few((1, 2), (1, 4, 16, 32)):
            boundary = Boundary(bench, placement, fps=60, consumers=n, warm=30,
                                frames=bench.few(45, 150))

            def measure(way):
                run = boundary.run(way)
                return {"sender_cpu_us": run["sender"]["cpu"] / MICROSECOND,
                        **latencies(run["took"])}, []
            bench.compare("consumers", str(n), placement, ["shmframe"],
                          1, measure)


def calls(bench):
    """System calls of a frame at 60 fps; the source's own sleep is not among them."""
    try:
        bench.execute(["strace", "-qq", "-o", os.devnull, "true"])
    except (OSError, Failed) as error:
        bench.missing["strace"] = str(error)
        return
    for placement in bench.placements():
        for n in bench.few((1,), (1, 4)):
            frames = bench.few(40, 100)

            def measure(way):
                sides = bench.traced("boundary", placement, way=way, frames=frames,
                                     warm=20, consumers=n)
                sides["sender"]["clock_nanosleep"] = 0
                return ({side: counts.total() / (frames - 20)
                         for side, counts in sides.items()}, [])
            bench.compare("system calls", str(n), placement, ["shmframe", "shmsink"]
                          if n == 1 else ["shmframe"], 1, measure)


def batch_hop(bench):
    """Batches of 2 x 25 x 1080p to a fourth process, and each stream as an array."""
    for placement in bench.placements():
        def measure(way):
            run = bench.run("batchhop", placement, batches=bench.few(2, 8))
            return ({**latencies(run["took"]), **latencies(run["mapped"], "mapped_"),
                     "bytes_copied": run["copied"], "frames": run["frames"],
                     "in_one_piece": run["in_one_piece"]}, run["took"])
        bench.compare("batch hop", "2 x 25 x 1080p", placement, ["shmframe"], 1,
                      measure)


def batcher(bench):
    """CPU time a frame in a pipeline with secondbatcher, or funnel in its place."""
    cases = [("2 x 1000 fps, paced", 2, 1)] + [
        (f"{n} at full speed", n, 0) for n in bench.few((2,), (1, 2, 8, 32, 64))]
    for placement in bench.placements():
        if placement == "two CPUs":
            continue  # there is one process
        for case, streams, paced in cases:
            def measure(way):
                # A stream that is not paced is over before it can be measured.
                run = bench.run("batcher-cpu", placement, element=way, paced=paced,
                                streams=streams, ms=bench.few(200, 1000 if paced else
                                                              64000 // streams))
                return {"cpu_us": run["cpu"] / MICROSECOND}, []
            bench.compare("batcher", case, placement, ["secondbatcher", "funnel"],
                          bench.few(1, 3), measure)


def joins_of(bench, row, case, n, rounds, **options):
    """One more consumer per 150 ms, in a ring that grows and in one that need not."""
    def measure(way):
        run = bench.run("joining", "unpinned", consumers=n, fixed=int(way == "fixed"),
                        **options)
        took, joined = run.pop("took"), run.pop("joined")
        counts = {name: run.pop(name) for name in (
            "bytes", "growths", "publish_max_faults")}
        times = {**run, "p50": quantile(took, .5), "join_p50": quantile(joined, .5)}
        return {**{f"{name}_us": value / MICROSECOND for name, value in times.items()},
                **counts}, took
    bench.compare(row, case, "unpinned", ["fixed", "grows"], rounds, measure)


def joins_and_leaves(bench, row, n):
    def measure(_):
        return bench.run("joining", "unpinned", churn=n), []
    bench.compare(row, "joins and leaves", "unpinned", ["grows"], 1, measure)


def joins(bench):
    """What those that are there feel of consumers that join."""
    # So many rounds that all have some 1 200 frames: p99 is the twelfth longest.
    rounds = bench.few({2: 1}, {2: 22, 4: 16, 8: 12, 16: 8, 32: 4})
    for n, times in rounds.items():
        joins_of(bench, "joins", str(n), n, times)
    joins_and_leaves(bench, "joins", bench.few(20, 200))


def more_joins(bench):
    """Of small and of large frames, and a thousand of them."""
    for case, width, height in (("480p", 640, 480), ("1080p", 1920, 1080),
                                ("2160p", 3840, 2160)):
        for n, times in bench.few({2: 1}, {1: 5, 2: 5, 8: 3, 32: 2}).items():
            joins_of(bench, "more joins", f"{case}, {n}", n, times, width=width,
                     height=height)
    # Who looks at no pixel takes no processor from the others.
    for n in bench.few((2,), (8, 32)):
        joins_of(bench, "more joins", f"1080p unread, {n}", n, bench.few(1, 3), read=0)
    joins_and_leaves(bench, "more joins", bench.few(20, 1000))


def observers(bench):
    """What shmframe-top costs a producer at 60 fps and its two consumers."""
    boundary = Boundary(bench, "unpinned", fps=60, consumers=2, warm=30,
                        frames=bench.few(60, 270),
                        observer=bench.programs.parents[1] / "tools/shmframe-top")

    ways = {"0 observers": {}, "1 observer": {"observers": 1},
            "4 observers": {"observers": 4},
            "4 observers, 10 looks a second each": {"observers": 4, "looks": 10}}

    def measure(way):
        run = boundary.run("shmframe", **ways[way])
        return {**latencies(run["took"]), **costs(run)}, run["took"]
    bench.compare("observers", "1080p60, 2 consumers", "unpinned", list(ways),
                  bench.few(1, 5), measure)


def memory(bench):
    """Proportional set size of all processes, every pixel written and read."""
    for ways, n, case in ((["shmframe", "queue", "shmsink", "unixfdsink"], 1, "1080p"),
                          (["shmframe"], 4, "1080p"), (["shmframe", "queue"], 1, "4320p")):
        width, height = SIZES[case]
        boundary = Boundary(bench, "unpinned", width=width, height=height, fps=60,
                            consumers=n, touch=1, memory=1, warm=10,
                            frames=bench.few(30, 80))

        def measure(way):
            run = boundary.run(way)
            return {"pss_mb": run["pss"] / 1e6, "slots": run["slots"]}, []
        if not bench.quick or case == "1080p":
            bench.compare("memory", f"{case}60, {n} consumer{'s' * (n > 1)}", "unpinned",
                          ways, 1, measure)


def pings(bench):
    """A bare wake-up of another process, 60 times a second."""
    for placement in bench.placements():
        def measure(way):
            took = bench.run("wake", placement, kind=way,
                             wakes=bench.few(10, 80))["took"]
            return latencies(took), took
        bench.compare("pings", "60 Hz", placement, ["futex", "eventfd", "socket"], 1,
                      measure)


def python(bench):
    """The demo's files, read in one Python process and handed to another."""
    videos = bench.execute(
        [TREE / "scripts/demo-videos", *bench.few(["--generated"], [])]).split()

    def measure(way):
        run = json.loads(bench.execute([
            TREE / "tests/benchmark/python-ways.py", way, videos[-1],
            str(bench.few(1, 3))]))
        return {**latencies(run["took"]), "cpu_us": run["cpu"] / MICROSECOND}, run["took"]
    bench.compare("Python", videos[-1].rsplit("/", 1)[1], "unpinned",
                  ["shmframe", "shared_memory", "Pipe", "Queue"], 1, measure)


ROWS = {"hand-over": hand_over, "pings": pings, "full speed": full_speed,
        "written and read": touched, "copy path": copied, "consumers": consumers,
        "system calls": calls, "batch hop": batch_hop, "sizes": sizes,
        "joins": joins, "observers": observers, "batcher": batcher, "memory": memory, "Python": python}
# They take minutes, and are measured where they are named.
MORE_ROWS = {"offline": offline, "more joins": more_joins}
