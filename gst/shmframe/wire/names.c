/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/names.h"

#include <string.h>

/* What a name takes besides its own bytes. */
#define OVERHEAD 64
/* For one connection: 16 000 names of usual length. */
#define MAX_BYTES (2 << 20)
#define MAX_METAS 64
/* For all connections that there ever were. */
#define MAX_ALL_BYTES (32 << 20)
#define MAX_ALL_METAS 1024

static _Thread_local GstShmFrameNames *current;
static _Thread_local GstShmFrameNames nobodys;

static gint all_bytes, all_metas;       /* atomic */

void
gst_shm_frame_names_use (GstShmFrameNames * names)
{
  current = names;
}

GstShmFrameNames *
gst_shm_frame_names_current (void)
{
  return current != NULL ? current : &nobodys;
}

/* FALSE if that would exceed the limit, also while other threads add. */
static gboolean
add_within (gint * sum, gint n, gint limit)
{
  gint now;

  do {
    now = g_atomic_int_get (sum);
    if (n > limit - now)
      return FALSE;
  } while (!g_atomic_int_compare_and_exchange (sum, now, now + n));
  return TRUE;
}

gboolean
gst_shm_frame_names_admit (const gchar * name)
{
  GstShmFrameNames *names = gst_shm_frame_names_current ();
  gsize size = strlen (name) + OVERHEAD;

  if (g_quark_try_string (name) != 0)
    return TRUE;
  if (size > MAX_BYTES - names->bytes
      || !add_within (&all_bytes, (gint) size, MAX_ALL_BYTES))
    return FALSE;
  names->bytes += size;
  /* So that it counts once: GStreamer keeps names of fields as strings of their
   * own since 1.26. */
  g_quark_from_string (name);
  return TRUE;
}

gboolean
gst_shm_frame_names_admit_meta (void)
{
  GstShmFrameNames *names = gst_shm_frame_names_current ();

  if (names->n_metas >= MAX_METAS || !add_within (&all_metas, 1, MAX_ALL_METAS))
    return FALSE;
  names->n_metas++;
  return TRUE;
}

void
gst_shm_frame_names_renew (GstShmFrameNames * names)
{
  names->bytes = 0;
  names->n_metas = 0;
}
