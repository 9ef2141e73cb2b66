#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# lib/ compiles with libc's headers and its own; it names no memory order outside
# of shared/atomics.h, and nothing that logs or ends the process.
#   usage: CC=cc lib-is-plain-c.sh LIB_FOLDER
set -u
lib=$1
failed=0
unset CPATH C_INCLUDE_PATH

complain () {
  echo "$1:" >&2
  echo "$2" >&2
  failed=1
}

for file in "$lib"/*/*.c; do
  # $CC may be a wrapper and its compiler.
  # shellcheck disable=SC2086
  $CC -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only \
    -I "$lib" "$file" || failed=1
done

found=$(grep -nE '#[[:space:]]*include.*(glib|gst|gobject|gio)' "$lib"/*/*.[ch]) &&
  complain 'lib includes GLib or GStreamer' "$found"
found=$(grep -nE 'memory_order|[^f]atomic_[a-z]+ \(' "$lib"/*/*.[ch] |
  grep -v '/atomics\.h:') && complain 'memory order outside of shared/atomics.h' "$found"
found=$(grep -nwE '(v?f?printf|puts|perror|syslog|abort|_?exit|assert) *\(' \
  "$lib"/*/*.[ch]) && complain 'lib logs or ends the process' "$found"
exit $failed
