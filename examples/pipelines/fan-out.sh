#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One live source and three viewers, each in a process of its own. A viewer that
# is slow loses frames of its own and nobody else's.
# VIEWER=autovideosink shows the pictures.
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

publish "$sockets/camera" ball ""
for _ in 1 2 3; do
  launch shmframesrc socket-path="$sockets/camera" ! queue ! videoconvert ! \
    "${VIEWER:-fakesink}"
done
finish 4
