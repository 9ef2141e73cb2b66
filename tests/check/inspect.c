/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What users see of an element: its pads, properties and signals, as text that
 * is kept in tests/check/inspect/, so that a change of it is seen in review.
 *
 *   inspect FOLDER ELEMENT...             compares with FOLDER/ELEMENT.txt
 *   inspect --update FOLDER ELEMENT...    writes these files
 *
 * After a change that is meant: `ninja -C build update-inspect`, and commit the
 * files with it. Inherited properties are left out, and so is what depends on
 * the version of GStreamer.
 */
#include <gst/gst.h>
#include <stdlib.h>
#include <string.h>

/* Offered where GStreamer has the analytics library (1.28) */
#define OPTIONAL_CAPS "multistream/x-analytics-batch"

static void
put_caps (GString * out, const GstCaps * caps)
{
  if (gst_caps_is_any (caps)) {
    g_string_append (out, "  caps: ANY\n");
    return;
  }
  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    GstCaps *one = gst_caps_copy_nth (caps, i);
    gchar *text = gst_caps_to_string (one);

    if (!gst_structure_has_name (gst_caps_get_structure (one, 0),
            OPTIONAL_CAPS))
      g_string_append_printf (out, "  caps: %s\n", text);
    g_free (text);
    gst_caps_unref (one);
  }
}

static const struct
{
  guint flag;
  const gchar *name;
} flag_names[] = {
  {G_PARAM_READABLE, "readable"},
  {G_PARAM_WRITABLE, "writable"},
  {G_PARAM_CONSTRUCT_ONLY, "construct only"},
  {G_PARAM_DEPRECATED, "deprecated"},
  {GST_PARAM_CONTROLLABLE, "controllable"},
  {GST_PARAM_CONDITIONALLY_AVAILABLE, "conditionally available"},
  {GST_PARAM_MUTABLE_READY, "changeable up to READY"},
  {GST_PARAM_MUTABLE_PAUSED, "changeable up to PAUSED"},
  {GST_PARAM_MUTABLE_PLAYING, "changeable up to PLAYING"},
};

static void
put_flags (GString * out, const gchar * indent, guint flags)
{
  const gchar *separator = "";

  g_string_append_printf (out, "%sflags: ", indent);
  for (guint i = 0; i < G_N_ELEMENTS (flag_names); i++)
    if (flags & flag_names[i].flag) {
      g_string_append_printf (out, "%s%s", separator, flag_names[i].name);
      separator = ", ";
    }
  g_string_append_c (out, '\n');
}

#define PUT_RANGE(Name, NAME, format) \
  if (G_IS_PARAM_SPEC_##NAME (spec)) \
    g_string_append_printf (out, "%srange: %" format " to %" format "\n", \
        indent, G_PARAM_SPEC_##NAME (spec)->minimum, \
        G_PARAM_SPEC_##NAME (spec)->maximum)

static void
put_range (GString * out, const gchar * indent, GParamSpec * spec)
{
  PUT_RANGE (Int, INT, "d");
  PUT_RANGE (Uint, UINT, "u");
  PUT_RANGE (Int64, INT64, G_GINT64_FORMAT);
  PUT_RANGE (Uint64, UINT64, G_GUINT64_FORMAT);
  if (G_IS_PARAM_SPEC_ENUM (spec)) {
    GEnumClass *klass = G_PARAM_SPEC_ENUM (spec)->enum_class;

    for (guint i = 0; i < klass->n_values; i++)
      g_string_append_printf (out, "%s%d %s: %s\n", indent,
          klass->values[i].value, klass->values[i].value_nick,
          klass->values[i].value_name);
  }
}

static void
put_default (GString * out, const gchar * indent, GParamSpec * spec)
{
  const GValue *value = g_param_spec_get_default_value (spec);
  gchar *text;

  if (G_IS_PARAM_SPEC_BOXED (spec))
    return;
  text = G_VALUE_HOLDS_STRING (value) && g_value_get_string (value) == NULL
      ? g_strdup ("none") : gst_value_serialize (value);
  g_string_append_printf (out, "%sdefault: %s\n", indent, text);
  g_free (text);
}

static gint
compare_specs (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(GParamSpec * const *) a)->name,
      (*(GParamSpec * const *) b)->name);
}

/* Those that the type itself installs */
static void
put_properties (GString * out, const gchar * indent, GType type)
{
  GObjectClass *klass = g_type_class_ref (type);
  gchar *deeper = g_strconcat (indent, "  ", NULL);
  guint n;
  GParamSpec **specs = g_object_class_list_properties (klass, &n);

  qsort (specs, n, sizeof (*specs), compare_specs);
  for (guint i = 0; i < n; i++) {
    if (specs[i]->owner_type != type)
      continue;
    g_string_append_printf (out, "%sproperty %s: %s\n", indent,
        specs[i]->name, g_type_name (specs[i]->value_type));
    g_string_append_printf (out, "%s%s\n", deeper,
        g_param_spec_get_blurb (specs[i]));
    put_range (out, deeper, specs[i]);
    put_default (out, deeper, specs[i]);
    put_flags (out, deeper, specs[i]->flags);
  }
  g_free (specs);
  g_free (deeper);
  g_type_class_unref (klass);
}

/* Of URIs that it opens */
static void
put_protocols (GString * out, GstElementFactory * factory)
{
  const gchar *const *protocols =
      gst_element_factory_get_uri_protocols (factory);

  for (guint i = 0; protocols != NULL && protocols[i] != NULL; i++)
    g_string_append_printf (out, "URI %s\n", protocols[i]);
}

static void
put_signals (GString * out, GType type)
{
  guint n;
  guint *ids = g_signal_list_ids (type, &n);

  for (guint i = 0; i < n; i++) {
    GSignalQuery query;

    g_signal_query (ids[i], &query);
    g_string_append_printf (out, "signal %s: %s (", query.signal_name,
        g_type_name (query.return_type & ~G_SIGNAL_TYPE_STATIC_SCOPE));
    for (guint p = 0; p < query.n_params; p++)
      g_string_append_printf (out, "%s%s", p > 0 ? ", " : "",
          g_type_name (query.param_types[p] & ~G_SIGNAL_TYPE_STATIC_SCOPE));
    g_string_append_printf (out, ")%s\n",
        query.signal_flags & G_SIGNAL_ACTION ? " action" : "");
  }
  g_free (ids);
}

static void
put_templates (GString * out, GstElementClass * klass)
{
  static const gchar *presences[] = { "always", "sometimes", "on request" };

  for (GList * l = gst_element_class_get_pad_template_list (klass); l != NULL;
      l = l->next) {
    GstPadTemplate *template = l->data;
    GType type = G_TYPE_NONE;

    g_object_get (template, "gtype", &type, NULL);
    g_string_append_printf (out, "pad %s: %s, %s\n",
        GST_PAD_TEMPLATE_NAME_TEMPLATE (template),
        GST_PAD_TEMPLATE_DIRECTION (template) == GST_PAD_SRC ? "src" : "sink",
        presences[GST_PAD_TEMPLATE_PRESENCE (template)]);
    put_caps (out, GST_PAD_TEMPLATE_CAPS (template));
    /* a type of ours, not one of GStreamer's */
    if (type != G_TYPE_NONE && g_str_has_prefix (g_type_name (type),
            "GstSecond"))
      put_properties (out, "  ", type);
  }
}

static gchar *
describe (const gchar * name)
{
  GstElementFactory *factory = gst_element_factory_find (name);
  GString *out = g_string_new (NULL);
  GstElementClass *klass;
  GType type;

  if (factory == NULL)
    g_error ("no %s; see GST_PLUGIN_PATH", name);
  factory = GST_ELEMENT_FACTORY (gst_plugin_feature_load (GST_PLUGIN_FEATURE
          (factory)));
  type = gst_element_factory_get_element_type (factory);
  klass = g_type_class_ref (type);
  g_string_append_printf (out, "element %s: %s\n", name,
      g_type_name (g_type_parent (type)));
  g_string_append_printf (out, "  %s\n  %s\n  %s\n  rank %u\n",
      gst_element_class_get_metadata (klass, GST_ELEMENT_METADATA_LONGNAME),
      gst_element_class_get_metadata (klass, GST_ELEMENT_METADATA_DESCRIPTION),
      gst_element_class_get_metadata (klass, GST_ELEMENT_METADATA_KLASS),
      gst_plugin_feature_get_rank (GST_PLUGIN_FEATURE (factory)));
  put_protocols (out, factory);
  put_templates (out, klass);
  put_properties (out, "", type);
  put_signals (out, type);
  g_type_class_unref (klass);
  gst_object_unref (factory);
  return g_string_free (out, FALSE);
}

/* The lines from the first to the last that differs, of both */
static void
print_difference (const gchar * file, const gchar * kept, const gchar * now)
{
  gchar **old = g_strsplit (kept, "\n", -1), **new = g_strsplit (now, "\n", -1);
  guint old_end = g_strv_length (old), new_end = g_strv_length (new);
  guint start = 0;

  while (start < old_end && start < new_end
      && g_str_equal (old[start], new[start]))
    start++;
  while (old_end > start && new_end > start
      && g_str_equal (old[old_end - 1], new[new_end - 1])) {
    old_end--;
    new_end--;
  }
  g_print ("%s, line %u: the element is not as it was described\n", file,
      start + 1);
  for (guint i = start; i < old_end; i++)
    g_print ("-%s\n", old[i]);
  for (guint i = start; i < new_end; i++)
    g_print ("+%s\n", new[i]);
  g_strfreev (old);
  g_strfreev (new);
}

static gboolean
check (const gchar * folder, const gchar * name, gboolean update)
{
  gchar *base = g_strconcat (name, ".txt", NULL);
  gchar *file = g_build_filename (folder, base, NULL);
  gchar *now = describe (name), *kept = NULL;
  GError *error = NULL;
  gboolean ok;

  if (update)
    ok = g_file_set_contents (file, now, -1, &error);
  else
    ok = g_file_get_contents (file, &kept, NULL, &error);
  if (error != NULL)
    g_print ("%s\n", error->message);
  g_clear_error (&error);
  if (ok && !update && !g_str_equal (kept, now)) {
    print_difference (file, kept, now);
    ok = FALSE;
  }
  g_free (kept);
  g_free (now);
  g_free (file);
  g_free (base);
  return ok;
}

int
main (int argc, char **argv)
{
  gboolean update, ok = TRUE;
  gint first;

  gst_init (&argc, &argv);
  update = argc > 1 && g_str_equal (argv[1], "--update");
  first = update ? 2 : 1;
  if (argc < first + 2) {
    g_printerr ("usage: %s [--update] FOLDER ELEMENT...\n", argv[0]);
    return 2;
  }
  for (gint i = first + 1; i < argc; i++)
    ok = check (argv[first], argv[i], update) && ok;
  if (!ok)
    g_print ("If that is meant: ninja -C build update-inspect, and commit "
        "it.\n");
  return ok ? 0 : 1;
}
