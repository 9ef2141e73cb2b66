/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between wire/value.c and wire/number.c. */
#ifndef GST_SHM_FRAME_VALUE_KINDS_H
#define GST_SHM_FRAME_VALUE_KINDS_H

#include "wire/value.h"

G_BEGIN_DECLS

/* Their numbers on the wire. A type without a number cannot be serialized. */
typedef enum
{
  VALUE_INT = 1,
  VALUE_UINT,
  VALUE_INT64,
  VALUE_UINT64,
  VALUE_BOOLEAN,
  VALUE_FLOAT,
  VALUE_DOUBLE,
  VALUE_STRING,
  VALUE_FRACTION,
  VALUE_INT_RANGE,
  VALUE_INT64_RANGE,
  VALUE_DOUBLE_RANGE,
  VALUE_FRACTION_RANGE,
  VALUE_BITMASK,
  VALUE_FLAG_SET,
  VALUE_ENUM,
  VALUE_FLAGS,
  VALUE_LIST,
  VALUE_ARRAY,
  VALUE_STRUCTURE,
  VALUE_CAPS,
  VALUE_TAG_LIST,
  VALUE_TOC,
  VALUE_DATE,
  VALUE_DATE_TIME,
  VALUE_SEGMENT,
  VALUE_BUFFER,
  VALUE_SAMPLE,
} GstShmFrameValueKind;

static inline gboolean
gst_shm_frame_value_is_number (guint8 kind)
{
  return (kind >= VALUE_INT && kind <= VALUE_DOUBLE)
      || kind == VALUE_FRACTION || kind == VALUE_BITMASK;
}

static inline gboolean
gst_shm_frame_value_is_range (guint8 kind)
{
  return kind >= VALUE_INT_RANGE && kind <= VALUE_FRACTION_RANGE;
}

/* Whether the type is known by its name alone. */
static inline gboolean
gst_shm_frame_value_is_named (guint8 kind)
{
  return kind >= VALUE_FLAG_SET && kind <= VALUE_FLAGS;
}

/* Values that consist of numbers. `value` has the type already, except that
 * get_named() initializes it, from all zeros. */
void gst_shm_frame_wire_put_number (GstByteWriter * w, const GValue * value,
    guint8 kind);
gboolean gst_shm_frame_wire_get_number (GstByteReader * r, guint8 kind,
    GValue * value);
void gst_shm_frame_wire_put_range (GstByteWriter * w, const GValue * value,
    guint8 kind);
gboolean gst_shm_frame_wire_get_range (GstByteReader * r, guint8 kind,
    GValue * value);
void gst_shm_frame_wire_put_named (GstByteWriter * w, const GValue * value,
    guint8 kind);
gboolean gst_shm_frame_wire_get_named (GstByteReader * r, guint8 kind,
    GValue * value);
void gst_shm_frame_wire_put_date_time_value (GstByteWriter * w,
    const GstDateTime * date);
GstDateTime *gst_shm_frame_wire_get_date_time_value (GstByteReader * r);

G_END_DECLS

#endif
