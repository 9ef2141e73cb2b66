/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the part of the corpus that is in order: a message of each type, and what
 * the elements write of events, values, metas and batches. What a hostile peer makes
 * of them is found from there, or added by hand under other names.
 *
 *   make-corpus CORPUS_FOLDER      (ninja -C build update-corpus) */
#include <string.h>

#include <gst/video/video.h>

#include "../unit/messages.h"
#include "consumer/consumer-private.h"
#include "gstsecondbatchmeta.h"
#include "wire/wire.h"

#define ROOM 60000u

static const gchar *folder;
static GstShmFrameUnserializable losses;
static const guint64 when = 1000 * GST_SECOND;

static void
write_file (const gchar *target, const gchar *name, const guint8 *head,
    gsize head_size, const guint8 *bytes, gsize size)
{
  gchar *path = g_build_filename (folder, target, name, NULL);
  guint8 *all = g_malloc (head_size + size);

  memcpy (all, head, head_size);
  memcpy (all + head_size, bytes, size);
  if (!g_file_set_contents (path, (gchar *) all, (gssize) (head_size + size),
          NULL))
    g_error ("cannot write %s", path);
  g_free (all);
  g_free (path);
}

static void
write_messages (void)
{
  static const gchar *const names[] = {
    "hello", "welcome", "reject", "segment", "segment-gone", "want", "grant",
    "latency", "bye", "upstream", "kick", "ping", "pong", "flush", "observe",
    "stats", "segment-grown"
  };
  _Static_assert (G_N_ELEMENTS (names) == LAST_TYPE, "a name for each");

  for (guint32 type = FIRST_TYPE; type <= LAST_TYPE; type++) {
    struct sf_message m = message_of (type);
    guint8 bytes[SF_MESSAGE_MAX], n_fds = (guint8) fds_of (type);
    int n = sf_message_encode (&m, bytes, sizeof (bytes));
    guint8 head[2] = { (guint8) n, (guint8) (n >> 8 | n_fds << 4) };

    g_assert (n > 0);
    write_file ("message", names[type - 1], &n_fds, 1, bytes, (gsize) n);
    write_file ("receive", names[type - 1], head, 2, bytes, (gsize) n);
  }
}

static void
write_event (const gchar *name, GstEvent *event)
{
  static const guint8 downstream[2] = { 0, 0 }, upstream[2] = { 3, 0 };
  gboolean up = GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_UPSTREAM;
  guint8 bytes[ROOM];
  GstByteWriter w;

  gst_byte_writer_init_with_data (&w, bytes, sizeof (bytes), FALSE);
  gst_event_set_seqnum (event, 77);
  if (!(up ? gst_shm_frame_wire_put_upstream (&w, event, when, &losses)
          : gst_shm_frame_wire_put_event (&w, event, when, &losses)))
    g_error ("%s does not cross", name);
  write_file ("wire", name, up ? upstream : downstream, 2, bytes,
      gst_byte_writer_get_pos (&w));
  gst_event_unref (event);
}

/* Of each kind of value, alone and in lists of lists. */
static GstStructure *
new_values (void)
{
  static const gchar *const values[] = {
    "v-numbers, a=(int)-3, b=(uint)4, c=(gint64)5, d=(guint64)6, e=(boolean)true, "
        "f=(float)0.5, g=(double)0.25, h=(fraction)25/1, i=(bitmask)0x3",
    "v-ranges, a=(int)[2, 8, 2], b=(gint64)[1, 9], c=(double)[0.5, 1.5], "
        "d=(fraction)[1/2, 25/1]",
    "v-lists, a=(int){1, [3, 5], 7}, b=(string)<one, two>, "
        "c=(int)<<1, 2>, <3, 4>>, d=(fraction){25/1, 30/1}",
    "v-boxed, a=(structure)[inner, x=(int)1;], d=(date)2001-01-02, "
        "e=(datetime)2001-01-02T03:04:05Z",
    "v-named, a=(GstFlagSet)0:4000, b=(GstFormat)time, "
        "c=(GstStreamFlags)GST_STREAM_FLAG_SPARSE",
  };
  GstStructure *all = gst_structure_new_empty ("all-values");

  for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
    GstStructure *s = gst_structure_from_string (values[i], NULL);

    if (s == NULL)
      g_error ("cannot be read: %s", values[i]);
    gst_structure_set (all, gst_structure_get_name (s), GST_TYPE_STRUCTURE, s,
        NULL);
    gst_structure_free (s);
  }
  return all;
}

static void
add_boxed (GstStructure *s)
{
  GstBuffer *buffer = gst_buffer_new_memdup ("payload", 7);
  GstCaps *caps = gst_caps_from_string ("text/x-raw(memory:X, meta:Y), "
      "format=utf8; ANY");
  GstSegment segment;
  GstSample *sample;
  GstToc *toc = gst_toc_new (GST_TOC_SCOPE_CURRENT);
  GstTagList *tags = gst_tag_list_new (GST_TAG_TITLE, "T", NULL);

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_toc_append_entry (toc, gst_toc_entry_new (GST_TOC_ENTRY_TYPE_CHAPTER,
          "chapter"));
  sample = gst_sample_new (buffer, caps, &segment,
      gst_structure_new_empty ("info"));
  gst_structure_set (s, "buffer", GST_TYPE_BUFFER, buffer, "caps",
      GST_TYPE_CAPS, caps, "segment", GST_TYPE_SEGMENT, &segment, "sample",
      GST_TYPE_SAMPLE, sample, "toc", GST_TYPE_TOC, toc, "tags",
      GST_TYPE_TAG_LIST, tags, NULL);
  gst_tag_list_unref (tags);
  gst_sample_unref (sample);
  gst_toc_unref (toc);
  gst_caps_unref (caps);
  gst_buffer_unref (buffer);
}

static void
write_events (void)
{
  GstStructure *values = new_values ();

  add_boxed (values);
  write_event ("event-values", gst_event_new_custom
      (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, gst_structure_copy (values)));
  write_event ("upstream-values", gst_event_new_custom
      (GST_EVENT_CUSTOM_UPSTREAM, values));
  write_event ("event-tag-date", gst_event_new_tag (gst_tag_list_new
          (GST_TAG_DATE_TIME, gst_date_time_new (1.0f, 2001, 2, 3, 4, 5, 6),
              GST_TAG_DATE, g_date_new_dmy (1, 2, 2001), GST_TAG_ARTIST,
              "one", GST_TAG_ARTIST, "two", NULL)));
}

static GstBuffer *
new_frame (struct sf_segment *segment, struct sf_lease *lease)
{
  const struct sf_memory_ref_mapped part = {.segment = segment,.size = 97 };
  GstMemory *memory = gst_shm_frame_memory_new_part (part.size);
  GstBuffer *buffer = gst_buffer_new ();

  gst_shm_frame_memory_set_part (memory, &part, lease);
  gst_buffer_append_memory (buffer, memory);
  GST_BUFFER_PTS (buffer) = when;
  return buffer;
}

static void
write_metas (void)
{
  static const gchar *const tags[] = { NULL };
  static const guint8 head[2] = { 1, 1 }, uuid[16] = { 1, 2, 3 };
  struct sf_connection_state conn = {.generation = sf_generation };
  struct sf_lease lease = {.refs = 2,.conn = &conn };
  struct sf_segment segment = {.refs = 2 };
  GstBuffer *buffer;
  GArray *parts = g_array_new (FALSE, FALSE, sizeof (struct sf_memory_ref));
  GstStructure *values = new_values ();
  guint8 bytes[ROOM];
  GstByteWriter w;

  memset (segment.guards, -1, sizeof (segment.guards));
  buffer = new_frame (&segment, &lease);
  gst_meta_register_custom ("corpus", (const gchar **) tags, NULL, NULL, NULL);
  gst_structure_set (gst_custom_meta_get_structure
      (gst_buffer_add_custom_meta (buffer, "corpus")), "values",
      GST_TYPE_STRUCTURE, values, NULL);
  gst_buffer_add_video_sei_user_data_unregistered_meta (buffer,
      (guint8 *) uuid, (guint8 *) "sei", 3);
  gst_byte_writer_init_with_data (&w, bytes, sizeof (bytes), FALSE);
  if (!gst_shm_frame_wire_put_buffer (&w, parts, buffer, ROOM, &losses))
    g_error ("the frame does not cross");
  write_file ("wire", "buffer-values", head, 2, bytes,
      gst_byte_writer_get_pos (&w));
  gst_structure_free (values);
  gst_buffer_unref (buffer);
  g_array_unref (parts);
}

int
main (int argc, char **argv)
{
  if (argc != 2) {
    g_printerr ("usage: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  folder = argv[1];
  gst_init (NULL, NULL);
  gst_shm_frame_unserializable_init (&losses, NULL);
  write_messages ();
  write_events ();
  write_metas ();
  gst_shm_frame_unserializable_clear (&losses);
  return 0;
}
