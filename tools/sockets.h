/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TOP_SOCKETS_H
#define TOP_SOCKETS_H

#include <glib.h>

G_BEGIN_DECLS

/* Adds a TopWatch for each socket of this user that has come since the last call with
 * the same `seen` (a set of inodes), and that a producer may serve; what is none
 * shows when it is looked at. */
void top_sockets_find (GPtrArray * watches, GHashTable * seen);

G_END_DECLS

#endif
