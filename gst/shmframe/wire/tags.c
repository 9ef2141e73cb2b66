/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serializes tags, and tables of contents, which have tags in them. */
#include <string.h>

#include "wire/value.h"

#define MAX_DEPTH 16

/* Writes all values of one tag, or none. */
static gboolean
put_tag (GstByteWriter * w, const GstTagList * tags, const gchar * name,
    GstShmFrameUnserializable * unserializable, guint depth)
{
  guint n = gst_tag_list_get_tag_size (tags, name);
  guint at = gst_byte_writer_get_pos (w);

  gst_shm_frame_wire_put_string (w, name);
  gst_byte_writer_put_uint32_le (w, n);
  for (guint i = 0; i < n; i++) {
    if (!gst_shm_frame_wire_put_value (w, gst_tag_list_get_value_index (tags,
                name, i), unserializable, depth)) {
      gst_byte_writer_set_pos (w, at);
      gst_shm_frame_unserializable_note (unserializable, "the tag", name);
      return FALSE;
    }
  }
  return TRUE;
}

void
gst_shm_frame_wire_put_tags (GstByteWriter * w, const GstTagList * tags,
    GstShmFrameUnserializable * unserializable, guint depth)
{
  guint at, end;
  guint32 n = 0;

  gst_byte_writer_put_uint32_le (w, gst_tag_list_get_scope (tags));
  at = gst_byte_writer_get_pos (w);
  gst_byte_writer_put_uint32_le (w, 0);
  for (gint i = 0; i < gst_tag_list_n_tags (tags); i++)
    if (put_tag (w, tags, gst_tag_list_nth_tag_name (tags, i), unserializable,
            depth))
      n++;
  end = gst_byte_writer_get_pos (w);
  gst_byte_writer_set_pos (w, at);
  gst_byte_writer_put_uint32_le (w, n);
  gst_byte_writer_set_pos (w, end);
}

/* Skips a tag that this process has not registered, or that has another type
 * here: GStreamer cannot add it to a list. */
static gboolean
get_tag (GstByteReader * r, GstTagList * tags, guint depth)
{
  gchar *name;
  guint32 n;
  gboolean known, ok;

  ok = gst_shm_frame_wire_get_string (r, &name) && name != NULL
      && gst_byte_reader_get_uint32_le (r, &n);
  known = ok && gst_tag_exists (name);
  if (ok && !known)
    GST_INFO ("skipping the tag %s, not registered in this process", name);
  while (ok && n-- > 0) {
    GValue value = G_VALUE_INIT;

    ok = gst_shm_frame_wire_get_value (r, &value, depth);
    if (ok && known && G_VALUE_TYPE (&value) == gst_tag_get_type (name)
        && !(G_VALUE_HOLDS_STRING (&value)
            && (g_value_get_string (&value) == NULL
                || g_value_get_string (&value)[0] == '\0')))
      gst_tag_list_add_value (tags, GST_TAG_MERGE_APPEND, name, &value);
    if (ok)
      g_value_unset (&value);
  }
  g_free (name);
  return ok;
}

GstTagList *
gst_shm_frame_wire_get_tags (GstByteReader * r, guint depth)
{
  GstTagList *tags;
  guint32 scope, n;

  if (!gst_byte_reader_get_uint32_le (r, &scope)
      || scope > GST_TAG_SCOPE_GLOBAL || !gst_byte_reader_get_uint32_le (r, &n))
    return NULL;
  tags = gst_tag_list_new_empty ();
  gst_tag_list_set_scope (tags, scope);
  while (n-- > 0) {
    if (!get_tag (r, tags, depth)) {
      gst_tag_list_unref (tags);
      return NULL;
    }
  }
  return tags;
}

static void
put_optional_tags (GstByteWriter * w, const GstTagList * tags,
    GstShmFrameUnserializable * unserializable, guint depth)
{
  gst_byte_writer_put_uint8 (w, tags != NULL);
  if (tags != NULL)
    gst_shm_frame_wire_put_tags (w, tags, unserializable, depth);
}

static gboolean
get_optional_tags (GstByteReader * r, GstTagList ** tags, guint depth)
{
  guint8 has;

  *tags = NULL;
  return gst_byte_reader_get_uint8 (r, &has)
      && (!has || (*tags = gst_shm_frame_wire_get_tags (r, depth)) != NULL);
}

static void put_entries (GstByteWriter * w, GList * entries,
    GstShmFrameUnserializable * unserializable, guint depth);

static void
put_entry (GstByteWriter * w, const GstTocEntry * entry,
    GstShmFrameUnserializable * unserializable, guint depth)
{
  GstTocLoopType loop = GST_TOC_LOOP_NONE;
  gint64 start = GST_CLOCK_TIME_NONE, stop = GST_CLOCK_TIME_NONE;
  gint repeat = 0;
  gboolean timed = gst_toc_entry_get_start_stop_times (entry, &start, &stop);

  gst_toc_entry_get_loop (entry, &loop, &repeat);
  gst_byte_writer_put_int32_le (w, gst_toc_entry_get_entry_type (entry));
  gst_shm_frame_wire_put_string (w, gst_toc_entry_get_uid (entry));
  gst_byte_writer_put_uint8 (w, timed);
  gst_byte_writer_put_int64_le (w, start);
  gst_byte_writer_put_int64_le (w, stop);
  gst_byte_writer_put_uint32_le (w, loop);
  gst_byte_writer_put_int32_le (w, repeat);
  put_optional_tags (w, gst_toc_entry_get_tags (entry), unserializable, depth);
  put_entries (w, gst_toc_entry_get_sub_entries (entry), unserializable,
      depth + 1);
}

static void
put_entries (GstByteWriter * w, GList * entries,
    GstShmFrameUnserializable * unserializable, guint depth)
{
  /* The reader goes no deeper, and no real table of contents does. */
  if (depth >= MAX_DEPTH)
    entries = NULL;
  gst_byte_writer_put_uint32_le (w, g_list_length (entries));
  for (; entries != NULL; entries = entries->next)
    put_entry (w, entries->data, unserializable, depth);
}

void
gst_shm_frame_wire_put_toc (GstByteWriter * w, GstToc * toc,
    GstShmFrameUnserializable * unserializable, guint depth)
{
  gst_byte_writer_put_uint32_le (w, gst_toc_get_scope (toc));
  put_optional_tags (w, gst_toc_get_tags (toc), unserializable, depth);
  put_entries (w, gst_toc_get_entries (toc), unserializable, depth);
}

static GstTocEntry *get_entry (GstByteReader * r, guint depth);

/* Appends the entries to `toc`, or to `parent` if that is NULL. */
static gboolean
get_entries (GstByteReader * r, GstToc * toc, GstTocEntry * parent, guint depth)
{
  guint32 n;

  if (depth > MAX_DEPTH || !gst_byte_reader_get_uint32_le (r, &n))
    return FALSE;
  while (n-- > 0) {
    GstTocEntry *entry = get_entry (r, depth);

    if (entry == NULL)
      return FALSE;
    if (toc != NULL)
      gst_toc_append_entry (toc, entry);
    else
      gst_toc_entry_append_sub_entry (parent, entry);
  }
  return TRUE;
}

static gboolean
is_entry_type (gint32 type)
{
  return type != GST_TOC_ENTRY_TYPE_INVALID
      && type >= GST_TOC_ENTRY_TYPE_ANGLE && type <= GST_TOC_ENTRY_TYPE_CHAPTER;
}

static GstTocEntry *
get_entry (GstByteReader * r, guint depth)
{
  GstTocEntry *entry = NULL;
  GstTagList *tags;
  gint64 start, stop;
  guint32 loop;
  gint32 type, repeat;
  guint8 timed;
  gchar *uid;

  if (!gst_byte_reader_get_int32_le (r, &type) || !is_entry_type (type)
      || !gst_shm_frame_wire_get_string (r, &uid) || uid == NULL)
    return NULL;
  if (gst_byte_reader_get_uint8 (r, &timed)
      && gst_byte_reader_get_int64_le (r, &start)
      && gst_byte_reader_get_int64_le (r, &stop)
      && gst_byte_reader_get_uint32_le (r, &loop)
      && loop <= GST_TOC_LOOP_PING_PONG
      && gst_byte_reader_get_int32_le (r, &repeat)
      && get_optional_tags (r, &tags, depth)) {
    entry = gst_toc_entry_new (type, uid);
    if (timed)
      gst_toc_entry_set_start_stop_times (entry, start, stop);
    gst_toc_entry_set_loop (entry, loop, repeat);
    if (tags != NULL)
      gst_toc_entry_set_tags (entry, tags);
    if (!get_entries (r, NULL, entry, depth + 1))
      gst_clear_mini_object ((GstMiniObject **) & entry);
  }
  g_free (uid);
  return entry;
}

GstToc *
gst_shm_frame_wire_get_toc (GstByteReader * r, guint depth)
{
  GstTagList *tags;
  GstToc *toc;
  guint32 scope;

  if (!gst_byte_reader_get_uint32_le (r, &scope)
      || (scope != GST_TOC_SCOPE_GLOBAL && scope != GST_TOC_SCOPE_CURRENT)
      || !get_optional_tags (r, &tags, depth))
    return NULL;
  toc = gst_toc_new (scope);
  if (tags != NULL)
    gst_toc_set_tags (toc, tags);
  if (!get_entries (r, toc, NULL, depth)) {
    gst_toc_unref (toc);
    return NULL;
  }
  return toc;
}
