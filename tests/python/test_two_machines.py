#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two machines, as namespaces of network and time with a cable between them: each cuts
the seconds of both cameras by itself, and a frame has the same index on both. The
argument: the folder of the example. As a child: --camera SOCKET NAME, --print SOCKET.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

import shmframe
from shmframe.gst import Gst

DEADLINE = 150
# Seconds that both machines have to agree on, with nearly all of their frames.
WINDOWS = 3
FPS = 25
PERIOD = Gst.SECOND // FPS
# Far from where seconds begin, so that the clocks' difference decides nothing.
PHASE = PERIOD // 2
SIZE = 16
BITS = 24
HOSTS = [("left", "10.213.7.1"), ("right", "10.213.7.2")]


def paint(value):
    """A number as squares, which JPEG leaves as they are."""
    bits = [value >> bit & 1 for bit in range(BITS)]
    return np.kron(np.array([bits, bits], np.uint8) * 255, np.ones((SIZE, SIZE), np.uint8))


def read(picture):
    bits = picture[SIZE // 2, SIZE // 2::SIZE] > 127
    return sum(int(bit) << number for number, bit in enumerate(bits))


def camera(socket, name):
    """25 numbered frames a second, in the middle between those that begin a second."""
    Gst.init(None)
    pipeline = Gst.parse_launch(
        "appsrc name=in is-live=true format=time block=true max-buffers=4 caps="
        f"video/x-raw,format=GRAY8,width={BITS * SIZE},height={2 * SIZE},"
        f"framerate={FPS}/1 ! shmframesink sync=true socket-path={socket}")
    clock = Gst.SystemClock.obtain()
    pipeline.use_clock(clock)
    pipeline.set_start_time(Gst.CLOCK_TIME_NONE)
    ahead = (time.time_ns() - PHASE) % PERIOD
    pipeline.set_base_time(clock.get_time() - ahead)
    pipeline.set_state(Gst.State.PLAYING)
    for number in range(10 ** 6):
        buffer = Gst.Buffer.new_wrapped(paint(number << 1 | int(name)).tobytes())
        buffer.pts, buffer.duration = number * PERIOD, PERIOD
        pipeline.get_by_name("in").emit("push-buffer", buffer)


def show(socket):
    for batch in shmframe.batches(socket):
        print(json.dumps([batch.index, [[read(frame) for frame in stream.planes[0]]
                                        if stream.frames else [] for stream in batch]]),
              flush=True)


class Machines:
    """Two network namespaces, and what runs in them."""

    def __init__(self):
        self.names = [f"shmframe-{os.getpid()}-{name}" for name, _ in HOSTS]
        self.children = []

    def connect(self):
        for name in self.names:
            ip("netns", "add", name)
        ip("link", "add", "cable", "netns", self.names[0], "type", "veth", "peer",
           "name", "cable", "netns", self.names[1])
        for name, (_, address) in zip(self.names, HOSTS):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("cable", "lo"):
                ip("-n", name, "link", "set", device, "up")

    def run(self, host, *command, **more):
        # CLOCK_MONOTONIC, which the clock of a pipeline shows, is another one on each.
        child = subprocess.Popen(
            ["ip", "netns", "exec", self.names[host], "unshare", "--time", "--fork",
             "--monotonic", str(5000 * host), sys.executable, *command],
            start_new_session=True, **more)
        self.children.append(child)
        return child

    def end(self):
        for number in (signal.SIGINT, signal.SIGKILL):
            for child in self.children:
                try:
                    os.killpg(child.pid, number)
                    child.wait(10)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False)


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def collect(child, windows, changed):
    for line in child.stdout:
        index, streams = json.loads(line)
        with changed:
            windows[index] = streams
            changed.notify_all()


def agreed(windows):
    """Indices of both machines; fails where they do not agree on a frame's.

    Clocks that differ by a little may disagree about one that lies just there: the last
    one of a second on one machine is the first one of the next on the other.
    """
    seen = {}
    for mine in windows:
        for index, streams in mine.items():
            for stream, frames in enumerate(streams):
                for frame in frames:
                    assert frame & 1 == stream, (index, stream, frame)
                    at, edge = seen.setdefault(frame, (index, frames))
                    (_, before), (_, after) = sorted([(at, edge), (index, frames)])
                    assert at == index or (abs(at - index) == 1 and frame == before[-1]
                                           and frame == after[0]), (
                        f"frame {frame >> 1} of camera {stream} is in {at} and in {index}")
    return [index for index in windows[0] if index in windows[1] and all(
        len(set(a) & set(b)) >= FPS - 5
        for a, b in zip(windows[0][index], windows[1][index]))]


def start(machines, example, folder):
    """Returns the process of each machine that prints what it has."""
    clock = f"{HOSTS[0][1]}:5100"
    machines.run(0, example, "clock", "5100")
    for host, (name, address) in enumerate(HOSTS):
        media = 5000 + 10 * host
        machines.run(host, __file__, "--camera", f"{folder}/{name}", str(host))
        machines.run(host, example, "send", clock, f"{folder}/{name}",
                     *(f"{to}:{media}" for _, to in HOSTS))
        machines.run(host, example, "pair", clock, address, "5000", "5010",
                     f"{folder}/{name}-pairs")
    return [machines.run(host, __file__, "--print", f"{folder}/{name}-pairs",
                         stdout=subprocess.PIPE, text=True)
            for host, (name, _) in enumerate(HOSTS)]


def check(machines, example, folder):
    windows, changed = [{}, {}], threading.Condition()
    for child, mine in zip(start(machines, example, folder), windows):
        threading.Thread(target=collect, args=(child, mine, changed), daemon=True).start()
    end = time.monotonic() + DEADLINE
    with changed:
        while len(common := agreed(windows)) < WINDOWS:
            assert time.monotonic() < end, f"they never agree: {windows}"
            for child in machines.children:
                assert child.poll() is None, f"{child.args} ended"
            changed.wait(1)
    late = time.time() - max(common)
    assert 0 <= late < DEADLINE, f"index {max(common)} is no second of now"
    print(f"ok: seconds {sorted(common)} are the same on both machines")


def main():
    if sys.argv[1] == "--camera":
        camera(*sys.argv[2:])
    elif sys.argv[1] == "--print":
        show(sys.argv[2])
    elif os.geteuid() != 0 or not shutil.which("ip"):
        print("# SKIP network namespaces need root, and ip")
        sys.exit(77)
    else:
        machines = Machines()
        with tempfile.TemporaryDirectory() as folder:
            try:
                machines.connect()
            except subprocess.CalledProcessError as failure:
                machines.end()
                print(f"# SKIP no network namespaces here: {failure}")
                sys.exit(77)
            try:
                check(machines, os.path.join(sys.argv[1], "two_machines.py"), folder)
            finally:
                machines.end()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
