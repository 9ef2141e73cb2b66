/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TOP_SNAPSHOT_H
#define TOP_SNAPSHOT_H

#include "watch.h"

G_BEGIN_DECLS

/* Writes the current frame of `watch` to `file` as PNG. FALSE: it was told why not. */
gboolean top_snapshot (const TopWatch * watch, const gchar * file);

G_END_DECLS

#endif
