# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# To be sourced by the examples: finds the plugins, makes a folder for sockets
# that goes away at the end, and runs pipelines side by side.
set -euo pipefail

here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
# Not --exists: that asks for a plugin of GStreamer's own version.
if ! gst-inspect-1.0 shmframesink >/dev/null 2>&1; then
  # shellcheck source=../../scripts/environment
  . "$here/../../scripts/environment"
fi

sockets=$(mktemp -d)

cleanup() {
  local children
  mapfile -t children < <(jobs -p)
  [[ ${#children[@]} -eq 0 ]] || kill "${children[@]}" 2>/dev/null || true
  wait
  rm -rf "$sockets"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# One more process, in the background; `-e` makes Ctrl-C end it with EOS.
launch() {
  echo "gst-launch-1.0 $*"
  gst-launch-1.0 -q -e "$@" &
}

# One whose messages and notifications are shown as far as they match the
# pattern. It fails if nothing does, for then nothing has arrived.
launch_showing() {
  local pattern=$1
  shift
  echo "gst-launch-1.0 $*"
  gst-launch-1.0 -e -m -v "$@" | grep --line-buffered -o "$pattern" &
}

# A process that publishes the file $3 on the socket $1 or, where none is given,
# three seconds of the test picture $2; sink properties follow. A picture is
# live unless the example says `live=false`.
publish() {
  local socket=$1 pattern=$2 file=$3
  shift 3
  if [[ -n $file ]]; then
    launch filesrc location="$file" ! decodebin ! video/x-raw ! \
      shmframesink socket-path="$socket" "$@"
  else
    launch videotestsrc is-live="${live:-true}" pattern="$pattern" \
      num-buffers=75 ! \
      video/x-raw,format=I420,width=1280,height=720,framerate=25/1 ! \
      shmframesink socket-path="$socket" "$@"
  fi
}

# Waits for `$1` processes, and gives up on all when one of them fails.
finish() {
  local i
  for ((i = 0; i < $1; i++)); do
    wait -n || { echo "a pipeline failed" >&2; exit 1; }
  done
  echo "all $1 processes ended well"
}
