#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Prints the tables of docs/internals/benchmarks.md.
#
#     tests/benchmark/run.sh [BUILD-FOLDER] [ROUNDS]
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build}
rounds=${2:-7}

printf '%s, %s cores, kernel %s\n' \
  "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
  "$(nproc)" "$(uname -r)"
printf 'GStreamer %s; load %s\n' "$(pkg-config --modversion gstreamer-1.0)" \
  "$(cut -d ' ' -f 1-3 /proc/loadavg)"
for name in wake handover throughput; do
  echo
  meson devenv -C "$build" "tests/benchmark/$name" "--rounds=$rounds"
done
printf '\nload %s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
