#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two live sources in two processes; a third makes one batch a second of both.
# With two files as arguments these take the place of the cameras: they come at the
# same pace, and second N of one file is paired with second N of the other.
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# `sync=true` gives a file a camera's pace. `is-live=false` keeps its timestamps,
# and waits for each frame as long as it takes.
times=()
[[ $# -eq 0 ]] || times=(is-live=false)
publish "$sockets/a" ball "${1:-}" ${1:+sync=true}
publish "$sockets/b" smpte "${2:-}" ${2:+sync=true}
launch_showing 'second-batch, index.*' \
  secondbatcher name=batcher post-messages=true ! fakesink \
  shmframesrc "${times[@]}" socket-path="$sockets/a" ! batcher. \
  shmframesrc "${times[@]}" socket-path="$sockets/b" ! batcher.
finish 3
