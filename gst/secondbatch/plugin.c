/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "gstsecondbatchmeta.h"

GST_ELEMENT_REGISTER_DECLARE (secondbatcher);
GST_ELEMENT_REGISTER_DECLARE (secondsplitter);

static gboolean
plugin_init (GstPlugin * plugin)
{
  /* here, not in a class_init: that would take the registry's lock inside
   * GObject's, the other way round than GStreamer does */
  gst_second_batch_meta_register ();

  return GST_ELEMENT_REGISTER (secondbatcher, plugin)
      && GST_ELEMENT_REGISTER (secondsplitter, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, secondbatch,
    "Batches of one second from several streams, and back",
    plugin_init, VERSION, GST_LICENSE, GST_PACKAGE_NAME, GST_PACKAGE_ORIGIN)
