#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What an engine does for a container, with unshare: mount, user, PID, IPC, network and
# UTS namespaces of its own, root that is another user outside, and a volume at
# /run/cameras. It ends with this process (SIGKILL).
# Usage: container.sh USER GROUP FOLDER COMMAND...
set -euo pipefail

# shellcheck disable=SC2016
exec setpriv --reuid "$1" --regid "$2" --clear-groups \
  unshare --user --map-root-user --mount --pid --ipc --net --uts --fork --kill-child \
  sh -euc '
    mount -t tmpfs tmpfs /run
    mkdir /run/cameras
    mount --bind "$1" /run/cameras
    shift
    exec "$@"' sh "${@:3}"
