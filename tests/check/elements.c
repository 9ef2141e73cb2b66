/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What holds for every element, in the manner of GStreamer's own generic tests:
 * properties take what they say they take, states change without peers, request
 * pads come and go, the log has a category of that name, and nothing that
 * GStreamer counts is left afterwards. The
 * tracer "leaks" has to be active (GST_TRACERS=leaks). */
#include "shmrig.h"

static const gchar *elements[] = {
  "shmframesink", "shmframesrc", "secondbatcher", "secondsplitter"
};

/* By type: how many of what was made since the test began are still there */
static GHashTable *alive;

static GstStructure *
emit (const gchar * signal)
{
  GList *tracers = gst_tracing_get_active_tracers ();
  GstStructure *s = NULL;

  fail_unless (tracers != NULL, "no tracer; see GST_TRACERS");
  g_signal_emit_by_name (tracers->data, signal, &s);
  g_list_free_full (tracers, gst_object_unref);
  return s;
}

static void
count (const GstStructure * checkpoint, const gchar * field, gint step)
{
  const GValue *list = gst_structure_get_value (checkpoint, field);

  for (guint i = 0; i < gst_value_list_get_size (list); i++) {
    const GstStructure *s = gst_value_get_structure (gst_value_list_get_value
        (list, i));
    const gchar *type = gst_structure_get_string (s, "type-name");
    gint n = GPOINTER_TO_INT (g_hash_table_lookup (alive, type));

    g_hash_table_replace (alive, g_strdup (type), GINT_TO_POINTER (n + step));
  }
}

/* The library's and the registry's are made when somebody first asks, and then
 * stay. So does one allocator of ours, for memory that was received. */
static gint
may_stay (const gchar * type)
{
  static const gchar *kept[] = { "GstPlugin", "GstElementFactory", "GstCaps",
    "GstPadTemplate", "GstSystemClock", "GstTaskPool"
  };

  for (guint i = 0; i < G_N_ELEMENTS (kept); i++)
    if (g_str_equal (type, kept[i]))
      return G_MAXINT;
  return g_str_equal (type, "GstShmFrameAllocator") ? 1 : 0;
}

/* NULL: nothing is left. */
static gchar *
what_is_left (void)
{
  GstStructure *checkpoint = emit ("activity-get-checkpoint");
  GString *left = g_string_new (NULL);
  GHashTableIter iter;
  gpointer type, n;

  count (checkpoint, "objects-created-list", 1);
  count (checkpoint, "objects-removed-list", -1);
  gst_structure_free (checkpoint);
  g_hash_table_iter_init (&iter, alive);
  while (g_hash_table_iter_next (&iter, &type, &n))
    if (GPOINTER_TO_INT (n) > may_stay (type))
      g_string_append_printf (left, " %d %s", GPOINTER_TO_INT (n),
          (const gchar *) type);
  return g_string_free (left, left->len == 0);
}

static void
leaks_setup (void)
{
  alive = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  emit ("activity-start-tracking");
}

/* Threads of GStreamer's pool may still be dropping their last references */
static void
leaks_teardown (void)
{
  gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  gchar *left;

  while ((left = what_is_left ()) != NULL && g_get_monotonic_time () < end) {
    g_free (left);
    g_usleep (1000);
  }
  fail_unless (left == NULL, "left:%s", left);
  g_hash_table_unref (alive);
}

/* With a path to be at, where it wants one */
static GstElement *
make (const gchar * name)
{
  GstElement *e = gst_element_factory_make (name, NULL);

  fail_unless (e != NULL, "no %s; see GST_PLUGIN_PATH", name);
  if (g_object_class_find_property (G_OBJECT_GET_CLASS (e), "socket-path"))
    g_object_set (e, "socket-path", rig_path, NULL);
  return gst_object_ref_sink (e);
}

static void
check_takes (GObject * object, GParamSpec * spec, const GValue * value)
{
  GValue got = G_VALUE_INIT;

  g_object_set_property (object, spec->name, value);
  g_value_init (&got, spec->value_type);
  g_object_get_property (object, spec->name, &got);
  fail_unless (g_param_values_cmp (spec, value, &got) == 0,
      "%s of %s is not what was set", spec->name, G_OBJECT_TYPE_NAME (object));
  g_value_unset (&got);
}

#define TAKES(NAME, type) \
  if (G_IS_PARAM_SPEC_##NAME (spec)) { \
    g_value_set_##type (&value, G_PARAM_SPEC_##NAME (spec)->minimum); \
    check_takes (object, spec, &value); \
    g_value_set_##type (&value, G_PARAM_SPEC_##NAME (spec)->maximum); \
    check_takes (object, spec, &value); \
  }

/* Its ends, if it has a range, and all of an enumeration; then the default */
static void
check_values (GObject * object, GParamSpec * spec)
{
  GValue value = G_VALUE_INIT;

  g_value_init (&value, spec->value_type);
  TAKES (INT, int);
  TAKES (UINT, uint);
  TAKES (INT64, int64);
  TAKES (UINT64, uint64);
  if (G_IS_PARAM_SPEC_ENUM (spec)) {
    GEnumClass *klass = G_PARAM_SPEC_ENUM (spec)->enum_class;

    for (guint i = 0; i < klass->n_values; i++) {
      g_value_set_enum (&value, klass->values[i].value);
      check_takes (object, spec, &value);
    }
  }
  if (G_IS_PARAM_SPEC_BOOLEAN (spec)) {
    g_value_set_boolean (&value, TRUE);
    check_takes (object, spec, &value);
  }
  if (G_IS_PARAM_SPEC_STRING (spec)) {
    g_value_set_string (&value, "text");
    check_takes (object, spec, &value);
  }
  g_param_value_set_default (spec, &value);
  check_takes (object, spec, &value);
  g_value_unset (&value);
}

static gboolean
is_ours (GType type)
{
  return g_str_has_prefix (g_type_name (type), "GstShmFrame")
      || g_str_has_prefix (g_type_name (type), "GstSecond");
}

/* A new one has what is said to be the default */
static void
check_default (GObject * object, GParamSpec * spec)
{
  GValue got = G_VALUE_INIT;

  g_value_init (&got, spec->value_type);
  g_object_get_property (object, spec->name, &got);
  if (!G_IS_PARAM_SPEC_BOXED (spec))
    fail_unless (g_param_value_defaults (spec, &got),
        "%s of a new %s is not the default", spec->name,
        G_OBJECT_TYPE_NAME (object));
  g_value_unset (&got);
}

static void
check_properties (GObject * object)
{
  guint n;
  GParamSpec **specs = g_object_class_list_properties (G_OBJECT_GET_CLASS
      (object), &n);

  for (guint i = 0; i < n; i++) {
    if (!is_ours (specs[i]->owner_type))
      continue;
    check_default (object, specs[i]);
    if (specs[i]->flags & G_PARAM_WRITABLE)
      check_values (object, specs[i]);
  }
  g_free (specs);
}

GST_START_TEST (test_properties)
{
  GstElement *e = gst_element_factory_make (elements[__i__], NULL);

  gst_object_ref_sink (e);
  check_properties (G_OBJECT (e));
  for (GList * l = e->pads; l != NULL; l = l->next)
    check_properties (G_OBJECT (l->data));
  gst_object_unref (e);
}

GST_END_TEST;

/* Up and down alone: with GST_STATE_CHANGE_FAILURE nowhere, and the same
 * again */
GST_START_TEST (test_states)
{
  GstElement *e = make (elements[__i__]);
  const GstState states[] = { GST_STATE_READY, GST_STATE_PAUSED,
    GST_STATE_PLAYING, GST_STATE_PAUSED, GST_STATE_READY, GST_STATE_NULL,
    GST_STATE_PAUSED, GST_STATE_READY, GST_STATE_PLAYING, GST_STATE_NULL
  };

  for (guint round = 0; round < 10; round++)
    for (guint s = 0; s < G_N_ELEMENTS (states); s++)
      rig_state (e, states[s]);
  gst_object_unref (e);
}

GST_END_TEST;

/* Without a path, shmframe's fail, and can be used after all */
GST_START_TEST (test_failed_start)
{
  GstElement *e = gst_element_factory_make (elements[__i__], NULL);

  gst_object_ref_sink (e);
  for (guint round = 0; round < 3; round++)
    fail_unless_equals_int (gst_element_set_state (e, GST_STATE_PAUSED),
        GST_STATE_CHANGE_FAILURE);
  g_object_set (e, "socket-path", rig_path, NULL);
  rig_state (e, GST_STATE_NULL);
  rig_state (e, GST_STATE_PAUSED);
  rig_state (e, GST_STATE_NULL);
  gst_object_unref (e);
}

GST_END_TEST;

static GstPadTemplate *
request_template (GstElement * e)
{
  for (GList * l = gst_element_class_get_pad_template_list
      (GST_ELEMENT_GET_CLASS (e)); l != NULL; l = l->next)
    if (GST_PAD_TEMPLATE_PRESENCE (l->data) == GST_PAD_REQUEST)
      return l->data;
  return NULL;
}

/* In any state, with a number of one's own or not */
GST_START_TEST (test_request_pads)
{
  GstElement *e = make (elements[__i__]);
  GstPadTemplate *template = request_template (e);

  for (GstState s = GST_STATE_NULL; s <= GST_STATE_PLAYING
      && template != NULL; s++) {
    GstPad *pads[3];

    rig_state (e, s);
    pads[0] = gst_element_request_pad (e, template, NULL, NULL);
    pads[1] = gst_element_request_pad (e, template, "sink_17", NULL);
    pads[2] = gst_element_request_pad (e, template, NULL, NULL);
    for (guint i = 0; i < 3; i++) {
      fail_unless (pads[i] != NULL);
      fail_unless (gst_pad_is_active (pads[i]) == (s >= GST_STATE_PAUSED));
    }
    fail_unless_equals_string (GST_PAD_NAME (pads[1]), "sink_17");
    check_properties (G_OBJECT (pads[0]));
    for (guint i = 0; i < 3; i++) {
      gst_element_release_request_pad (e, pads[i]);
      gst_object_unref (pads[i]);
    }
    fail_unless_equals_int (e->numsinkpads, 0);
  }
  rig_state (e, GST_STATE_NULL);
  gst_object_unref (e);
}

GST_END_TEST;

/* All four at work: frames cross, are batched, the batches cross, and become
 * frames again */
GST_START_TEST (test_nothing_left)
{
  GstElement *camera = rig_launch ("videotestsrc num-buffers=60 ! "
      RIG_GRAY (64, 48) " ! shmframesink socket-path=@");
  GstElement *batcher = rig_launch ("shmframesrc socket-path=@ is-live=false "
      "! secondbatcher ! shmframesink socket-path=@2");
  GstElement *reader = rig_launch ("shmframesrc socket-path=@2 is-live=false "
      "! secondsplitter ! fakesink");

  rig_play (reader);
  rig_play (batcher);
  rig_play (camera);
  rig_await_eos (reader);
  rig_stop (camera);
  rig_stop (batcher);
  rig_stop (reader);
}

GST_END_TEST;

/* GST_DEBUG=<element>:LEVEL */
GST_START_TEST (test_category)
{
  GstElement *e = gst_element_factory_make (elements[__i__], NULL);
  GSList *all = gst_debug_get_all_categories ();
  guint n = 0;

  for (GSList * l = all; l != NULL; l = l->next)
    n += g_str_equal (gst_debug_category_get_name (l->data), elements[__i__]);
  g_slist_free (all);
  fail_unless_equals_int (n, 1);
  gst_object_unref (gst_object_ref_sink (e));
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  const gint n = G_N_ELEMENTS (elements);

  tcase_add_checked_fixture (tc, leaks_setup, leaks_teardown);
  tcase_add_loop_test (tc, test_properties, 0, n);
  tcase_add_loop_test (tc, test_states, 0, n);
  tcase_add_loop_test (tc, test_failed_start, 0, 2);
  tcase_add_loop_test (tc, test_category, 0, n);
  tcase_add_loop_test (tc, test_request_pads, 0, n);
  tcase_add_test (tc, test_nothing_left);
}

RIG_SUITE (elements)
