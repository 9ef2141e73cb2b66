#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the example on sources whose pixels are known and reads what it prints."""
import subprocess
import sys

PIPELINE = """
    secondbatcher name=b ! appsink name=sink sync=false
    videotestsrc pattern=white num-buffers=50 ! video/x-raw,format=RGB,
        width=64,height=48,framerate=25/1 ! b.
    videotestsrc pattern=black num-buffers=75 ! video/x-raw,format=GRAY8,
        width=70,height=48,framerate=50/1 ! b.
"""

EXPECTED = [
    "second 0: 25/25 (25, 48, 64, 3) mean 255.0; 50/50 (50, 48, 70, 1) mean 16.0",
    "second 1: 25/25 (25, 48, 64, 3) mean 255.0; 25/50 (25, 48, 70, 1) mean 16.0",
]

output = subprocess.run([sys.executable, sys.argv[1], PIPELINE], check=True,
                        capture_output=True, text=True, timeout=100).stdout
if output.splitlines() != EXPECTED:
    sys.exit(f"expected\n{EXPECTED}\ngot\n{output.splitlines()}")
