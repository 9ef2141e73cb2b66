/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages that should be on the bus, and peers who send bad ones. */
#ifndef BUSRIG_H
#define BUSRIG_H

#include "shared/connection.h"
#include "shmrig.h"

/* A terminal's escape, a broken sequence of UTF-8, a turned direction, a
 * newline */
#define HOSTILE "a\x1b[31mb\xff" "c\xe2\x80\xae" "d\ne"
#define CLEAN \
    "a\xef\xbf\xbd[31mb\xef\xbf\xbd" "c\xef\xbf\xbd" "d\xef\xbf\xbd" "e"

/* The structure of the next element message of this name. Free it. */
static inline GstStructure *
await_element (GstElement * pipeline, const gchar * name)
{
  GstStructure *s = NULL;

  while (s == NULL) {
    GstMessage *m = rig_message (pipeline, GST_MESSAGE_ELEMENT);

    if (gst_message_has_name (m, name))
      s = gst_structure_copy (gst_message_get_structure (m));
    gst_message_unref (m);
  }
  return s;
}

/* The next warning has all of these words */
static inline void
expect_warning (GstElement * pipeline, const gchar * first,
    const gchar * second)
{
  GstMessage *m = rig_message (pipeline, GST_MESSAGE_WARNING);
  GError *error = NULL;

  gst_message_parse_warning (m, &error, NULL);
  fail_unless (strstr (error->message, first) != NULL, "no '%s' in: %s",
      first, error->message);
  fail_unless (strstr (error->message, second) != NULL, "no '%s' in: %s",
      second, error->message);
  g_error_free (error);
  gst_message_unref (m);
}

static inline guint
count_messages (GstElement * pipeline, GstMessageType types)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *m;
  guint n = 0;

  while ((m = gst_bus_pop_filtered (bus, types)) != NULL) {
    n++;
    gst_message_unref (m);
  }
  gst_object_unref (bus);
  return n;
}

/* What the control socket brings next */
static inline struct sf_message
receive (int fd, int fds[SF_MESSAGE_MAX_FDS])
{
  struct sf_message msg = { 0 };
  int r;

  while ((r = sf_receive (fd, &msg, fds)) == -EAGAIN)
    g_usleep (1000);
  fail_unless_equals_int (r, 1);
  return msg;
}

#endif /* BUSRIG_H */
