/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OBSERVE and STATS, for protocol.c. */
#ifndef SF_PROTOCOL_STATS_H
#define SF_PROTOCOL_STATS_H

#include "shared/cursor.h"

void sf_put_observe (struct sf_writer *w, const struct sf_observe *observe);
void sf_get_observe (struct sf_reader *r, struct sf_observe *observe);
bool sf_observe_is_valid (const struct sf_observe *observe);

void sf_put_stats (struct sf_writer *w, const struct sf_stats *stats);
void sf_get_stats (struct sf_reader *r, struct sf_stats *stats);
bool sf_stats_are_valid (const struct sf_stats *stats);

#endif
