/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks at the elements behind shmframesrc, for messages: who holds frames, and
 * which caps are accepted. */
#include "src/gstshmframesrc.h"

#include <string.h>

#define GST_CAT_DEFAULT gst_shm_frame_src_debug

/* How many elements to look at. */
#define MAX_ELEMENTS 32
/* How many characters of a long list of formats to show. */
#define MAX_VALUE 60

typedef void (*Visit) (GstElement * element, gpointer user);

/* Visits the elements behind the source, up to where the stream splits or
 * ends. */
static void
visit_downstream (GstShmFrameSrc * self, Visit visit, gpointer user)
{
  GstPad *pad = gst_object_ref (GST_BASE_SRC_PAD (self));

  for (guint i = 0; pad != NULL && i < MAX_ELEMENTS; i++) {
    GstPad *peer = gst_pad_get_peer (pad);
    GstElement *element;

    gst_clear_object (&pad);
    if (peer == NULL)
      return;
    element = gst_pad_get_parent_element (peer);
    /* Enter bins, through their ghost pads. */
    if (element != NULL && !GST_IS_BIN (element))
      visit (element, user);
    gst_clear_object (&element);
    pad = gst_pad_get_single_internal_link (peer);
    gst_object_unref (peer);
  }
  gst_clear_object (&pad);
}

static void
keep_first (GstElement * element, gpointer user)
{
  GstElement **first = user;

  if (*first == NULL)
    *first = gst_object_ref (element);
}

static void
keep_last (GstElement * element, gpointer user)
{
  gst_object_replace (user, GST_OBJECT (element));
}

static gchar *
name_of (GstShmFrameSrc * self, Visit which)
{
  GstElement *element = NULL;
  gchar *name;

  visit_downstream (self, which, &element);
  name = gst_object_get_name (GST_OBJECT (element != NULL ? element
          : GST_ELEMENT (self)));
  gst_clear_object (&element);
  return name;
}

/* --- who holds frames --- */

static gboolean
has_property (GstElement * element, const gchar * name, GType type)
{
  GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS (element),
      name);

  return spec != NULL && (spec->flags & G_PARAM_READABLE)
      && spec->value_type == type;
}

/* Takes the text. */
static void
put_holder (GString * out, gchar * text)
{
  if (out->len > 0)
    g_string_append (out, ", ");
  g_string_append (out, text);
  g_free (text);
}

static gboolean
is_appsink (GstElement * element)
{
  return g_str_equal (G_OBJECT_TYPE_NAME (element), "GstAppSink");
}

gchar *
gst_shm_frame_src_find_appsink (GstShmFrameSrc * self)
{
  GstElement *last = NULL;
  gchar *name = NULL;

  visit_downstream (self, keep_last, &last);
  if (last != NULL && is_appsink (last))
    name = gst_object_get_name (GST_OBJECT (last));
  gst_clear_object (&last);
  return name;
}

static void
note_holder (GstElement * element, gpointer user)
{
  const gchar *name = GST_OBJECT_NAME (element);
  gboolean keeps_last = FALSE;
  guint64 wide = 0;
  guint n = 0;

  if (has_property (element, "current-level-buffers", G_TYPE_UINT)) {
    g_object_get (element, "current-level-buffers", &n, NULL);
  } else if (has_property (element, "current-level-buffers", G_TYPE_UINT64)) {
    g_object_get (element, "current-level-buffers", &wide, NULL);
    n = (guint) MIN (wide, G_MAXUINT);
  }
  if (is_appsink (element))
    put_holder (user, g_strdup_printf ("the application of appsink %s does not "
            "pull, or keeps what it pulled", name));
  else if (n > 0)
    put_holder (user, g_strdup_printf ("%s holds %u", name, n));
  if (has_property (element, "enable-last-sample", G_TYPE_BOOLEAN))
    g_object_get (element, "enable-last-sample", &keeps_last, NULL);
  if (keeps_last)
    put_holder (user, g_strdup_printf ("%s keeps its last frame "
            "(enable-last-sample)", name));
}

gchar *
gst_shm_frame_src_find_holders (GstShmFrameSrc * self)
{
  GString *out = g_string_new (NULL);
  gchar *name;

  visit_downstream (self, note_holder, out);
  if (out->len == 0) {
    name = name_of (self, keep_first);
    put_holder (out, g_strdup_printf ("they are in %s or behind it", name));
    g_free (name);
  }
  return g_string_free (out, FALSE);
}

/* --- which caps are accepted --- */

/* Writes the value as in a launch line, without types, and shortened. */
static void
put_value (GString * out, const gchar * field, const GValue * value)
{
  gchar *text = gst_value_serialize (value);
  gsize end;

  g_string_append_printf (out, ", %s=", field);
  end = out->len + MAX_VALUE;
  for (const gchar * at = text; at != NULL && *at != '\0'; at++) {
    if (*at == '(' && strchr (at, ')') != NULL)
      at = strchr (at, ')');
    else if (out->len < end)
      g_string_append_c (out, *at);
  }
  if (out->len >= end)
    g_string_append (out, "...");
  g_free (text);
}

static const gchar *const shown[] = { "format", "width", "height", "framerate",
  "interlace-mode", "streams"
};

static gboolean
can_be (const GstStructure * s, const GstStructure * other, const gchar * field)
{
  const GValue *a = gst_structure_get_value (s, field);
  const GValue *b = gst_structure_get_value (other, field);

  return a == NULL || b == NULL || gst_value_intersect (NULL, a, b);
}

/* Writes the format, and the fields that do not fit `other`; all if that is
 * NULL. */
static void
put_structure (GString * out, const GstCaps * caps, guint i,
    const GstStructure * other)
{
  const GstStructure *s = gst_caps_get_structure (caps, i);
  const GstCapsFeatures *features = gst_caps_get_features (caps, i);
  gchar *text;

  g_string_append (out, gst_structure_get_name (s));
  if (features != NULL && !gst_caps_features_is_equal (features,
          GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY)) {
    text = gst_caps_features_to_string (features);
    g_string_append_printf (out, "(%s)", text);
    g_free (text);
  }
  for (guint f = 0; f < G_N_ELEMENTS (shown); f++)
    if (gst_structure_has_field (s, shown[f])
        && (other == NULL || f == 0 || !can_be (s, other, shown[f])))
      put_value (out, shown[f], gst_structure_get_value (s, shown[f]));
}

static gchar *
describe (const GstCaps * caps, const GstCaps * other)
{
  GString *out = g_string_new (NULL);
  guint n = gst_caps_get_size (caps);

  for (guint i = 0; i < MIN (n, 2); i++) {
    g_string_append (out, i > 0 ? "; or " : "");
    put_structure (out, caps, i, other != NULL
        ? gst_caps_get_structure (other, 0) : NULL);
  }
  if (n > 2)
    g_string_append (out, "; or others");
  return g_string_free (out, FALSE);
}

/* Whether `takes` has a structure with the name of `sent`, in system memory,
 * that its field fits; `field` NULL: whatever its fields. */
static gboolean
allows (const GstCaps * takes, const GstStructure * sent, const gchar * field)
{
  for (guint i = 0; i < gst_caps_get_size (takes); i++) {
    const GstStructure *s = gst_caps_get_structure (takes, i);

    if (gst_structure_has_name (s, gst_structure_get_name (sent))
        && gst_caps_features_is_equal (gst_caps_get_features (takes, i),
            GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY)
        && (field == NULL || can_be (s, sent, field)))
      return TRUE;
  }
  return FALSE;
}

#define BATCH "multistream/x-second-batch"

/* The elements, as in a launch line, that convert the caps that are sent into
 * caps that are accepted. */
static gchar *
find_converters (const GstCaps * sent, const GstCaps * takes)
{
  const GstStructure *s = gst_caps_get_structure (sent, 0);
  /* Empty and ANY caps have no name. */
  const gchar *other = gst_caps_get_size (takes) == 0 ? "" :
      gst_structure_get_name (gst_caps_get_structure (takes, 0));
  GString *out;

  if (gst_structure_has_name (s, BATCH))
    return g_strdup ("secondsplitter");
  if (gst_structure_has_name (s, "video/x-bayer"))
    return g_strdup ("bayer2rgb ! videoconvert");
  if (g_str_equal (other, BATCH))
    return g_strdup ("secondbatcher");
  out = g_string_new ("videoconvert");
  if (gst_caps_get_size (takes) == 0)
    return g_string_free (out, FALSE);
  if (!allows (takes, s, NULL)) {
    g_string_append_printf (out, " and what makes %s of it", other);
    return g_string_free (out, FALSE);
  }
  if (!allows (takes, s, "interlace-mode"))
    g_string_append (out, " ! deinterlace");
  if (!allows (takes, s, "width") || !allows (takes, s, "height"))
    g_string_append (out, " ! videoscale");
  if (!allows (takes, s, "framerate"))
    g_string_append (out, " ! videorate");
  return g_string_free (out, FALSE);
}

static gchar *
explain_refusal (GstShmFrameSrc * self, const GstCaps * sent,
    const GstCaps * takes)
{
  gchar *name = name_of (self, keep_first);
  gchar *ours = describe (sent, NULL);
  gchar *theirs = describe (takes, sent);
  gchar *converters = find_converters (sent, takes);
  gchar *why, *text;

  if (gst_caps_is_empty (takes))
    why = g_strdup_printf ("there is nothing that all behind %s take", name);
  else if (gst_caps_can_intersect (sent, takes))
    why = g_strdup_printf ("that is refused by %s, or behind it", name);
  else
    why = g_strdup_printf ("%s takes %s", name, theirs);
  text = g_strdup_printf ("The producer at %s sends %s, and %s; insert a "
      "converter: put %s behind %s.", self->session.path, ours, why, converters,
      GST_OBJECT_NAME (self));
  g_free (why);
  g_free (converters);
  g_free (theirs);
  g_free (ours);
  g_free (name);
  return text;
}

/* NULL: no caps were sent yet. */
static gchar *
explain_not_negotiated (GstShmFrameSrc * self, gchar ** debug)
{
  GstPad *pad = GST_BASE_SRC_PAD (self);
  GstCaps *sent = gst_pad_get_current_caps (pad);
  GstCaps *takes = gst_caps_simplify (gst_pad_peer_query_caps (pad, NULL));
  gchar *text = NULL, *ours, *theirs;

  if (sent != NULL) {
    ours = gst_caps_to_string (sent);
    theirs = gst_caps_to_string (takes);
    text = explain_refusal (self, sent, takes);
    *debug = g_strdup_printf ("sent: %s, taken: %s", ours, theirs);
    g_free (theirs);
    g_free (ours);
    gst_caps_unref (sent);
  }
  gst_caps_unref (takes);
  return text;
}

GstMessage *
gst_shm_frame_src_explain_error (GstShmFrameSrc * self, GstMessage * message)
{
  const GstStructure *details = NULL;
  gint flow = GST_FLOW_OK;
  gchar *text, *debug = NULL, *name;
  GstMessage *better;
  GError *error;

  if (GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR)
    return message;
  gst_message_parse_error_details (message, &details);
  if (self->stream.failed && details != NULL
      && gst_structure_get_int (details, "flow-return", &flow)
      && flow == GST_FLOW_ERROR) {
    gst_message_unref (message);
    return NULL;
  }
  if (details == NULL || !gst_structure_get_int (details, "flow-return", &flow)
      || (flow != GST_FLOW_NOT_NEGOTIATED && flow != GST_FLOW_NOT_LINKED))
    return message;
  if (flow == GST_FLOW_NOT_NEGOTIATED) {
    text = explain_not_negotiated (self, &debug);
    if (text == NULL)
      return message;
  } else {
    name = name_of (self, keep_last);
    text = g_strdup_printf ("Nothing is linked behind %s, which frames of the "
        "producer at %s should go on to; link what uses them, or a fakesink.",
        name, self->session.path);
    g_free (name);
  }
  error = g_error_new_literal (GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, text);
  better = gst_message_new_error_with_details (GST_OBJECT (self), error, debug,
      gst_structure_copy (details));
  gst_message_set_seqnum (better, gst_message_get_seqnum (message));
  gst_message_unref (message);
  g_error_free (error);
  g_free (debug);
  g_free (text);
  return better;
}
