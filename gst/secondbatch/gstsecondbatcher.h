/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_SECOND_BATCHER_H
#define GST_SECOND_BATCHER_H

#include <gst/base/gstaggregator.h>

G_BEGIN_DECLS

#define GST_TYPE_SECOND_BATCHER (gst_second_batcher_get_type ())
G_DECLARE_FINAL_TYPE (GstSecondBatcher, gst_second_batcher, GST,
    SECOND_BATCHER, GstAggregator)

GST_ELEMENT_REGISTER_DECLARE (secondbatcher);

G_END_DECLS

#endif /* GST_SECOND_BATCHER_H */
