# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two files of pictures, decoded and batched as fast as that goes.

JPEG pictures of 1080p, 25 of them again and again, whose decoding is hard (a zone
plate) or easy (a ball). Seconds for all of it by each of WAYS.
"""

import pathlib
import subprocess
import tempfile
import time

KINDS = {"hard": "pattern=zone-plate kx2=20 ky2=20 kt=1", "easy": "pattern=ball"}
PAIRS = (("hard", "easy"), ("hard", "hard"), ("easy", "easy"))
# Two seconds of frames, as batching keeps.
KEEPING = ("queue min-threshold-buffers=50 max-size-buffers=60 max-size-bytes=0 "
           "max-size-time=0 ! fakesink")


class Files:
    def __init__(self, bench, folder, frames):
        self.bench, self.folder, self.frames = bench, pathlib.Path(folder), frames
        for kind, pattern in KINDS.items():
            self.launch(f"videotestsrc num-buffers=25 {pattern} ! video/x-raw,"
                        "format=I420,width=1920,height=1080,framerate=25/1 ! jpegenc ! "
                        f"multifilesink location={folder}/{kind}-%02d.jpg")

    def launch(self, *pipelines):
        """Runs them side by side."""
        running = [subprocess.Popen(["gst-launch-1.0", "-q", *pipeline.split()],
                                    env=self.bench.environment,
                                    stdout=subprocess.DEVNULL)
                   for pipeline in pipelines]
        if any([process.wait() for process in running]):
            raise SystemExit(f"a pipeline failed: {pipelines}")

    def decoder(self, kind):
        return (f"multifilesrc location={self.folder}/{kind}-%02d.jpg loop=true "
                f"stop-index=24 num-buffers={self.frames} "
                "caps=image/jpeg,framerate=25/1 ! jpegdec")

    def slower(self, pair):
        """The slower decoder, with nothing else on the machine."""
        self.launch(f"{self.decoder(pair[0])} ! fakesink")

    def both(self, pair):
        """Both decoders, each in a process, their frames dropped."""
        self.launch(*(f"{self.decoder(kind)} ! fakesink" for kind in pair))

    def kept(self, pair):
        """The same, but each keeps two seconds of frames, as batching needs."""
        self.launch(*(f"{self.decoder(kind)} ! {KEEPING}" for kind in pair))

    def one(self, pair):
        """Decoded and batched in one process."""
        decoders = (f"{self.decoder(kind)} ! queue ! b.sink_{i}"
                    for i, kind in enumerate(pair))
        self.launch(f"secondbatcher name=b ! fakesink {' '.join(decoders)}")

    def three(self, pair):
        """Decoded in two processes, batched in a third."""
        sources = (f"shmframesrc socket-path={self.folder}/{i} is-live=false ! b.sink_{i}"
                   for i, _ in enumerate(pair))
        self.launch(*(f"{self.decoder(kind)} ! shmframesink socket-path={self.folder}/{i}"
                      for i, kind in enumerate(pair)),
                    f"secondbatcher name=b ! fakesink {' '.join(sources)}")


def offline(bench):
    """Two files in two processes, batched in a third. Minutes: only by name."""
    frames = bench.few(50, 1500)
    with tempfile.TemporaryDirectory() as folder:
        files = Files(bench, folder, frames)
        for pair in PAIRS:
            def measure(way):
                start = time.monotonic()
                getattr(files, way)(pair)
                return {"seconds": time.monotonic() - start}, []
            bench.compare("offline", f"{' and '.join(pair)}, {frames}", "unpinned",
                          ["slower", "both", "kept", "one", "three"], bench.few(1, 5),
                          measure)
