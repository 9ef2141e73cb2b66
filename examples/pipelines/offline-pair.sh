#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two files in two processes as fast as a third takes their frames, with the
# timestamps of the files: second N of one with second N of the other, and no
# frame is lost. Without two files as arguments, test pictures.
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

live=false
publish "$sockets/a" ball "${1:-}"
publish "$sockets/b" smpte "${2:-}"
launch_showing 'second-batch, index.*' \
  secondbatcher name=batcher post-messages=true ! fakesink \
  shmframesrc is-live=false socket-path="$sockets/a" ! batcher. \
  shmframesrc is-live=false socket-path="$sockets/b" ! batcher.
finish 3
