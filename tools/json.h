/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TOP_JSON_H
#define TOP_JSON_H

#include <glib.h>

G_BEGIN_DECLS

/* All of the watches (TopWatch) as one line of JSON, as shmframe-top(1) says. */
gchar *top_json_line (GPtrArray * watches);

G_END_DECLS

#endif
