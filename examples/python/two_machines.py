#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two machines cut the seconds of the same two cameras, each for itself.

Frames cross between machines by RTP, JPEG over UDP, on a clock that both share.
So a frame has one time wherever it arrives, and is in the same window there.
Usage:
  two_machines.py clock PORT                     the clock, on one of them
  two_machines.py send HOST:PORT SOCKET TO...    a camera's socket, to each TO (HOST:PORT)
  two_machines.py pair HOST:PORT ADDRESS LEFT RIGHT SOCKET
                                  what comes to the ports LEFT and RIGHT of ADDRESS, second
                                  by second, to a socket of batches
HOST:PORT is where the clock runs. RTCP takes the port after that of each camera.
"""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstNet", "1.0")
# pylint: disable-next=wrong-import-position
from gi.repository import GLib, Gst, GstNet

JPEG = "application/x-rtp,media=video,encoding-name=JPEG,clock-rate=90000,payload=26"
# A sender says once a second which of its timestamps is what time of the clock.
REPORTS = Gst.SECOND
SEND = """
rtpbin name=rtp ntp-time-source=clock-time rtcp-sync-send-time=false
shmframesrc socket-path={socket} ! queue leaky=downstream ! videoconvert !
    video/x-raw,format=I420 ! jpegenc ! rtpjpegpay ! rtp.send_rtp_sink_0
rtp.send_rtp_src_0 ! multiudpsink clients={media}
rtp.send_rtcp_src_0 ! multiudpsink clients={reports} sync=false async=false
"""
PAIR = """
rtpbin name=rtp ntp-sync=true ntp-time-source=clock-time buffer-mode=synced
    add-reference-timestamp-meta=true latency=200
secondbatcher name=pair align=utc ! shmframesink socket-path={socket}
"""
CAMERA = """
udpsrc address={address} port={port} caps="{caps}" ! rtp.recv_rtp_sink_{n}
udpsrc address={address} port={reports} caps=application/x-rtcp ! rtp.recv_rtcp_sink_{n}
rtpjpegdepay name=depay{n} ! jpegdec ! queue ! pair.sink_{n}
"""


def split(address):
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        sys.exit(f"two_machines: write HOST:PORT in place of {address}")
    return host, int(port)


def shared_clock(address):
    clock = GstNet.NetClientClock.new("shared", *split(address), 0)
    while not clock.wait_for_sync(5 * Gst.SECOND):
        print(f"two_machines: no answer yet from the clock at {address}", flush=True)
    return clock


def sender(address, socket, *receivers):
    pairs = [split(receiver) for receiver in receivers]
    pipeline = Gst.parse_launch(SEND.format(
        socket=socket, media=",".join(f"{host}:{port}" for host, port in pairs),
        reports=",".join(f"{host}:{port + 1}" for host, port in pairs)))
    session = pipeline.get_by_name("rtp").emit("get-internal-session", 0)
    session.set_property("rtcp-min-interval", REPORTS)
    pipeline.use_clock(shared_clock(address))
    return pipeline


def on_the_clock(_pad, info):
    """Drop what comes before a sender's first report: its time is not known yet."""
    unknown = info.get_buffer().get_reference_timestamp_meta(None) is None
    return Gst.PadProbeReturn.DROP if unknown else Gst.PadProbeReturn.REMOVE


def add_camera(_rtp, pad, pipeline):
    """Also when a sender was restarted, which makes it another source of RTP."""
    if not pad.get_name().startswith("recv_rtp_src_"):
        return
    number = pad.get_name().split("_")[3]
    sink = pipeline.get_by_name(f"depay{number}").get_static_pad("sink")
    if sink.is_linked():
        sink.get_peer().unlink(sink)
    pad.add_probe(Gst.PadProbeType.BUFFER, on_the_clock)
    pad.link(sink)


def pairer(clock, address, left, right, socket):
    cameras = (CAMERA.format(n=n, address=address, port=port, reports=int(port) + 1,
                             caps=JPEG) for n, port in enumerate([left, right]))
    pipeline = Gst.parse_launch(PAIR.format(socket=socket) + "".join(cameras))
    pipeline.get_by_name("rtp").connect("pad-added", add_camera, pipeline)
    pipeline.use_clock(shared_clock(clock))
    return pipeline


def run(pipeline):
    """Until Ctrl-C, or an error."""
    loop = GLib.MainLoop()
    errors = []

    def on_error(_bus, message):
        errors.append(message.parse_error()[0].message)
        loop.quit()

    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message::error", on_error)
    pipeline.set_state(Gst.State.PLAYING)
    try:
        loop.run()
    except KeyboardInterrupt:
        pass
    pipeline.set_state(Gst.State.NULL)
    sys.exit(errors[0] if errors else 0)


def main():
    Gst.init(None)
    kind, arguments = sys.argv[1:2], sys.argv[2:]
    if kind == ["clock"] and len(arguments) == 1:
        provider = GstNet.NetTimeProvider.new(Gst.SystemClock.obtain(), None,
                                              int(arguments[0]))
        if provider is None:
            sys.exit(f"two_machines: port {arguments[0]} is taken")
        try:
            GLib.MainLoop().run()
        except KeyboardInterrupt:
            pass
    elif kind == ["send"] and len(arguments) >= 3:
        run(sender(*arguments))
    elif kind == ["pair"] and len(arguments) == 5:
        run(pairer(*arguments))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
