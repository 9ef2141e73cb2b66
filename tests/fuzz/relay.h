/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was read is passed on, as a relay does it: whoever could read it from us must
 * not find that it makes no sense. */
#ifndef RELAY_H
#define RELAY_H

#include "fuzz.h"
#include "wire/wire.h"

void relay_event (GstEvent * event, gboolean upstream);
/* `room[i]` is where slot i begins, which is where its parts' bytes are. */
void relay_buffer (GstBuffer * buffer, gboolean is_batch,
    struct sf_lease *lease, const guint8 * const *room);

#endif
