#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Checks a model exhaustively, and that spin catches each mutant that its head
# comment names: a check that nothing can fail proves nothing.
#   usage: CC=cc run.sh MODEL.pml
set -u
model=$(realpath "$1")
folder=$(dirname "$model")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
cp "$folder"/*.h .

# check NAME FLAG... : 0 no error, 1 an error, 2 not checked
check () {
  name=$1
  shift
  if ! spin "$@" -a "$model" > log 2>&1 ||
    ! $CC -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=4096 -o pan pan.c >> log 2>&1; then
    cat log >&2
    return 2
  fi
  ./pan -m1000000 > log 2>&1
  if grep -qE 'errors: [1-9]' log; then
    echo "$name: $(grep -oE 'assertion violated.*|invalid end state' log | head -1)"
    return 1
  elif grep -qE 'search depth too small|reached -DMEMLIM|Search not completed' log ||
    ! grep -q 'errors: 0' log; then
    cat log >&2
    return 2
  fi
  echo "$name: $(grep -oE '[0-9.e+]+ states, stored' log), no error"
}

check "$(basename "$model")" || exit 1
mutants=$(awk '/Mutants:/ { on = 1 } on { print } /\*\// { on = 0 }' "$model" |
  grep -oE '\b[A-Z_]{5,}\b') || { echo "$model names no mutants"; exit 1; }
for mutant in $mutants; do
  check "mutant $mutant" "-D$mutant"
  [ $? -eq 1 ] || { echo "mutant $mutant was not caught"; exit 1; }
done
