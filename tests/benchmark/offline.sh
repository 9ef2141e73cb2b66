#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# JPEG pictures of 1080p, 25 of them again and again, as files whose decoding is
# hard (a zone plate) or easy (a ball): decoded as fast as that goes, and batched by
# the second. For each pair of them, by turns, seconds for all of it:
#   slower       the slower decoder, with nothing else on the machine
#   both         both decoders, each in a process, their frames dropped
#   kept         the same, but each keeps two seconds of frames, as batching needs
#   one          decoded and batched in one process
#   three        decoded in two processes, batched in a third
# Printed are the medians (least - most), and the ratio of three to each.
#
#     tests/benchmark/offline.sh [ROUNDS [FRAMES [PAIR...]]]    (in meson devenv)
#
# PAIR: hard:easy, hard:hard or easy:easy; all three, if none is given.
set -euo pipefail
rounds=${1:-5} frames=${2:-1500}
pairs=("${@:3}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
TIMEFORMAT=%R

pictures() {
  gst-launch-1.0 -q videotestsrc num-buffers=25 "${@:2}" \
    ! video/x-raw,format=I420,width=1920,height=1080,framerate=25/1 \
    ! jpegenc ! multifilesink location="$work/$1-%02d.jpg"
}
pictures hard pattern=zone-plate kx2=20 ky2=20 kt=1
pictures easy pattern=ball

# shellcheck disable=SC2086 # a pipeline is words
launch() {
  gst-launch-1.0 -q $1 >/dev/null
}
decoder() {
  echo "multifilesrc location=$work/$1-%02d.jpg loop=true stop-index=24
    num-buffers=$frames caps=image/jpeg,framerate=25/1 ! jpegdec"
}
two_processes() {
  launch "$(decoder "$1") ! $3" & launch "$(decoder "$2") ! $3"
  wait
}
keeping='queue min-threshold-buffers=50 max-size-buffers=60 max-size-bytes=0 max-size-time=0 ! fakesink'

slower() { launch "$(decoder "$1") ! fakesink"; }
both() { two_processes "$1" "$2" fakesink; }
kept() { two_processes "$1" "$2" "$keeping"; }
one() {
  launch "secondbatcher name=b ! fakesink
    $(decoder "$1") ! queue ! b.sink_0 $(decoder "$2") ! queue ! b.sink_1"
}
three() {
  launch "$(decoder "$1") ! shmframesink socket-path=$work/0" &
  launch "$(decoder "$2") ! shmframesink socket-path=$work/1" &
  launch "secondbatcher name=b ! fakesink
    shmframesrc socket-path=$work/0 is-live=false ! b.sink_0
    shmframesrc socket-path=$work/1 is-live=false ! b.sink_1"
  wait
}

median() {
  sort -n "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}
compare() {
  local way
  for way in slower both kept one three; do : >"$work/$way"; done
  for ((i = 0; i < rounds; i++)); do
    for way in slower both kept one three; do
      { time "$way" "$1" "$2"; } 2>>"$work/$way"
    done
  done
  for way in slower both kept one three; do
    printf '%-6s %-6s %-8s %6.2f s (%s - %s), three / %s = %.2f\n' "$1" "$2" "$way" \
      "$(median "$work/$way")" "$(sort -n "$work/$way" | head -n 1)" \
      "$(sort -n "$work/$way" | tail -n 1)" "$way" \
      "$(echo "$(median "$work/three") $(median "$work/$way")" | awk '{ print $1 / $2 }')"
  done
}
[ ${#pairs[@]} -gt 0 ] || pairs=(hard:easy hard:hard easy:easy)
for pair in "${pairs[@]}"; do
  compare "${pair%:*}" "${pair#*:}"
done
