#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the pages say may be kept in Python stays what it was: a copy of a signal's structure, and
the structure of an element message."""

import gc
import os
import tempfile

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

CONSUMERS = 5


def main():
    Gst.init(None)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        producer = Gst.parse_launch(
            "videotestsrc is-live=true ! video/x-raw,format=GRAY8,width=32,height=24 ! "
            f"shmframesink name=sink socket-path={path} async=false"
        )
        copies = []
        for signal in ("client-connected", "client-disconnected"):
            producer.get_by_name("sink").connect(
                signal, lambda sink, client: copies.append(client.copy())
            )
        producer.set_state(Gst.State.PLAYING)
        messages = []
        for i in range(CONSUMERS):
            consumer = Gst.parse_launch(f"shmframesrc name=consumer{i} socket-path={path} ! fakesink")
            consumer.set_state(Gst.State.PLAYING)
            for stop in (False, True):
                if stop:
                    consumer.set_state(Gst.State.NULL)
                message = None
                while message is None or not message.get_structure().get_name().startswith("shmframe"):
                    message = producer.get_bus().timed_pop_filtered(
                        30 * Gst.SECOND, Gst.MessageType.ELEMENT
                    )
                    assert message is not None, "no message came"
                messages.append(message.get_structure())
                del message
        producer.set_state(Gst.State.NULL)
        gc.collect()
        junk = [Gst.Structure.new_empty(f"junk{i}") for i in range(100)]
        assert len(junk) == 100
        names = [f"consumer{i // 2}" for i in range(2 * CONSUMERS)]
        assert [s.get_string("name") for s in copies] == names, copies
        assert [s.get_string("name") for s in messages] == names, messages


main()
