/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TOP_TABLE_H
#define TOP_TABLE_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  gboolean colours;
  guint width;                  /* of a line, in cells; 0: without limit */
  guint height;                 /* in lines; 0: without limit */
} TopTableStyle;

/* All of the watches (TopWatch) for people to read, in lines. Free it. */
gchar *top_table_text (GPtrArray * watches, const TopTableStyle * style);

G_END_DECLS

#endif
