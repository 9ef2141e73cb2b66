/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a hostile producer says in the bodies of its records, and a hostile client
 * in events upstream. First byte: event, buffer, batch or upstream event; second:
 * how large its two parts are; then the body. What comes out is used as an element
 * downstream would use it: parsed, printed, mapped, every pixel read, passed on. A
 * complaint of GLib's is a finding too: it may be fatal to the application. With
 * bit 7 of the first byte little is left of the allowance of names. */
#include <string.h>
#include <sys/mman.h>

#include <gst/video/video.h>

#include "consumer/consumer-private.h"
#include "fuzz.h"
#include "gstsecondbatchview.h"
#include "relay.h"

#define N_PARTS 2u
#define PART_ROOM 65536u
/* Of wire/names.c, all but a few. */
#define SCARCE ((2u << 20) - 200u)
#define SCARCE_METAS 63u

static struct sf_connection_state on;       /* what the lease is of; it never comes back */
static struct sf_lease lease = {.conn = &on };
static struct sf_segment segment;
static struct sf_view slots_view = {.n_slots = N_PARTS };
static GstShmFrameNames names;
/* A page that cannot be read stands behind each: those who read the pixels have
 * no sanitizer in them. */
static guint8 *room[N_PARTS];

static void
on_message (const gchar * domain, GLogLevelFlags level, const gchar * message,
    gpointer user)
{
  if (!(level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING
              | G_LOG_LEVEL_ERROR)))
    return;
  fprintf (stderr, "%s: %s\n", domain, message);
  abort ();
}

static void
set_up (void)
{
  gst_init (NULL, NULL);
  /* GStreamer reports what cannot be parsed; that is no finding. */
  gst_debug_set_active (FALSE);
  g_log_set_default_handler (on_message, NULL);
  on.generation = sf_generation;
  lease.refs = 1;
  segment.refs = 1;
  segment.n_slots = N_PARTS;
  segment.pitch = 1;
  segment.views = &slots_view;
  memset (segment.guards, -1, sizeof (segment.guards));
  gst_shm_frame_names_use (&names);
  for (guint i = 0; i < N_PARTS; i++) {
    room[i] = mmap (NULL, 2 * PART_ROOM, PROT_NONE, MAP_PRIVATE
        | MAP_ANONYMOUS, -1, 0);
    require (room[i] != MAP_FAILED);
    require (mprotect (room[i], PART_ROOM, PROT_READ | PROT_WRITE) == 0);
  }
}

/* Reads each line as videoconvert does, which is all that a format's strides and
 * offsets are there for. */
static void
read_frame (GstBuffer * buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  GstVideoInfo info;
  GstVideoFrame frame;
  guint8 *line;

  if (meta == NULL || meta->width > 512 || meta->height > 512)
    return;
  require (gst_video_info_set_format (&info, meta->format, meta->width,
          meta->height));
  if (!gst_video_frame_map (&frame, &info, buffer, GST_MAP_READ))
    return;
  line = g_malloc ((gsize) (meta->width + 64) * 8);
  for (guint y = 0; y < meta->height; y++)
    info.finfo->unpack_func (info.finfo, 0, line, frame.data,
        frame.info.stride, 0, y, meta->width);
  g_free (line);
  gst_video_frame_unmap (&frame);
}

static void
print (const GstStructure * structure)
{
  if (structure != NULL)
    g_free (gst_structure_to_string (structure));
}

static void
use_metas (GstBuffer * buffer)
{
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta (buffer, &state)) != NULL) {
    if (gst_meta_info_is_custom (meta->info))
      print (gst_custom_meta_get_structure ((GstCustomMeta *) meta));
    if (meta->info->api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)
      for (GList * l = ((GstVideoRegionOfInterestMeta *) meta)->params;
          l != NULL; l = l->next)
        print (l->data);
    if (meta->info->api == GST_VIDEO_TIME_CODE_META_API_TYPE) {
      const GstVideoTimeCode *tc = &((GstVideoTimeCodeMeta *) meta)->tc;

      g_free (gst_video_time_code_to_string (tc));
    }
  }
}

static gboolean
use_buffer (GstBuffer * buffer, gpointer user)
{
  GstMapInfo map;
  guint64 sum = 0;

  use_metas (buffer);
  /* Each meta is asked to go with it. */
  gst_buffer_unref (gst_buffer_copy (buffer));

  if (gst_buffer_map (buffer, &map, GST_MAP_READ)) {
    for (gsize i = 0; i < map.size; i++)
      sum += map.data[i];
    gst_buffer_unmap (buffer, &map);
  }
  *(guint64 *) user += sum;
  read_frame (buffer);
  return TRUE;
}

static void
use_segment (const GstSegment * s)
{
  GstSegment copy = *s;
  guint64 time;

  if (s->format == GST_FORMAT_UNDEFINED)
    return;
  time = gst_segment_to_running_time (s, s->format, s->start);
  gst_segment_to_stream_time (s, s->format, s->position);
  gst_segment_position_from_running_time (s, s->format, time);
  gst_segment_clip (s, s->format, 0, 1000, &time, NULL);
  gst_segment_offset_running_time (&copy, s->format, -1);
}

static void
use_stream (GstStream * stream)
{
  GstCaps *caps = gst_stream_get_caps (stream);
  GstTagList *tags = gst_stream_get_tags (stream);

  require (gst_stream_get_stream_id (stream) != NULL);
  if (caps != NULL)
    g_free (gst_caps_to_string (caps));
  if (tags != NULL)
    g_free (gst_tag_list_to_string (tags));
  gst_clear_caps (&caps);
  gst_clear_tag_list (&tags);
}

static void
use_streams (GstEvent * event)
{
  GstStreamCollection *streams;

  gst_event_parse_stream_collection (event, &streams);
  for (guint i = 0; i < gst_stream_collection_get_size (streams); i++)
    use_stream (gst_stream_collection_get_stream (streams, i));
  gst_object_unref (streams);
}

static void
use_toc (GstEvent * event)
{
  GstToc *toc;

  gst_event_parse_toc (event, &toc, NULL);
  gst_toc_dump (toc);
  gst_toc_unref (toc);
}

/* Sticky ones stay at a pad, which compares them with those that are there. The
 * order of the first three is for the element to see to, and EOS ends all. */
static void
keep_event (GstEvent * event)
{
  static GstPad *pad;

  if (pad == NULL) {
    pad = gst_pad_new ("src", GST_PAD_SRC);
    gst_pad_set_active (pad, TRUE);
  }
  if (GST_EVENT_IS_STICKY (event)
      && GST_EVENT_TYPE (event) > GST_EVENT_SEGMENT
      && GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    gst_pad_store_sticky_event (pad, event);
}

static void
use_event (GstEvent * event)
{
  const GstSegment *s;
  GstTagList *tags;
  GstClockTime time, duration;
  const gchar *id;
  GstCaps *caps;
  gchar *string;

  gst_shm_frame_wire_event_key (event);
  print (gst_event_get_structure (event));
  keep_event (event);
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_TAG:
      gst_event_parse_tag (event, &tags);
      string = gst_tag_list_to_string (tags);
      g_free (string);
      break;
    case GST_EVENT_GAP:
      time = duration = 0x5a5a5a5a;
      gst_event_parse_gap (event, &time, &duration);
      require (time != 0x5a5a5a5a || duration != 0x5a5a5a5a);
      break;
    case GST_EVENT_SEGMENT:
      gst_event_parse_segment (event, &s);
      use_segment (s);
      break;
    case GST_EVENT_STREAM_START:
      gst_event_parse_stream_start (event, &id);
      require (id != NULL);
      break;
    case GST_EVENT_STREAM_COLLECTION:
      use_streams (event);
      break;
    case GST_EVENT_TOC:
      use_toc (event);
      break;
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      string = gst_caps_to_string (caps);
      g_free (string);
      break;
    default:
      break;
  }
  gst_event_unref (event);
}

/* Each stream read as one array, as far as the batch says that it is one. */
static void
use_batch (GstBuffer * batch, guint64 * sum)
{
  guint n = gst_second_batch_get_n_streams (batch);
  GstSecondBatchView view;

  for (guint k = 0; k < MIN (n, 64) + 2; k++) {
    if (!gst_second_batch_view_map (batch, k, &view))
      continue;
    for (guint t = 0; t < view.frames; t++)
      for (gint row = 0; row < view.info.height; row++)
        *sum += gst_second_batch_view_plane (&view, t, 0)
            [(gsize) row * view.info.stride[0]];
    gst_second_batch_view_unmap (&view);
  }
  gst_shm_frame_batch_foreach (batch, use_buffer, sum);
}

static void
read_event (const guint8 * body, gsize size, gboolean upstream)
{
  guint64 time = 0;
  GstEvent *event = upstream
      ? gst_shm_frame_wire_get_upstream (body, size, &time)
      : gst_shm_frame_wire_get_event (body, size);

  gst_shm_frame_wire_get_event_time (body, size);
  if (event == NULL)
    return;
  relay_event (event, upstream);
  use_event (event);
}

static void
read_body (const guint8 * body, gsize size, gboolean is_batch,
    const struct sf_memory_ref_mapped *parts, guint n_parts)
{
  static GstShmFrameBufferCache cache;
  static volatile guint64 sink;
  const struct sf_memory_ref_mapped *at = parts;
  GstByteReader r;
  GstBuffer *buffer;
  guint64 sum = 0;

  gst_byte_reader_init (&r, body, size);
  buffer = is_batch
      ? gst_shm_frame_wire_get_batch (&r, &lease, &at, parts + n_parts)
      : gst_shm_frame_wire_get_buffer (&r, &lease, &at, parts + n_parts,
      &cache);
  /* The next input may be like this one. */
  gst_shm_frame_buffer_cache_fill (&cache);
  require (at >= parts && at <= parts + n_parts);
  if (buffer != NULL) {
    const guint8 *slots[N_PARTS];

    for (guint i = 0; i < N_PARTS; i++)
      slots[i] = parts[i].data;
    relay_buffer (buffer, is_batch, &lease, slots);
    use_buffer (buffer, &sum);
    if (is_batch)
      use_batch (buffer, &sum);
    gst_buffer_unref (buffer);
  }
  sink = sum;
  (void) sink;
  require (lease.refs == 1);
}

int
LLVMFuzzerTestOneInput (const uint8_t * data, size_t size)
{
  struct sf_memory_ref_mapped parts[N_PARTS];
  GstShmFrameStamp stamp;
  GstByteReader r;

  if (!gst_is_initialized ())
    set_up ();
  if (size < 2)
    return 0;
  gst_shm_frame_names_renew (&names);
  if (data[0] & 128) {
    names.bytes = SCARCE;
    names.n_metas = SCARCE_METAS;
  }
  if (data[0] % 4 == 0 || data[0] % 4 == 3) {
    read_event (data + 2, size - 2, data[0] % 4 == 3);
    return 0;
  }
  for (guint i = 0; i < N_PARTS; i++) {
    gsize n = 1 + (i + 1) * 97 * (gsize) data[1];

    parts[i] = (struct sf_memory_ref_mapped) {
      &segment, i, 0, n, room[i] + PART_ROOM - n
    };
  }
  gst_byte_reader_init (&r, data, size);
  gst_shm_frame_wire_get_stamp (&r, &stamp);
  read_body (data + 2, size - 2, data[0] % 4 == 2, parts, N_PARTS);
  return 0;
}
