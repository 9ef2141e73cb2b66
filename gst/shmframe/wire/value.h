/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Structures, caps, tags and whatever stands in them, as bytes and back. Not as
 * strings: gst_structure_to_string() loses buffers and samples, and its parser
 * descends as deep as the other process likes. */
#ifndef GST_SHM_FRAME_VALUE_WIRE_H
#define GST_SHM_FRAME_VALUE_WIRE_H

#include <gst/base/gstbytereader.h>
#include <gst/base/gstbytewriter.h>
#include <gst/gst.h>

#include "wire/names.h"

G_BEGIN_DECLS

/* The category shmframewire: what could not cross. */
GstDebugCategory *gst_shm_frame_wire_debug (void);

/* What did not cross. Each kind is logged once, in the name of `owner`. */
typedef struct
{
  GstObject *owner;
  GHashTable *told;             /* of interned strings */
  guint64 metas;
  gboolean dry;                 /* a try, of which nothing is noted but that ... */
  gboolean missed;              /* ... something was left out, and that ... */
  gboolean no_room;             /* ... a meta was because it did not fit */
  /* Of a structure, at any depth; NULL: none since it was last set so. */
  const gchar *field, *field_type;
} GstShmFrameUnserializable;

void gst_shm_frame_unserializable_init (GstShmFrameUnserializable *
    unserializable, GstObject * owner);
void gst_shm_frame_unserializable_clear (GstShmFrameUnserializable *
    unserializable);
/* `what` of the type or name `kind`. TRUE the first time. */
gboolean gst_shm_frame_unserializable_note (GstShmFrameUnserializable *
    unserializable, const gchar * what, const gchar * kind);

/* A meta that is left out: noted and counted. `no_room`: it would cross, but there
 * is too little room for all; the application is told once for each type. */
void gst_shm_frame_unserializable_note_meta (GstShmFrameUnserializable *
    unserializable, const GstMeta * meta, gboolean no_room);

/* A writer of fixed size drops what does not fit, and what comes after it may
 * fit again. So the first string or block that does not fit fills the rest; and
 * if the largest number still fits at the end, all of them did. */
gboolean gst_shm_frame_wire_is_complete (const GstByteWriter * w);

void gst_shm_frame_wire_put_bytes (GstByteWriter * w, gconstpointer data,
    gsize size);
/* Borrowed from the reader */
gboolean gst_shm_frame_wire_get_bytes (GstByteReader * r,
    const guint8 ** data, guint32 * size);

/* A string with its length; NULL is told from "". */
void gst_shm_frame_wire_put_string (GstByteWriter * w, const gchar * string);
/* (transfer full): FALSE if it is not one */
gboolean gst_shm_frame_wire_get_string (GstByteReader * r, gchar ** string);

void gst_shm_frame_wire_put_segment (GstByteWriter * w,
    const GstSegment * segment);
gboolean gst_shm_frame_wire_get_segment (GstByteReader * r,
    GstSegment * segment);

void gst_shm_frame_wire_put_date_time (GstByteWriter * w, GDateTime * date);
/* (transfer full): NULL if it is not one */
GDateTime *gst_shm_frame_wire_get_date_time (GstByteReader * r);

/* `depth` is how deep the value lies in others: 0 for callers from outside. */

/* FALSE if it does not cross, and then nothing was put. */
gboolean gst_shm_frame_wire_put_value (GstByteWriter * w,
    const GValue * value, GstShmFrameUnserializable * unserializable,
    guint depth);
/* `value` is all zeros, and stays so on FALSE. Of all functions that read: what
 * could not be had as it was sent, for want of a name, is read to its end, and
 * `spoilt` of the names in use has grown. */
gboolean gst_shm_frame_wire_get_value (GstByteReader * r, GValue * value,
    guint depth);

/* Leaves out, and notes, the fields that do not cross; FALSE if there were any. */
gboolean gst_shm_frame_wire_put_structure (GstByteWriter * w,
    const GstStructure * structure, GstShmFrameUnserializable * unserializable,
    guint depth);
GstStructure *gst_shm_frame_wire_get_structure (GstByteReader * r, guint depth);
/* May this be the name of something? Whether it is taken says
 * gst_shm_frame_names_admit(). */
gboolean gst_shm_frame_wire_is_name (const gchar * name);
/* Those of the bits that have a meaning in this process. */
guint32 gst_shm_frame_wire_known_flags (GType type, guint32 bits);

/* wire/caps.c */
gboolean gst_shm_frame_wire_put_caps (GstByteWriter * w, const GstCaps * caps,
    GstShmFrameUnserializable * unserializable, guint depth);
GstCaps *gst_shm_frame_wire_get_caps (GstByteReader * r, guint depth);
gboolean gst_shm_frame_wire_put_buffer_value (GstByteWriter * w,
    GstBuffer * buffer);
GstBuffer *gst_shm_frame_wire_get_buffer_value (GstByteReader * r);
gboolean gst_shm_frame_wire_put_sample (GstByteWriter * w, GstSample * sample,
    GstShmFrameUnserializable * unserializable, guint depth);
GstSample *gst_shm_frame_wire_get_sample (GstByteReader * r, guint depth);

/* wire/tags.c */
void gst_shm_frame_wire_put_tags (GstByteWriter * w, const GstTagList * tags,
    GstShmFrameUnserializable * unserializable, guint depth);
GstTagList *gst_shm_frame_wire_get_tags (GstByteReader * r, guint depth);
void gst_shm_frame_wire_put_toc (GstByteWriter * w, GstToc * toc,
    GstShmFrameUnserializable * unserializable, guint depth);
GstToc *gst_shm_frame_wire_get_toc (GstByteReader * r, guint depth);

G_END_DECLS

#endif
