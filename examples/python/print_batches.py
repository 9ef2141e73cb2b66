#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the batches of a pipeline and reads their frames into NumPy arrays.

Plain PyGObject is enough; gst-python is not needed. The pipeline must end in an
appsink named "sink" that receives batches of raw video:

    print_batches.py 'secondbatcher name=b ! appsink name=sink
        shmframesrc socket-path=/tmp/a ! b.  shmframesrc socket-path=/tmp/b ! b.'

Without arguments it batches two test sources.
"""
import sys

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo  # noqa: E402

DEFAULT = """
    secondbatcher name=b ! appsink name=sink sync=false
    videotestsrc num-buffers=50 ! video/x-raw,format=RGB,width=64,height=48,
        framerate=25/1 ! b.
    videotestsrc num-buffers=100 ! video/x-raw,format=GRAY8,width=70,height=48,
        framerate=50/1 ! b.
"""

CHANNELS = {"RGB": 3, "BGR": 3, "RGBA": 4, "BGRA": 4, "RGBx": 4, "BGRx": 4,
            "GRAY8": 1}


def frame_to_array(buffer, info):
    """One packed frame as (height, width, channels), without row padding."""
    name = info.finfo.name
    if name not in CHANNELS:
        raise ValueError(f"no array for {name}; use videoconvert before")
    channels = CHANNELS[name]
    # The buffer says where its rows are, if that differs from what caps imply
    meta = GstVideo.buffer_get_video_meta(buffer)
    stride = meta.stride[0] if meta else info.stride[0]
    offset = meta.offset[0] if meta else info.offset[0]
    data = buffer.extract_dup(0, buffer.get_size())
    return np.ndarray((info.height, info.width, channels), np.uint8, data,
                      offset, (stride, channels, 1))


def frames_of(batch, stream):
    """All frames of one stream as (frames, height, width, channels)."""
    caps = batch.get_value(f"caps-{stream}")
    buffers = batch.get_value(f"buffers-{stream}")
    info = GstVideo.VideoInfo.new_from_caps(caps)
    arrays = [frame_to_array(buffers.get(i), info)
              for i in range(buffers.length())]
    return np.stack(arrays) if arrays else None


def print_batch(buffer):
    meta = buffer.get_custom_meta("GstSecondBatchMeta")
    batch = meta.get_structure()
    streams = []
    for k in range(batch.get_value("n-streams")):
        have = batch.get_value(f"frames-{k}")
        expected = batch.get_value(f"expected-{k}")
        frames = frames_of(batch, k)
        shape = frames.shape if frames is not None else "-"
        mean = f"{frames.mean():.1f}" if frames is not None else "-"
        streams.append(f"{have}/{expected} {shape} mean {mean}")
    print(f"second {batch.get_value('index')}:", "; ".join(streams), flush=True)


def main():
    Gst.init(None)
    # Sinks hand over batches only where the meta's name is known, which loading
    # the plugin makes it
    pipeline = Gst.parse_launch(" ".join(sys.argv[1:]) or DEFAULT)
    sink = pipeline.get_by_name("sink")
    pipeline.set_state(Gst.State.PLAYING)
    try:
        while True:
            sample = sink.emit("pull-sample")
            if sample is None:
                break
            print_batch(sample.get_buffer())
        message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        if message:
            sys.exit(f"error: {message.parse_error()[0].message}")
    except KeyboardInterrupt:
        pass
    finally:
        pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
