#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two live sources in two processes; a third makes one batch a second of both.
# With two files as arguments these take the place of the cameras.
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Nothing but `sync` makes a file come like a camera's pictures.
publish "$sockets/a" ball "${1:-}" ${1:+sync=true}
publish "$sockets/b" smpte "${2:-}" ${2:+sync=true}
launch_showing 'second-batch,.*' \
  secondbatcher name=batcher post-messages=true ! fakesink \
  shmframesrc socket-path="$sockets/a" ! batcher. \
  shmframesrc socket-path="$sockets/b" ! batcher.
finish 3
