#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each window of a stream as one NumPy array (T, H, W, C), without a copy.

Needs gst-python, whose maps are memoryviews. The pipeline must have a
secondbatcher with output=memory and an appsink named "sink":

    window_array.py 'shmframesrc socket-path=/tmp/a !
        secondbatcher output=memory ! appsink name=sink'

Without arguments it batches a test source, whose frames are copied once.
"""
import contextlib
import sys

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo  # noqa: E402

DEFAULT = """
    videotestsrc num-buffers=75 ! video/x-raw,format=RGB,width=64,height=48,
        framerate=25/1 ! secondbatcher output=memory ! appsink name=sink sync=false
"""

CHANNELS = {"RGB": 3, "BGR": 3, "RGBA": 4, "BGRA": 4, "RGBx": 4, "BGRx": 4,
            "GRAY8": 1}


@contextlib.contextmanager
def window(buffer, stream):
    """The array, valid inside the `with`: it is the memory that the frames are in,
    possibly another process's. Copy what is to stay."""
    batch = buffer.get_custom_meta("GstSecondBatchMeta").get_structure()
    frames = batch.get_value(f"frames-{stream}")
    if not batch.get_value(f"contiguous-{stream}"):
        raise ValueError(f"the {frames} frames of stream {stream} are no array")
    info = GstVideo.VideoInfo.new_from_caps(batch.get_value(f"caps-{stream}"))
    if info.finfo.name not in CHANNELS:
        raise ValueError(f"no array for {info.finfo.name}; use videoconvert before")
    channels = CHANNELS[info.finfo.name]
    # The frames say where their rows are, if that differs from what caps imply
    meta = GstVideo.buffer_get_video_meta(
        batch.get_value(f"buffers-{stream}").get(0))
    row = meta.stride[0] if meta else info.stride[0]
    offset = meta.offset[0] if meta else info.offset[0]
    # Memory K is stream K's; one alone is mapped where it is
    with buffer.map_range(stream, 1, Gst.MapFlags.READ) as mapped:
        yield np.ndarray((frames, info.height, info.width, channels), np.uint8,
                         mapped.data, offset,
                         (batch.get_value(f"frame-stride-{stream}"), row,
                          channels, 1))


def main():
    Gst.init(None)
    pipeline = Gst.parse_launch(" ".join(sys.argv[1:]) or DEFAULT)
    sink = pipeline.get_by_name("sink")
    pipeline.set_state(Gst.State.PLAYING)
    try:
        while sample := sink.emit("pull-sample"):
            buffer = sample.get_buffer()
            for stream in range(buffer.n_memory()):
                with window(buffer, stream) as array:
                    print(f"stream {stream}: {array.shape}, strides "
                          f"{array.strides}, mean {array.mean():.1f}", flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
