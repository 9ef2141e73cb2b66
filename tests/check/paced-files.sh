#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two files at the pace of cameras, by the documented line: second N of the files
# is batch N, with all of its frames. Arguments: the tree.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for pattern in ball smpte; do
  gst-launch-1.0 -q videotestsrc pattern="$pattern" num-buffers=75 ! \
    video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! jpegenc ! \
    avimux ! filesink location="$folder/$pattern.avi"
done
"$1/examples/pipelines/camera-pair.sh" "$folder/ball.avi" "$folder/smpte.avi" |
  tee "$folder/log"

field() {
  grep -o "$1=([a-z0-9]*)[0-9]*" "$folder/log" | sed 's/.*)//' | paste -sd' '
}
for wanted in 'index 0 1 2' 'frames-0 25 25 25' 'frames-1 25 25 25'; do
  read -r name values <<<"$wanted"
  [[ $(field "$name") == "$values" ]] ||
    { echo "$name is $(field "$name"), not $values"; exit 1; }
done
