#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A camera of the network: rtsp://127.0.0.1:PORT/stream. Usage: rtsp_camera.py PORT"""
import sys

import gi
gi.require_version("GstRtspServer", "1.0")
# pylint: disable-next=wrong-import-position
from gi.repository import GLib, Gst, GstRtspServer

Gst.init(None)
server = GstRtspServer.RTSPServer(service=sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory(shared=True)
factory.set_launch(
    "( videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,"
    "framerate=25/1 ! jpegenc ! rtpjpegpay name=pay0 )")
server.get_mount_points().add_factory("/stream", factory)
server.attach(None)
GLib.MainLoop().run()
