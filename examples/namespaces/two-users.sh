#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two users and a group: one has the camera, one sees it since it is in the group, and
# one is not, and does not.
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# For its owner to write to, and for the group to find; sockets get that group.
install -d -m 2750 -o "$camera" -g "$group" "$folder/cameras"
socket=$folder/cameras/front

setpriv --reuid "$camera" --regid "$camera" --clear-groups \
  gst-launch-1.0 -q "${picture[@]}" ! \
  shmframesink socket-path="$socket" socket-mode=0660 &

setpriv --reuid "$viewer" --regid "$viewer" --groups "$group" \
  gst-launch-1.0 shmframesrc socket-path="$socket" num-buffers=25 ! fakesink

[[ $(stat --format='%a %u %g' "$socket") == "660 $camera $group" ]] ||
  fail "the socket is not as it was asked for: $(stat "$socket")"

if setpriv --reuid "$stranger" --regid "$stranger" --clear-groups \
  gst-launch-1.0 shmframesrc socket-path="$socket" num-buffers=25 ! fakesink \
  >"$folder/said" 2>&1; then
  fail "a stranger got frames"
fi
grep "No permission to connect to" "$folder/said" || fail "$(cat "$folder/said")"
echo "the group has the camera, and nobody else"
