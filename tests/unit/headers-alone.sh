#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each header compiles as the first one of a file, and included twice.
#   usage: CC=cc headers-alone.sh SOURCE_ROOT BUILD_ROOT PKG_CONFIG MODULE...
set -u
root=$1 build=$2 pkg_config=$3
shift 3
failed=0
gst_flags=$("$pkg_config" --cflags "$@") || exit 1

# alone HEADER FLAG...
alone () {
  header=$1
  shift
  # shellcheck disable=SC2086
  printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
    $CC -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only \
      -I "$root/lib" "$@" -x c - || {
    echo "$header does not compile alone" >&2
    failed=1
  }
}

for header in "$root"/lib/*/*.h; do
  alone "$header"
done
for header in "$root"/gst/*/*.h "$root"/gst/*/*/*.h; do
  [ -e "$header" ] || continue
  plugin=${header#"$root"/gst/}
  # shellcheck disable=SC2086
  alone "$header" -I "$build" -I "$root/gst/${plugin%%/*}" \
    -I "$root/gst/secondbatch" $gst_flags
done
exit $failed
