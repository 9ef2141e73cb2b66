/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_SECOND_SPLITTER_H
#define GST_SECOND_SPLITTER_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_SECOND_SPLITTER (gst_second_splitter_get_type ())
G_DECLARE_FINAL_TYPE (GstSecondSplitter, gst_second_splitter, GST,
    SECOND_SPLITTER, GstElement)

GST_ELEMENT_REGISTER_DECLARE (secondsplitter);

G_END_DECLS

#endif /* GST_SECOND_SPLITTER_H */
