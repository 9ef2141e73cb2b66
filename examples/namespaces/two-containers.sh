#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two containers that know nothing of each other (container.sh) share one folder, and
# that is where the socket is.
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

mkdir -m 2770 "$folder/volume"
chown "$camera:$group" "$folder/volume"
producer=("$here/container.sh" "$camera" "$group" "$folder/volume"
  gst-launch-1.0 -q "${picture[@]}" '!'
  shmframesink socket-path=/run/cameras/front socket-mode=0660)
consumer=("$here/container.sh" "$viewer" "$group" "$folder/volume"
  gst-launch-1.0 shmframesrc socket-path=/run/cameras/front num-buffers=50 '!' fakesink)

"${consumer[@]:0:4}" true 2>"$folder/said" || {
  echo "# SKIP no containers here: $(tail -n 1 "$folder/said")"
  exit 77
}

"${producer[@]}" &
"${consumer[@]}"

echo "the producer's container is killed, and another one takes its place"
kill -KILL "$!"
"${consumer[@]}" &
waiting=$!
sleep 1
"${producer[@]}" &
wait "$waiting" || fail "the consumer did not go on"
[[ ! -e /run/cameras/front ]] || fail "the socket is not in the volume alone"
echo "frames crossed from one container to the other"
