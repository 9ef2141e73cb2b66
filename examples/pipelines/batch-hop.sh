#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two live sources, a process that makes batches of them, and a fourth that
# receives them: the frames stay in the memory of the first two, and no batch
# is lost while the fourth is busy.
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

publish "$sockets/a" ball ""
publish "$sockets/b" smpte ""
launch secondbatcher name=batcher ! \
  shmframesink socket-path="$sockets/pairs" delivery=lossless \
  shmframesrc socket-path="$sockets/a" ! batcher. \
  shmframesrc socket-path="$sockets/b" ! batcher.
launch_showing 'chain .*' \
  shmframesrc socket-path="$sockets/pairs" ! fakesink silent=false
finish 4
