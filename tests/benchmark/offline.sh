#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two MJPEG files of 1080p, 3000 frames each and as hard to decode as each other,
# decoded as fast as that goes and batched by the second:
# decoders alone, with a queue that keeps two seconds, with the batcher in one
# process, and with two producers and the batcher in three. Seconds for all of it,
# by turns, and the CPU time of the busiest decoding process of the three.
#
#     tests/benchmark/offline.sh [ROUNDS]          (in meson devenv)
set -euo pipefail
rounds=${1:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
TIMEFORMAT='%R %U %S'

for k in 0 1; do
  gst-launch-1.0 -q videotestsrc num-buffers=3000 pattern=ball flip=$((k == 1)) \
    ! video/x-raw,format=I420,width=1920,height=1080,framerate=25/1 \
    ! jpegenc ! avimux ! filesink location="$work/$k.avi"
done

# shellcheck disable=SC2086 # a pipeline is words
decode() {
  gst-launch-1.0 -q filesrc location="$work/$1.avi" ! avidemux ! jpegdec ! $2
}
apart() {
  decode 0 "$1" & decode 1 "$1"
  wait
}
batched=(secondbatcher name=b ! fakesink)
one_process() {
  gst-launch-1.0 -q "${batched[@]}" \
    filesrc location="$work/0.avi" ! avidemux ! jpegdec ! queue ! b.sink_0 \
    filesrc location="$work/1.avi" ! avidemux ! jpegdec ! queue ! b.sink_1
}
three_processes() {
  for k in 0 1; do
    { time decode $k "shmframesink socket-path=$work/s$k"; } 2>"$work/cpu$k" &
  done
  gst-launch-1.0 -q "${batched[@]}" \
    shmframesrc socket-path="$work/s0" is-live=false ! b.sink_0 \
    shmframesrc socket-path="$work/s1" is-live=false ! b.sink_1 >/dev/null
  wait
}
keep='queue min-threshold-buffers=50 max-size-buffers=60 max-size-bytes=0 max-size-time=0 ! fakesink'

printf '%-10s %-10s %-12s %-16s %s\n' decoders 'two kept' 'one process' \
  'three processes' 'of them, CPU of the busiest (user + sys)'
for ((i = 0; i < rounds; i++)); do
  { time apart fakesink; } 2>"$work/a"
  { time apart "$keep"; } 2>"$work/k"
  { time one_process; } 2>"$work/o"
  { time three_processes; } 2>"$work/t"
  printf '%-10s %-10s %-12s %-16s %s\n' "$(cut -d ' ' -f 1 "$work/a")" \
    "$(cut -d ' ' -f 1 "$work/k")" "$(cut -d ' ' -f 1 "$work/o")" \
    "$(cut -d ' ' -f 1 "$work/t")" \
    "$(awk '{ s = $2 + $3; if (s > m) m = s } END { print m }' "$work/cpu0" "$work/cpu1")"
done
