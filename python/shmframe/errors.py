# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong, as exceptions."""

from __future__ import annotations


class Error(Exception):
    """Something cannot go on; the text says what, and what to do.

    Where an element of GStreamer failed, the text is that element's own sentence.
    """


class Timeout(Error, TimeoutError):
    """Nothing came within the `timeout` that was asked for."""
