# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# To be sourced: a folder that other users can read, with the plugins in it, and an end
# to all that was started. Needs root, to become others.
set -euo pipefail

if [[ $(id -u) -ne 0 ]]; then
  echo "# SKIP needs root, to become other users"
  exit 77
fi
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
build=${BUILD:-$here/../../build}
folder=$(mktemp -d)
cleanup() {
  local children
  mapfile -t children < <(jobs -p)
  # As the first process of a PID namespace they take no other signal.
  [[ ${#children[@]} -eq 0 ]] || kill -KILL "${children[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT

chmod 755 "$folder"
mkdir "$folder/plugins"
cp "$build"/gst/shmframe/libgstshmframe.so "$folder/plugins"
export GST_PLUGIN_PATH=$folder/plugins GST_REGISTRY=$folder/registry.bin
gst-inspect-1.0 shmframesink >/dev/null
chmod 644 "$GST_REGISTRY"

# Any numbers do: neither these users nor their group need an entry in /etc/passwd.
camera=20001 viewer=20002 stranger=20003 group=20010

fail() {
  echo "$*" >&2
  exit 1
}

picture=(videotestsrc is-live=true '!'
  "video/x-raw,format=I420,width=320,height=240,framerate=25/1")
