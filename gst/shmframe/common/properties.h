/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flags of both elements' properties. */
#ifndef GST_SHM_FRAME_PROPERTIES_H
#define GST_SHM_FRAME_PROPERTIES_H

#include <gst/gst.h>

/* Figures. */
#define GST_SHM_FRAME_PARAM_READABLE \
    (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)
/* Read once, when the element connects. */
#define GST_SHM_FRAME_PARAM_READY \
    (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
/* Read each time that it matters. */
#define GST_SHM_FRAME_PARAM_PLAYING \
    (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)

#endif
