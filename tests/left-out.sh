#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Stands for a test that cannot be built or run on this machine. Arguments: why.
echo "# SKIP $*"
exit 77
