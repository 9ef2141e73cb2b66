#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds and runs this example with the crates that Debian packages, without a network.
set -euo pipefail

here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
registry=/usr/share/cargo/registry
skip() {
  echo "# SKIP $*"
  exit 77
}
command -v cargo >/dev/null || skip "no cargo"
compgen -G "$registry/gstreamer-app-[0-9]*" >/dev/null ||
  skip "no gstreamer-rs: Debian after 13 has it (librust-gstreamer-app-dev)"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -r "$here/Cargo.toml" "$here/src" "$folder"
mkdir "$folder/.cargo"
cat >"$folder/.cargo/config.toml" <<END
[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "$registry"
END
cd "$folder"
export CARGO_HOME=$folder/home
cargo run --offline >"$folder/out" 2>"$folder/err" || {
  tail -n 40 "$folder/err"
  exit 1
}
for expected in "second 0" "second 2" "stream 0: 25 frames" "stream 1: 50 frames" \
  "frame 49 begins with"; do
  grep -q "$expected" "$folder/out" || {
    cat "$folder/out"
    echo "it did not print $expected"
    exit 1
  }
done
echo "3 seconds of two streams"
