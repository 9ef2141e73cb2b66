/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is not a batch has no streams. */
#include <gstsecondbatchmeta.h>
#include <gstsecondbatchview.h>

int
main (void)
{
  GstBuffer *buffer;
  guint n;

  gst_init (NULL, NULL);
  buffer = gst_buffer_new ();
  n = gst_second_batch_get_n_streams (buffer);
  gst_buffer_unref (buffer);
  return n == 0 ? 0 : 1;
}
