/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* g_object_set() with the nicks of enums, as gst-launch has them, not their
 * numbers. */
#ifndef PROPERTIES_H
#define PROPERTIES_H

#include <gobject/gvaluecollector.h>
#include <gst/check/gstcheck.h>

static inline void
set_property (GObject * object, GParamSpec * spec, va_list * args)
{
  GValue value = G_VALUE_INIT;
  gchar *error = NULL;

  if (G_IS_PARAM_SPEC_ENUM (spec)) {
    const gchar *nick = va_arg (*args, const gchar *);

    fail_unless (GPOINTER_TO_SIZE (nick) > 4095, "%s takes a nick",
        spec->name);
    gst_util_set_object_arg (object, spec->name, nick);
    return;
  }
  G_VALUE_COLLECT_INIT (&value, spec->value_type, *args, 0, &error);
  fail_unless (error == NULL, "%s: %s", spec->name, error);
  g_object_set_property (object, spec->name, &value);
  g_value_unset (&value);
}

static inline void
set_properties (gpointer object, const gchar * first, va_list list)
{
  const gchar *name = first;
  va_list args;

  va_copy (args, list);
  for (; name != NULL; name = va_arg (args, const gchar *)) {
    GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS
        (object), name);

    fail_unless (spec != NULL, "no property %s", name);
    set_property (object, spec, &args);
  }
  va_end (args);
}

#endif
