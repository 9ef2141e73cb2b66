#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The plugins are found: by scripts/environment in any shell, from the tree; and by
# the examples where they are installed, outside of it. Arguments: the tree.
set -euo pipefail
tree=$1

# An example in a folder without the tree around it.
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
cp "$tree/examples/pipelines/common.sh" "$elsewhere/"
bash -c '. "$1/common.sh"; echo "installed: found"' - "$elsewhere"

export GST_PLUGIN_PATH=
cd "$tree"
# shellcheck disable=SC2016
for shell in sh dash bash zsh; do
  command -v "$shell" >/dev/null || continue
  "$shell" -c '. scripts/environment && test -n "$GST_PLUGIN_PATH"'
  echo "$shell: sourced in the project's folder"
done
cd /
# shellcheck disable=SC2016
bash -c '. "$1/scripts/environment" && test -n "$GST_PLUGIN_PATH"' - "$tree"
sh -c '. "$1/scripts/environment"' - "$tree" 2>&1 |
  grep "go to the project's folder"
