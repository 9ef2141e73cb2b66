/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One socket that is looked at again and again, whatever becomes of its producer. */
#ifndef TOP_WATCH_H
#define TOP_WATCH_H

#include <glib.h>

#include "observer/observer.h"

G_BEGIN_DECLS

typedef struct
{
  gchar *path;
  gboolean found;               /* not named by the user: goes with its producer */
  gboolean answered;            /* ever */
  struct sf_observer observer;  /* fd -1: not connected */
  gchar *problem;               /* why there is no look to show; NULL: there is one */
  gdouble fps;                  /* between the last two looks; less than 0: unknown */
  /* Of the look before. */
  guint64 producer_id, clock, frames;
} TopWatch;

TopWatch *top_watch_new (const gchar * path, gboolean found);
void top_watch_free (TopWatch * watch);

/* Looks at all of them (TopWatch) at once, and waits no longer than `timeout` (us) for
 * those that do not answer. */
void top_watch_look (GPtrArray * watches, gint64 timeout);

/* The name of its delivery. */
const gchar *top_watch_delivery (guint delivery);

G_END_DECLS

#endif
