#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Both plugins under valgrind: no error, and nothing is lost, whether the stream
# ends or somebody stops it.
#   usage: valgrind.sh SUPPRESSIONS
set -euo pipefail

command -v valgrind >/dev/null || exit 77
suppressions=$1
folder=$(mktemp -d "${TMPDIR:-/tmp}/shmframe-XXXXXX")
producer=''
end() {
  if [[ -n $producer ]]; then
    kill -KILL "$producer" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap end EXIT

fail() {
  echo "$1" >&2
  cat "$folder"/*.log >&2
  exit 1
}

# A pipeline, its output in a log of this name.
launch() {
  local log=$folder/$1.log
  shift
  G_SLICE=always-malloc exec valgrind -q --error-exitcode=9 \
    --leak-check=full --show-leak-kinds=definite \
    --errors-for-leak-kinds=definite --num-callers=30 \
    --suppressions="$suppressions" gst-launch-1.0 -q "$@" >"$log" 2>&1
}

size=video/x-raw,format=GRAY8,width=64,height=48,framerate=30/1

# The registry is made without valgrind, which would take long.
gst-inspect-1.0 shmframesink >/dev/null

# async=false: both ends are in one pipeline, and the second one has nothing
# before the first one plays.
(launch batches videotestsrc num-buffers=60 ! "$size" \
  ! shmframesink async=false socket-path="$folder/s" delivery=lossless \
  shmframesrc is-live=false socket-path="$folder/s" ! queue \
  ! secondbatcher ! secondsplitter ! fakesink async=false sync=false) \
  || fail "a stream that ends: status $?"

# Not in a subshell of its own: the signal is for valgrind.
launch producer videotestsrc is-live=true ! "$size" \
  ! shmframesink socket-path="$folder/s" &
producer=$!
(launch consumer shmframesrc num-buffers=20 socket-path="$folder/s" \
  ! fakesink sync=false) || fail "a consumer that leaves: status $?"
kill -INT "$producer"
status=0
wait "$producer" || status=$?
producer=''
((status == 0)) || fail "a producer that is interrupted: status $status"
[[ ! -e $folder/s ]] || fail "the socket is left"
