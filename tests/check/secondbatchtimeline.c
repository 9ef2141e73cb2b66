/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of the batcher without an element: nothing but numbers */
#include "batchrig.h"
#include "batcher/timeline.h"

#define MS GST_MSECOND
#ifdef SANITIZED
#define ROUNDS 200
#else
#define ROUNDS 2000
#endif
#define MOST_FRAMES 60

typedef struct
{
  SecondTimeline timeline;
  SecondTrack track[2];
  GPtrArray *trash;
} Lines;

static void
lines_init (Lines * lines, guint64 duration, guint64 hop)
{
  guint i;

  memset (lines, 0, sizeof (*lines));
  lines->timeline.grid.duration = duration;
  lines->timeline.grid.hop = hop;
  lines->timeline.tracks = g_ptr_array_new ();
  lines->trash = g_ptr_array_new ();
  for (i = 0; i < 2; i++) {
    second_track_init (&lines->track[i]);
    g_ptr_array_add (lines->timeline.tracks, &lines->track[i]);
  }
}

static void
lines_clear (Lines * lines)
{
  guint i;

  for (i = 0; i < 2; i++)
    g_array_unref (lines->track[i].frames);
  g_ptr_array_unref (lines->timeline.tracks);
  g_ptr_array_unref (lines->trash);
}

static SecondVerdict
take (Lines * lines, guint track, gint64 ms)
{
  return second_timeline_take_frame (&lines->timeline,
      &lines->track[track], ms * (gint64) MS, 0, NULL);
}

static guint
count_chosen (Lines * lines, guint track)
{
  guint i, n = 0;

  for (i = 0; i < lines->track[track].frames->len; i++)
    n += second_track_frame (&lines->track[track], i)->chosen;
  return n;
}

/* What was read before the start moved back is as if it had not been: the frame
 * behind one of a later window is late when that one is open, not in this one */
GST_START_TEST (test_reading_ahead)
{
  SecondPart part;
  Lines lines;

  lines_init (&lines, GST_SECOND, GST_SECOND);
  fail_unless_equals_int (take (&lines, 0, 1200), SECOND_HELD);
  fail_unless_equals_int (take (&lines, 0, 800), SECOND_HELD);
  fail_unless_equals_int (take (&lines, 1, 500), SECOND_HELD);
  fail_unless_equals_uint64 (lines.timeline.index, 0);
  lines.track[1].reach = SECOND_ENDED;
  fail_unless (second_timeline_is_over (&lines.timeline));

  second_timeline_begin_close (&lines.timeline, lines.trash);
  fail_unless (second_timeline_next_part (&lines.timeline, &part));
  fail_unless_equals_int (count_chosen (&lines, 0), 0);
  fail_unless_equals_int (count_chosen (&lines, 1), 1);
  fail_if (second_timeline_next_part (&lines.timeline, &part));
  second_timeline_end_close (&lines.timeline, 1, lines.trash);
  fail_unless_equals_int (lines.track[0].late, 0);

  second_timeline_begin_close (&lines.timeline, lines.trash);
  fail_unless_equals_int (lines.track[0].late, 1);
  fail_unless (second_timeline_next_part (&lines.timeline, &part));
  fail_unless_equals_int (count_chosen (&lines, 0), 1);
  lines_clear (&lines);
}

GST_END_TEST;

/* So with a GAP, by which the stream is past the window then */
GST_START_TEST (test_gap_read_ahead)
{
  SecondPart part;
  Lines lines;

  lines_init (&lines, GST_SECOND, GST_SECOND);
  take (&lines, 0, 2200);
  fail_unless_equals_int (second_timeline_take_gap (&lines.timeline,
          &lines.track[1], 2500 * (gint64) MS, NULL), SECOND_HELD);
  lines.track[1].reach = SECOND_ENDED;
  second_track_reset (&lines.track[0], lines.trash);
  second_timeline_place_start (&lines.timeline);
  take (&lines, 0, 500);
  lines.track[0].reach = SECOND_ENDED;
  fail_if (second_timeline_is_done (&lines.timeline));

  second_timeline_begin_close (&lines.timeline, lines.trash);
  fail_unless (second_timeline_is_incomplete (&lines.timeline));
  fail_unless (second_timeline_next_part (&lines.timeline, &part));
  second_timeline_end_close (&lines.timeline, 1, lines.trash);
  second_timeline_begin_close (&lines.timeline, lines.trash);
  fail_unless_equals_uint64 (second_timeline_hole (&lines.timeline), 1);
  second_timeline_end_close (&lines.timeline, 1, lines.trash);
  fail_unless (second_timeline_is_done (&lines.timeline));
  lines_clear (&lines);
}

GST_END_TEST;

/* The zero moves back, and the frames with it */
GST_START_TEST (test_zero_moves_back)
{
  Lines lines;

  lines_init (&lines, GST_SECOND, GST_SECOND);
  lines.timeline.relative = TRUE;
  take (&lines, 0, 5300);
  take (&lines, 0, 6250);
  fail_unless_equals_uint64 (second_track_frame (&lines.track[0], 1)->pos,
      950 * MS);
  take (&lines, 1, 5200);
  fail_unless (lines.timeline.zero == 5200 * (gint64) MS);
  fail_unless_equals_uint64 (second_track_frame (&lines.track[0], 1)->pos,
      1050 * MS);
  /* a stream's later frames do not move it */
  take (&lines, 1, 5000);
  fail_unless (lines.timeline.zero == 5200 * (gint64) MS);
  lines_clear (&lines);
}

GST_END_TEST;

/* The part ends with the last old frame where the new ones step back before it */
GST_START_TEST (test_cut)
{
  static const gint64 new[] = { 80, 160 };
  static const guint64 ends[] = { 120, 160 };
  SecondPart part;
  Lines lines;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (new); i++) {
    lines_init (&lines, GST_SECOND, GST_SECOND);
    take (&lines, 0, 0);
    take (&lines, 0, 120);
    second_track_change_format (&lines.track[0]);
    take (&lines, 0, new[i]);
    take (&lines, 1, 119);
    take (&lines, 1, 160);
    second_timeline_begin_close (&lines.timeline, lines.trash);
    fail_unless (second_timeline_next_part (&lines.timeline, &part));
    fail_unless_equals_uint64 (part.end, ends[i] * MS);
    fail_unless_equals_int (count_chosen (&lines, 0), 2);
    fail_unless_equals_int (count_chosen (&lines, 1), 1);
    lines_clear (&lines);
  }
}

GST_END_TEST;

/* No sum wraps, whatever comes in */
GST_START_TEST (test_extremes)
{
  static const gint64 times[] = { G_MININT64, -1, 0, 1, G_MAXINT64 };
  guint64 hole;
  guint i;
  Lines lines;

  for (i = 0; i < G_N_ELEMENTS (times); i++) {
    lines_init (&lines, MS, 1);
    lines.timeline.relative = i % 2;
    second_timeline_take_frame (&lines.timeline, &lines.track[0],
        times[i], 0, NULL);
    lines.track[0].reach = SECOND_ENDED;
    second_timeline_take_gap (&lines.timeline, &lines.track[1], G_MAXINT64,
        NULL);
    second_timeline_begin_close (&lines.timeline, lines.trash);
    second_timeline_end_close (&lines.timeline, MS, lines.trash);
    second_timeline_take_gap (&lines.timeline, &lines.track[1], G_MAXINT64,
        NULL);
    second_timeline_begin_close (&lines.timeline, lines.trash);
    hole = second_timeline_hole (&lines.timeline);
    fail_unless (hole < G_MAXUINT64 / 2);
    second_timeline_end_close (&lines.timeline, hole, lines.trash);
    fail_unless (second_timeline_end (&lines.timeline) < G_MAXINT64);
    lines_clear (&lines);
  }
}

GST_END_TEST;

static guint
count_formats (const SecondTrack * track)
{
  guint i, n = 0;

  for (i = 0; i < track->frames->len; i++)
    n = MAX (n, second_track_frame (track, i)->format + 1);
  return n;
}

/* Every frame of the window is in one part, with none of another format, and no
 * more parts than there are formats */
static void
check_parts (Lines * lines, guint frames[2])
{
  guint most = count_formats (&lines->track[0])
      + count_formats (&lines->track[1]);
  guint parts = 0, i, f, got[2] = { 0, 0 };
  guint64 end = second_timeline_start (&lines->timeline);
  SecondPart part;

  second_timeline_begin_close (&lines->timeline, lines->trash);
  while (second_timeline_next_part (&lines->timeline, &part)) {
    fail_unless (++parts <= MAX (most, 1), "%u parts", parts);
    fail_unless_equals_uint64 (part.start, end);
    fail_unless (part.end >= part.start);
    end = part.end;
    for (i = 0; i < 2; i++)
      for (f = 0; f < lines->track[i].frames->len; f++) {
        const SecondFrame *frame = second_track_frame (&lines->track[i], f);

        if (!frame->chosen)
          continue;
        fail_unless_equals_int (frame->format, lines->track[i].part_format);
        got[i]++;
      }
  }
  fail_unless_equals_uint64 (end, second_timeline_end (&lines->timeline));
  for (i = 0; i < 2; i++)
    fail_unless_equals_int (got[i], frames[i]);
}

GST_START_TEST (test_random_parts)
{
  guint round, i;

  for (round = 0; round < ROUNDS; round++) {
    GRand *rand = g_rand_new_with_seed (round);
    guint n = (guint) g_rand_int_range (rand, 0, MOST_FRAMES);
    guint frames[2] = { 0, 0 };
    Lines lines;

    lines_init (&lines, GST_SECOND, GST_SECOND);
    for (i = 0; i < 2; i++)
      frames[i] += take (&lines, i, 0) == SECOND_HELD;
    for (i = 0; i < n; i++) {
      guint k = (guint) g_rand_int_range (rand, 0, 2);

      if (g_rand_int_range (rand, 0, 4) == 0)
        second_track_change_format (&lines.track[k]);
      frames[k] += take (&lines, k, g_rand_int_range (rand, 0, 50) * 20)
          == SECOND_HELD;
    }
    check_parts (&lines, frames);
    lines_clear (&lines);
    g_rand_free (rand);
  }
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_reading_ahead);
  tcase_add_test (tc, test_gap_read_ahead);
  tcase_add_test (tc, test_zero_moves_back);
  tcase_add_test (tc, test_cut);
  tcase_add_test (tc, test_extremes);
  tcase_add_test (tc, test_random_parts);
}

BATCH_SUITE (secondbatchtimeline)
