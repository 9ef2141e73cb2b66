/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Properties and statistics */
#include "batcher/batcher.h"

/* A day: no window that anybody could hold in memory is longer */
#define MAX_BATCH_DURATION (24 * 3600 * GST_SECOND)
#define MAX_FRAMES 1000000

/* The id of a property is the place of its value in the element */
#define PLACE(field) ((guint) G_STRUCT_OFFSET (GstSecondBatcher, field))
#define PROP_STATS 1            /* has none; no field is there */

static const GEnumValue align_values[] = {
  {SECOND_ALIGN_RUNNING_TIME, "Running time", "running-time"},
  {SECOND_ALIGN_CLOCK, "Time of the pipeline's clock", "clock"},
  {SECOND_ALIGN_UTC, "UTC since 1970", "utc"},
  {SECOND_ALIGN_REFERENCE_TIMESTAMP,
        "Reference timestamp of the frames, as UTC since 1970",
      "reference-timestamp"},
  {SECOND_ALIGN_FIRST_FRAME, "Running time since the first frame",
      "first-frame"},
  {0, NULL, NULL}
};

static const GEnumValue incomplete_values[] = {
  {SECOND_INCOMPLETE_PUSH, "Push the window with what there is", "push"},
  {SECOND_INCOMPLETE_DROP, "Drop the window", "drop"},
  {SECOND_INCOMPLETE_WAIT,
      "Wait without a deadline until each stream is past the window", "wait"},
  {0, NULL, NULL}
};

static const GEnumValue late_values[] = {
  {SECOND_LATE_DROP, "Drop the frame and count it", "drop"},
  {SECOND_LATE_NEXT, "Put the frame into the open window and count it", "next"},
  {0, NULL, NULL}
};

static const GEnumValue fill_values[] = {
  {SECOND_FILL_REPEAT_LAST,
        "Repeat the stream's last frame where some are missing, drop excess",
      "repeat-last"},
  {SECOND_FILL_DROP_EXCESS, "Drop excess frames, leave short streams short",
      "drop-excess"},
  {SECOND_FILL_ERROR, "Stop with an error", "error"},
  {0, NULL, NULL}
};

static const GEnumValue output_values[] = {
  {SECOND_OUTPUT_META, "The batch has no memory, only its meta", "meta"},
  {SECOND_OUTPUT_MEMORY,
      "The batch has one memory per stream with all of its frames, copied "
        "only where they do not lie one stride apart", "memory"},
  {0, NULL, NULL}
};

const gchar *
second_align_nick (SecondAlign align)
{
  return align_values[align].value_nick;
}

static void
pad_stats_locked (GstSecondBatcher * self, GstStructure * s)
{
  for (GList * l = GST_ELEMENT_CAST (self)->sinkpads; l; l = l->next) {
    GstSecondBatcherPad *pad = l->data;
    const gchar *name = GST_PAD_NAME (pad);
    const struct
    {
      const gchar *what;
      guint64 value;
    } counts[] = {
      {"frames", pad->track.total_frames}, {"late", pad->track.total_late},
      {"dropped", pad->track.total_dropped}, {"copied", pad->total_copied},
      {"held", pad->track.frames->len}, {"contiguous", pad->total_contiguous},
      {"gathered", pad->total_gathered}
    };

    for (guint i = 0; i < G_N_ELEMENTS (counts); i++) {
      gchar *field = g_strdup_printf ("%s-%s", name, counts[i].what);

      gst_structure_set (s, field, G_TYPE_UINT64, counts[i].value, NULL);
      g_free (field);
    }
  }
}

static GstStructure *
get_stats (GstSecondBatcher * self)
{
  GstStructure *s;

  GST_OBJECT_LOCK (self);
  g_mutex_lock (&self->lock);
  s = gst_structure_new ("secondbatcher-stats",
      "batches", G_TYPE_UINT64, self->batches,
      "incomplete-batches", G_TYPE_UINT64, self->incomplete_batches,
      "dropped-windows", G_TYPE_UINT64, self->dropped_windows,
      "skipped-windows", G_TYPE_UINT64, self->skipped_windows,
      "gaps", G_TYPE_UINT64, self->gaps,
      "missing-data-gaps", G_TYPE_UINT64, self->missing_data, NULL);
  pad_stats_locked (self, s);
  g_mutex_unlock (&self->lock);
  GST_OBJECT_UNLOCK (self);
  return s;
}

/* From its place into the value, or with `store` the other way */
static void
move_value (gpointer place, GValue * value, gboolean store)
{
#define MOVE(TYPE, kind, type) \
  if (G_VALUE_HOLDS_ ## TYPE (value) && store) \
    *(type *) place = g_value_get_ ## kind (value); \
  else if (G_VALUE_HOLDS_ ## TYPE (value)) \
    g_value_set_ ## kind (value, *(type *) place)

  MOVE (ENUM, enum, gint);
  MOVE (UINT64, uint64, guint64);
  MOVE (INT64, int64, gint64);
  MOVE (UINT, uint, guint);
  MOVE (BOOLEAN, boolean, gboolean);
}

static void
gst_second_batcher_set_property (GObject * object, guint id,
    const GValue * value, GParamSpec * pspec)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (object);
  gboolean refused;

  g_mutex_lock (&self->lock);
  /* what numbers the windows cannot change while they are cut */
  refused = self->running && (pspec->flags & GST_PARAM_MUTABLE_READY);
  if (!refused)
    move_value (G_STRUCT_MEMBER_P (self, id), (GValue *) value, TRUE);
  self->timeline.late_next = self->late == SECOND_LATE_NEXT;
  g_mutex_unlock (&self->lock);

  if (refused)
    GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS,
        ("Property %s numbers the windows and cannot change while they are "
            "cut; set it in the READY or NULL state.", pspec->name), (NULL));
  else if (id == PLACE (latency))
    second_batcher_apply_latency (self);
}

static void
gst_second_batcher_get_property (GObject * object, guint id, GValue * value,
    GParamSpec * pspec)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, get_stats (self));
    return;
  }
  SECOND_LOCK_BLOCK (&self->lock);
  move_value (G_STRUCT_MEMBER_P (self, id), value, FALSE);
}

/* Call from class_init, which runs once */
static GType
register_enum (const gchar * name, const GEnumValue * values)
{
  GType type = g_enum_register_static (name, values);

  gst_type_mark_as_plugin_api (type, 0);
  return type;
}

/* In READY, or at any time */
#define FIXED (G_PARAM_READWRITE | G_PARAM_CONSTRUCT | \
    G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define CHANGEABLE (G_PARAM_READWRITE | G_PARAM_CONSTRUCT | \
    G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)

static void
install_grid (GObjectClass * klass)
{
  /**
   * GstSecondBatcher:batch-duration:
   * How much time of each stream is in a batch. Fixed while it runs.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PLACE (batch_duration),
      g_param_spec_uint64 ("batch-duration", "Batch duration",
          "Nanoseconds of material in each batch (1 ms to a day, default 1 s); "
          "fixed from PAUSED on", GST_MSECOND, MAX_BATCH_DURATION, GST_SECOND,
          FIXED));
  /**
   * GstSecondBatcher:align:
   * The time on whose multiples windows start. Fixed while it runs.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PLACE (align),
      g_param_spec_enum ("align", "Alignment",
          "The time whose multiples of the hop the windows start at, and which "
          "numbers them (default running-time); fixed from PAUSED on",
          register_enum ("GstSecondBatcherAlign", align_values),
          SECOND_ALIGN_RUNNING_TIME, FIXED));
  /**
   * GstSecondBatcher:hop:
   * The time from one window to the next. Windows overlap where it is less than
   * #GstSecondBatcher:batch-duration. Fixed while it runs.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PLACE (hop),
      g_param_spec_uint64 ("hop", "Hop",
          "Nanoseconds from the start of one window to that of the next; more "
          "than batch-duration is an error (default 0 = batch-duration); fixed "
          "from PAUSED on", 0, MAX_BATCH_DURATION, 0, FIXED));
  /**
   * GstSecondBatcher:boundary-tolerance:
   * How far below the end of a window a frame belongs to the next one.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PLACE (boundary_tolerance),
      g_param_spec_int64 ("boundary-tolerance", "Boundary tolerance",
          "Nanoseconds, less than hop; a frame this close below the end of a "
          "window belongs to the next one (default -1: 1/8 of the frame "
          "duration)", -1, G_MAXINT64, -1, CHANGEABLE));
}

static void
install_policies (GObjectClass * klass)
{
  /**
   * GstSecondBatcher:incomplete:
   * Whether to push, drop or wait for a window in which a stream has no frame.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PLACE (incomplete),
      g_param_spec_enum ("incomplete", "Incomplete windows",
          "What to do with a window in which a stream has no frame (default "
          "push)", register_enum ("GstSecondBatcherIncomplete",
              incomplete_values), SECOND_INCOMPLETE_PUSH, CHANGEABLE));
  /**
   * GstSecondBatcher:late:
   * Whether to drop a frame whose window has left or put it into the open one.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PLACE (late),
      g_param_spec_enum ("late", "Late frames",
          "What to do with a frame whose window has left (default drop)",
          register_enum ("GstSecondBatcherLate", late_values), SECOND_LATE_DROP,
          CHANGEABLE));
  /**
   * GstSecondBatcher:frames:
   * How many frames a stream has in a batch, see #GstSecondBatcher:fill.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PLACE (frames),
      g_param_spec_uint ("frames", "Frames",
          "Frames per stream and batch, made so as `fill` says (at most 10^6; "
          "default 0 = as they come)", 0, MAX_FRAMES, 0, CHANGEABLE));
  /**
   * GstSecondBatcher:fill:
   * What to do where a stream has fewer or more frames than
   * #GstSecondBatcher:frames.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PLACE (fill),
      g_param_spec_enum ("fill", "Fill",
          "How to reach the number of `frames` (default repeat-last)",
          register_enum ("GstSecondBatcherFill", fill_values),
          SECOND_FILL_REPEAT_LAST, CHANGEABLE));
}

static void
install_output (GObjectClass * klass)
{
  /**
   * GstSecondBatcher:latency:
   * How long a live window waits for frames after its end. This is
   * #GstAggregator:latency with a default that is not 0.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PLACE (latency),
      g_param_spec_uint64 ("latency", "Latency",
          "Nanoseconds that a live window waits for frames after its end, on "
          "top of upstream's latency (at most a day; default -1: half of "
          "batch-duration)", 0, G_MAXUINT64, GST_CLOCK_TIME_NONE, CHANGEABLE));
  /**
   * GstSecondBatcher:output:
   * Whether a batch has its frames in its meta alone, or as memories, too.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PLACE (output),
      g_param_spec_enum ("output", "Output",
          "What a batch is made of (default meta)",
          register_enum ("GstSecondBatcherOutput", output_values),
          SECOND_OUTPUT_META, CHANGEABLE));
  /**
   * GstSecondBatcher:post-messages:
   * Whether to post an element message `second-batch` for each batch.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PLACE (post_messages),
      g_param_spec_boolean ("post-messages", "Post messages",
          "Post an element message `second-batch` with the counts of each "
          "batch (default false)", FALSE, CHANGEABLE));
  /**
   * GstSecondBatcher:stats:
   * Counts of batches, windows, and of the frames of each pad.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Counts since the last start: batches, windows dropped and skipped, "
          "and per pad frames, late, dropped, copied, held, windows that were "
          "contiguous, and frames gathered by output=memory",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

void
second_batcher_install_properties (GObjectClass * klass)
{
  klass->set_property = gst_second_batcher_set_property;
  klass->get_property = gst_second_batcher_get_property;
  install_grid (klass);
  install_policies (klass);
  install_output (klass);
}
