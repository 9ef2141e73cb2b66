/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Feeds the timeline of secondbatcher, without an element, as a live one would: items
 * in the order in which they come, and deadlines. Read from stdin, a line each:
 *
 *   case DURATION HOP STREAMS LATE-NEXT RELATIVE DROP-INCOMPLETE
 *   frame STREAM ID TIME TOLERANCE, gap STREAM END, format STREAM 0, end STREAM 0
 *   deadline 0          the open window's
 *   run                 the case ends
 *
 * Output of a case, which ends with `end`:
 *
 *   window INDEX START END
 *   of FORMAT LATE DROPPED : ID ...         FORMAT of the frames, - without any
 *   hole INDEX INDEX, dropped INDEX */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batcher/timeline.h"

/* As the element: a longer hole in all streams is no row of empty batches. */
#define MAX_EMPTY 100

typedef struct
{
  gchar word;                   /* the first letter of the item's */
  guint id;
  gint64 time;
  guint64 tolerance;
} Item;

static SecondTimeline timeline;
static GPtrArray *queues;       /* of GQueue of Item, one a track */
static gboolean drop_incomplete;

static GPtrArray *
new_trash (void)
{
  return g_ptr_array_new ();
}

static void
begin_case (const gint64 * number)
{
  timeline = (SecondTimeline) { 0 };
  timeline.grid.duration = number[0];
  timeline.grid.hop = number[1];
  timeline.late_next = number[3] != 0;
  timeline.relative = number[4] != 0;
  drop_incomplete = number[5] != 0;
  second_timeline_reset (&timeline);
  timeline.tracks = g_ptr_array_new ();
  queues = g_ptr_array_new ();
  for (gint64 i = 0; i < number[2]; i++) {
    SecondTrack *track = g_new0 (SecondTrack, 1);

    second_track_init (track);
    g_ptr_array_add (timeline.tracks, track);
    g_ptr_array_add (queues, g_queue_new ());
  }
}

/* Whether the item was taken; if not, it waits for a later window. */
static gboolean
take (SecondTrack * track, const Item * item)
{
  switch (item->word) {
    case 'f':
      return second_timeline_take_frame (&timeline, track, item->time,
          item->tolerance, GUINT_TO_POINTER (item->id)) != SECOND_NOT_YET;
    case 'g':
      return second_timeline_take_gap (&timeline, track, item->time, NULL)
          != SECOND_NOT_YET;
    case 'c':
      second_track_change_format (track);
      return TRUE;
    default:
      track->reach = SECOND_ENDED;
      return TRUE;
  }
}

static void
read_all (void)
{
  for (guint i = 0; i < timeline.tracks->len; i++) {
    GQueue *queue = g_ptr_array_index (queues, i);
    Item *item;

    while (!second_track_is_past (&timeline, second_track_at (&timeline, i))
        && (item = g_queue_peek_head (queue)) != NULL
        && take (second_track_at (&timeline, i), item))
      g_free (g_queue_pop_head (queue));
  }
}

static void
print_part (const SecondPart * part)
{
  printf ("window %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %"
      G_GUINT64_FORMAT "\n", timeline.index, part->start, part->end);
  for (guint i = 0; i < timeline.tracks->len; i++) {
    SecondTrack *track = second_track_at (&timeline, i);
    GString *ids = g_string_new (NULL);
    gboolean any = FALSE;

    for (guint f = 0; f < track->frames->len; f++) {
      SecondFrame *frame = second_track_frame (track, f);

      if (!frame->chosen)
        continue;
      frame->delivered = any = TRUE;
      g_string_append_printf (ids, " %u", GPOINTER_TO_UINT (frame->data));
    }
    printf ("of %d %u %u :%s\n", any ? (gint) track->part_format : -1,
        track->late, track->dropped, ids->str);
    track->late = track->dropped = 0;
    g_string_free (ids, TRUE);
  }
}

static void
close_window (void)
{
  GPtrArray *trash = new_trash ();
  guint64 windows = 1, hole;
  SecondPart part;

  second_timeline_begin_close (&timeline, trash);
  hole = second_timeline_hole (&timeline);
  if (hole > MAX_EMPTY || (hole > 0 && drop_incomplete)) {
    printf ("hole %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
        timeline.index, timeline.index + hole);
    windows = hole;
  } else if (drop_incomplete && second_timeline_is_incomplete (&timeline)) {
    printf ("dropped %" G_GUINT64_FORMAT "\n", timeline.index);
  } else {
    while (second_timeline_next_part (&timeline, &part))
      print_part (&part);
  }
  second_timeline_end_close (&timeline, windows, trash);
  g_ptr_array_unref (trash);
}

static gboolean
has_more (void)
{
  return !second_timeline_is_done (&timeline);
}

/* Closes what is over. */
static void
go_on (void)
{
  read_all ();
  while (has_more () && second_timeline_is_over (&timeline)) {
    close_window ();
    read_all ();
  }
}

static void
expire (void)
{
  if (timeline.open && has_more ())
    close_window ();
  go_on ();
}

static void
end_case (void)
{
  GPtrArray *trash = new_trash ();

  for (guint i = 0; i < timeline.tracks->len; i++) {
    second_track_reset (second_track_at (&timeline, i), trash);
    g_array_unref (second_track_at (&timeline, i)->frames);
    g_free (second_track_at (&timeline, i));
    g_queue_free_full (g_ptr_array_index (queues, i), g_free);
  }
  g_ptr_array_unref (trash);
  g_ptr_array_unref (timeline.tracks);
  g_ptr_array_unref (queues);
  printf ("end\n");
  fflush (stdout);
}

static void
add_item (gchar ** words, const gint64 * number)
{
  Item *item = g_new0 (Item, 1);

  /* `format` is told from `frame` */
  item->word = strcmp (words[0], "format") == 0 ? 'c' : words[0][0];
  if (item->word == 'f') {
    item->id = number[1];
    item->time = number[2];
    item->tolerance = number[3];
  } else {
    item->time = number[1];
  }
  g_queue_push_tail (g_ptr_array_index (queues, number[0]), item);
  go_on ();
}

int
main (void)
{
  gchar *line = NULL;
  size_t size = 0;

  while (getline (&line, &size, stdin) > 0) {
    gchar **words = g_strsplit (g_strchomp (line), " ", -1);
    gint64 number[6] = { 0 };

    for (guint i = 0; i < 6 && words[i + 1] != NULL; i++)
      number[i] = g_ascii_strtoll (words[i + 1], NULL, 10);
    if (strcmp (words[0], "case") == 0)
      begin_case (number);
    else if (strcmp (words[0], "deadline") == 0)
      expire ();
    else if (strcmp (words[0], "run") == 0)
      end_case ();
    else
      add_item (words, number);
    g_strfreev (words);
  }
  free (line);
  return 0;
}
