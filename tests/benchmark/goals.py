# SPDX-License-Identifier: LGPL-2.1-or-later
"""The goals, and what a run came to. Each figure is judged in the run it is of."""

from dataclasses import dataclass


@dataclass
class Verdict:
    goal: str
    where: str
    value: float | None  # None: not measured
    limit: float
    at_least: bool = False

    @property
    def missed(self):
        if self.value is None:
            return False
        # As it is printed, so that 1.15 is not above 1.15.
        value = float(f"{self.value:.3g}")
        return value < self.limit if self.at_least else value > self.limit

    def __str__(self):
        if self.value is None:
            return f"not measured  {self.goal}, {self.where}"
        return (f"{'MISSED' if self.missed else 'reached':12}  {self.goal}, {self.where}: "
                f"{self.value:.3g}, {'at least' if self.at_least else 'at most'} "
                f"{self.limit:g}")


def ratio(results, name, row, case, placement, way, other):
    """Medians of two ways of one case, or None."""
    values = [results.median(name, row, case, placement, each) for each in (way, other)]
    return None if None in values or values[1] == 0 else values[0] / values[1]


def placements_of(results, row):
    return list(dict.fromkeys(m["placement"] for m in results.find(row)))


def hand_over(results):
    limits = {"unpinned": 1.15, "one CPU": 1.0}
    for place in placements_of(results, "hand-over"):
        key = ("hand-over", "1080p60", place, "shmframe", "queue")
        if place in limits:
            yield Verdict("p50 at 1080p60 / queue", place,
                          ratio(results, "p50_us", *key), limits[place])
        yield Verdict("p99 at 1080p60 / queue", place,
                      ratio(results, "p99_us", *key), 1.2)
        small, large = (results.median("p50_us", "hand-over", case, place, "shmframe")
                        for case in ("240p60", "4320p60"))
        yield Verdict("p50 at 4320p60 / 240p60", place,
                      large / small if large and small else None, 1.1)
        yield Verdict("CPU a frame at 1080p60 / queue", place,
                      ratio(results, "cpu_us", *key), 1.3)
        faults = [results.median(f"{side}_faults", *key[:4])
                  for side in ("sender", "receiver")]
        yield Verdict("page faults a frame at 1080p60", place, sum(faults), 0)


def speed(results):
    for place in placements_of(results, "full speed"):
        key = ("full speed", "1080p", place, "shmframe", "queue")
        yield Verdict("frames/s untouched / queue", place,
                      ratio(results, "fps", *key), 0.9, True)
        yield Verdict("CPU a frame untouched / queue", place,
                      ratio(results, "cpu_us", *key), 1.3)
    for place in placements_of(results, "written and read"):
        yield Verdict("frames/s written and read / bare loops", place,
                      ratio(results, "fps", "written and read", "1080p", place,
                            "shmframe", "bare loops"), 0.95, True)
    for place in placements_of(results, "copy path"):
        yield Verdict("producer's CPU of a frame that is copied / memcpy", place,
                      ratio(results, "sender_cpu_us", "copy path", "1080p", place,
                            "shmframe", "memcpy"), 1.05)


def clients(results):
    for place in placements_of(results, "system calls"):
        for found in results.find("system calls", None, place, "shmframe"):
            n = int(found["case"])
            of = {side: found["figures"][side]["median"]
                  for side in ("sender", "receiver")}
            where = f"{n} consumer{'s' * (n > 1)}, {place}"
            yield Verdict("system calls a frame at a consumer", where, of["receiver"], 3)
            yield Verdict("system calls a frame and client at the producer", where,
                          of["sender"] / n, 1)
    for place in placements_of(results, "consumers"):
        counts = sorted(int(m["case"]) for m in results.find("consumers", None, place))
        few, many = counts[0], counts[-1]
        if few == many:
            continue
        costs = [results.median("sender_cpu_us", "consumers", str(n), place, "shmframe")
                 for n in (few, many)]
        yield Verdict("us of a frame at the producer per further consumer",
                      f"{few} to {many}, {place}",
                      (costs[1] - costs[0]) / (many - few), 3)


def batches(results):
    for found in results.find("batch hop"):
        place = found["placement"]
        yield Verdict("us from the third process to the fourth, p50", place,
                      found["figures"]["mapped_p50_us"]["median"], 1000)
        yield Verdict("bytes of batches copied", place,
                      found["figures"]["bytes_copied"]["median"], 0)
    for place in placements_of(results, "batcher"):
        key = ("batcher", "2 x 1000 fps, paced", place)
        costs = [results.median("cpu_us", *key, way)
                 for way in ("secondbatcher", "funnel")]
        if None not in costs:
            yield Verdict("us of CPU a frame of secondbatcher beyond funnel", place,
                          costs[0] - costs[1], 10)


def joins_of(results, row):
    for found in results.find(row, None, None, "grows"):
        case, figures = found["case"], found["figures"]
        if "join_max_us" not in figures:
            continue
        where = f"{case} consumers"
        # Never above: the most of any round.
        yield Verdict("publish() max while others join, ms", where,
                      figures["publish_max_us"]["most"] / 1000, 2)
        yield Verdict("join to first frame, ms", where,
                      figures["join_max_us"]["most"] / 1000, 20)
        for name, of, limit in (("p99", "all_p99_us", 1.2), ("max", "max_us", 2),
                                ("CPU", "cpu_us", 1.1), ("bytes", "bytes", 1.1)):
            yield Verdict(f"{name} while others join / fixed ring", where,
                          ratio(results, of, row, case, "unpinned", "grows", "fixed"),
                          limit)


def joins(results):
    yield from joins_of(results, "joins")
    yield from joins_of(results, "more joins")


def observers(results):
    for found in results.find("observers"):
        way = found["way"]
        # The goal is for those who look once a second.
        if way.startswith("0") or "looks" in way:
            continue
        key = ("observers", found["case"], "unpinned", way, "0 observers")
        for name, of in (("p50", "p50_us"), ("producer's CPU", "sender_cpu_us"),
                         ("consumer's CPU", "receiver_cpu_us")):
            yield Verdict(f"{name} with observers / without", way,
                          ratio(results, of, *key), 1.05)


def verdicts(results):
    return [verdict for part in (hand_over, speed, clients, batches, joins,
                                       observers)
            for verdict in part(results)]
