#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a packager does: a tarball, built in one go with all optimisations and no
# warning, staged, installed, used from there as a user would, and removed again.
# Of a git tree it is what was committed last.
# Usage: install.sh SOURCE-TREE
set -euo pipefail

tree=$1
here=$(mktemp -d /tmp/shmframe-install-XXXXXX)
children=()
tidy_up() {
  for child in "${children[@]}"; do
    kill "$child" 2>/dev/null || continue
    wait "$child" || true
  done
  rm -rf "$here"
}
trap tidy_up EXIT
unset GST_PLUGIN_PATH GST_REGISTRY DESTDIR

step() { echo "# $*"; }
fail() {
  echo "install: $*"
  exit 1
}
quietly() {
  "$@" >"$here/log" 2>&1 || { tail -40 "$here/log"; fail "$*"; }
}

source=$tree
if git -C "$tree" rev-parse --git-dir >/dev/null 2>&1; then
  step "the tarball"
  quietly meson setup "$here/for-dist" "$tree" -Dtests=disabled -Dexamples=disabled
  quietly meson dist -C "$here/for-dist" --no-tests --allow-dirty --formats gztar
  tar -xzf "$here"/for-dist/meson-dist/*.tar.gz -C "$here"
  source=$(echo "$here"/gst-shmframe-*)
fi

step "build, with link-time optimisation, as unity, warnings are errors"
prefix=$here/prefix
quietly meson setup "$here/build" "$source" --prefix="$prefix" --libdir=lib --werror \
  -Dbuildtype=release -Db_lto=true --unity=on -Dtests=disabled -Dexamples=disabled
quietly ninja -C "$here/build"

step "staged"
DESTDIR=$here/stage quietly ninja -C "$here/build" install
[ -e "$here/stage$prefix/bin/shmframe-top" ] || fail "nothing is in DESTDIR"
[ ! -e "$prefix" ] || fail "DESTDIR was not all"

step "installed"
quietly ninja -C "$here/build" install
for file in bin/shmframe-top share/man/man1/shmframe-top.1 \
  share/bash-completion/completions/shmframe-top lib/pkgconfig/gst-shmframe.pc \
  include/gst-shmframe/gstsecondbatchview.h \
  lib/gstreamer-1.0/libgstshmframe.so lib/gstreamer-1.0/libgstsecondbatch.so; do
  [ -s "$prefix/$file" ] || fail "$file is not installed"
done

step "a program against its headers"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
read -ra cc <<<"${CC:-cc}"
read -ra flags <<<"$(pkg-config --cflags --libs gst-shmframe)"
quietly "${cc[@]}" -o "$here/user" "$tree/tests/install/subproject/user.c" "${flags[@]}"
quietly "$here/user"
[ "$(pkg-config --variable=pluginsdir gst-shmframe)" = "$prefix/lib/gstreamer-1.0" ] \
  || fail "pluginsdir is wrong"

step "a pair"
GST_PLUGIN_PATH=$(pkg-config --variable=pluginsdir gst-shmframe)
export GST_PLUGIN_PATH GST_REGISTRY=$here/registry.bin
socket=$here/camera
gst-launch-1.0 -q videotestsrc is-live=true ! \
  video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! \
  shmframesink socket-path="$socket" >/dev/null 2>&1 &
children+=($!)
quietly timeout 60 gst-launch-1.0 shmframesrc socket-path="$socket" num-buffers=30 ! fakesink
"$prefix/bin/shmframe-top" --once "$socket" | grep -q '  pid ' || fail "shmframe-top sees no producer"

step "removed"
quietly ninja -C "$here/build" uninstall
left=$(find "$here" -path "$prefix/*" ! -type d)
[ -z "$left" ] || fail "still there: $left"

step "as a subproject"
cp -r "$tree/tests/install/subproject" "$here/user-project"
mkdir "$here/user-project/subprojects"
ln -s "$source" "$here/user-project/subprojects/gst-shmframe"
unset PKG_CONFIG_PATH
quietly meson setup "$here/user-build" "$here/user-project" --wrap-mode=forcefallback
quietly ninja -C "$here/user-build" user
quietly "$here/user-build/user"
echo "# all well"
