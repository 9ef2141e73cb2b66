/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gst/gst.h>

#include "sink/gstshmframesink.h"
#include "src/gstshmframesrc.h"
#include "wire/value.h"

static gboolean
plugin_init (GstPlugin * plugin)
{
  gboolean ret = FALSE;

  /* Let --gst-debug-help list its category. */
  gst_shm_frame_wire_debug ();
  ret |= GST_ELEMENT_REGISTER (shmframesink, plugin);
  ret |= GST_ELEMENT_REGISTER (shmframesrc, plugin);
  return ret;
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, shmframe,
    "Raw video between processes through shared memory, without copies",
    plugin_init, VERSION, GST_LICENSE, GST_PACKAGE_NAME, GST_PACKAGE_ORIGIN)
