/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Converts structures, caps, tags and the values in them to bytes and back. Not
 * to strings: gst_structure_to_string() loses buffers and samples, and its
 * parser recurses as deep as the other process likes. */
#ifndef GST_SHM_FRAME_VALUE_WIRE_H
#define GST_SHM_FRAME_VALUE_WIRE_H

#include <gst/base/gstbytereader.h>
#include <gst/base/gstbytewriter.h>
#include <gst/gst.h>

#include "wire/names.h"

G_BEGIN_DECLS

/* The category shmframewire: what cannot be serialized. */
GstDebugCategory *gst_shm_frame_wire_debug (void);

/* What could not be serialized. Each kind is logged once, for `owner`. */
typedef struct
{
  GstObject *owner;
  GHashTable *reported;         /* of interned strings */
  guint64 metas;                /* left out */
  gboolean dry_run;             /* log and count nothing, set only: */
  gboolean incomplete;          /* something was left out */
  gboolean did_not_fit;         /* a meta was, for want of space */
  /* The first field left out of a structure, at any depth. The caller sets it
   * to NULL before it writes. */
  const gchar *field, *field_type;
} GstShmFrameUnserializable;

void gst_shm_frame_unserializable_init (GstShmFrameUnserializable *
    unserializable, GstObject * owner);
void gst_shm_frame_unserializable_clear (GstShmFrameUnserializable *
    unserializable);
/* Logs that `what` of the type or name `kind` is left out. TRUE the first
 * time. */
gboolean gst_shm_frame_unserializable_note (GstShmFrameUnserializable *
    unserializable, const gchar * what, const gchar * kind);

/* Logs and counts a meta that is left out. `did_not_fit`: it could be
 * serialized, but a record cannot hold all metas; a warning says so, once for
 * each type. */
void gst_shm_frame_unserializable_note_meta (GstShmFrameUnserializable *
    unserializable, const GstMeta * meta, gboolean did_not_fit);

/* Whether all that was put did fit. GstByteWriter drops what does not, and a
 * shorter piece after it may fit again. So the first string or block that does
 * not fit fills the rest, and the last 8 bytes stay unused: if a number of any
 * size still fits, all of them did. */
gboolean gst_shm_frame_wire_is_complete (const GstByteWriter * w);

void gst_shm_frame_wire_put_bytes (GstByteWriter * w, gconstpointer data,
    gsize size);
/* (transfer none): `data` lies in the reader's. */
gboolean gst_shm_frame_wire_get_bytes (GstByteReader * r,
    const guint8 ** data, guint32 * size);

/* Writes a string with its length; NULL and "" differ. */
void gst_shm_frame_wire_put_string (GstByteWriter * w, const gchar * string);
/* (transfer full) (nullable): FALSE if the bytes are no string. */
gboolean gst_shm_frame_wire_get_string (GstByteReader * r, gchar ** string);

void gst_shm_frame_wire_put_segment (GstByteWriter * w,
    const GstSegment * segment);
gboolean gst_shm_frame_wire_get_segment (GstByteReader * r,
    GstSegment * segment);

void gst_shm_frame_wire_put_date_time (GstByteWriter * w, GDateTime * date);
/* (transfer full): NULL if the bytes are no date. */
GDateTime *gst_shm_frame_wire_get_date_time (GstByteReader * r);

/* In what follows, `depth` is how deep the value is nested: 0 for callers from
 * outside. */

/* FALSE, and writes nothing, if the value cannot be serialized. */
gboolean gst_shm_frame_wire_put_value (GstByteWriter * w,
    const GValue * value, GstShmFrameUnserializable * unserializable,
    guint depth);
/* `value` is all zeros, and stays so on FALSE. As all functions that read: if a
 * name is refused (wire/names.h), reads on to the end, returns something else
 * in its place, and `refusals` of the current names has grown. */
gboolean gst_shm_frame_wire_get_value (GstByteReader * r, GValue * value,
    guint depth);

/* Leaves out, and notes, fields that cannot be serialized; FALSE if there were
 * any. */
gboolean gst_shm_frame_wire_put_structure (GstByteWriter * w,
    const GstStructure * structure, GstShmFrameUnserializable * unserializable,
    guint depth);
GstStructure *gst_shm_frame_wire_get_structure (GstByteReader * r, guint depth);
/* Whether this can be a name at all. Whether this process takes it says
 * gst_shm_frame_names_admit(). */
gboolean gst_shm_frame_wire_is_name (const gchar * name);
/* Clears the bits that this process does not know: a newer release's flags
 * would be out of a property's range here, and cannot be printed. */
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
