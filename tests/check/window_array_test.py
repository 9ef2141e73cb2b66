#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The example's arrays have the frames' pixels, and received ones their address."""
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import window_array  # noqa: E402
from window_array import Gst, np  # noqa: E402

CAPS = "video/x-raw,format=RGB,width=90,height=40,framerate=25/1"
BATCHER = "secondbatcher name=b output=memory ! appsink name=sink sync=false max-buffers=1"
# windows that may be under way when the ring grows, and until it has gone round
CALM = 8


def address(array):
    return array.__array_interface__["data"][0]


def check(buffer, same_address):
    batch = buffer.get_custom_meta("GstSecondBatchMeta").get_structure()
    frames = batch.get_value("buffers-0")
    with window_array.window(buffer, 0) as array:
        assert array.shape == (25, 40, 90, 3), array.shape
        assert not array.flags.writeable and not array.flags.owndata
        for t in range(25):
            data = frames.get(t).extract_dup(0, frames.get(t).get_size())
            frame = np.ndarray((40, 90, 3), np.uint8, data, 0, (272, 3, 1))
            assert np.array_equal(array[t], frame), f"frame {t} differs"
        with frames.get(0).map(Gst.MapFlags.READ) as mapped:
            first = address(np.frombuffer(mapped.data, np.uint8))
        assert address(array) == first, "the window was copied on the way"
    assert same_address == (batch.get_value("frame-stride-0") % 4096 == 0)


def pull(pipeline):
    return pipeline.get_by_name("sink").emit("pull-sample").get_buffer()


def ordinary():
    pipeline = Gst.parse_launch(f"videotestsrc pattern=snow ! {CAPS} ! {BATCHER}")
    pipeline.set_state(Gst.State.PLAYING)
    for _ in range(3):
        check(pull(pipeline), False)
    pipeline.set_state(Gst.State.NULL)


def shared(folder):
    path = os.path.join(folder, "s")
    producer = Gst.parse_launch(f"videotestsrc pattern=snow ! {CAPS} ! "
                                f"shmframesink name=origin socket-path={path}")
    # so many that the ring has its size at once
    consumer = Gst.parse_launch(f"shmframesrc socket-path={path} is-live=false "
                                "max-held=80 ! " + BATCHER)
    producer.set_state(Gst.State.PLAYING)
    consumer.set_state(Gst.State.PLAYING)
    growths, calm, checked = 0, 0, 0
    while checked < 8:
        buffer = pull(consumer)
        now = producer.get_by_name("origin").props.stats.get_value("growths")
        calm = calm + 1 if now == growths else 0
        growths = now
        if calm >= CALM:
            check(buffer, True)
            checked += 1
    consumer.set_state(Gst.State.NULL)
    producer.set_state(Gst.State.NULL)


Gst.init(None)
ordinary()
if "shared" in sys.argv:
    with tempfile.TemporaryDirectory() as temporary:
        shared(temporary)
