/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers that several of the producer's files go by. */
#ifndef SF_LIMITS_H
#define SF_LIMITS_H

#include <stdint.h>

#include "shared/clock.h"

/* A connection is closed that sends no HELLO for so long, or, after BYE and
 * without frames, stays open for so long (ns). */
#define SF_GREETING_TIMEOUT (2 * SF_NS_PER_SECOND)

/* A publisher that waits for clients looks at their progress this often
 * (ns). */
#define SF_WAIT_SLICE (SF_NS_PER_SECOND / 20)

/* How often the control thread collects returns that somebody may wait for
 * (ms). */
#define SF_TICK_MS 40
/* The same while frames are out that nobody waits for: the next frame collects
 * them, or who needs a slot. */
#define SF_IDLE_TICK_MS 1000

/* Base slots: those beyond what clients may hold. Upstream fills some, one is
 * the latest frame, and a client that needs many holds some while the ring
 * grows for it. As many as fit into these bytes, between the two limits. */
#define SF_BASE_BYTES (UINT64_C (64) << 20)
#define SF_MIN_BASE_SLOTS 6u
#define SF_MAX_BASE_SLOTS 16u
/* As many of them as a stream needs to go on at all. */
#define SF_SPARE_SLOTS 2u

/* A request for more frames is refused only after this time, if slots that
 * would do are on their way back. Shorter than SF_ANSWER_TIMEOUT_MS of the
 * consumer. */
#ifndef SF_GRANT_TIMEOUT_MS
#define SF_GRANT_TIMEOUT_MS 3000
#endif
#define SF_GRANT_TIMEOUT (SF_GRANT_TIMEOUT_MS * INT64_C (1000000))

/* Frames that a consumer asks for when it connects. The ring has room for one
 * client of this kind from the start, so that it need not grow for the
 * first. */
#define SF_USUAL_HELD 4u

/* Slots that upstream may keep beyond the base slots: a decoder's references,
 * and the frames that its threads work on. */
#define SF_MAX_UPSTREAM_SLOTS 64u

/* Frames that a live client keeps in its queue however old they are. Two: a
 * batch is as old as its window is long when the next one comes. */
#define SF_KEPT_QUEUED 2u

/* All spilled payloads together, in bytes. */
#define SF_MAX_SPILL_BYTES (UINT64_C (64) << 20)

/* Frames of another producer that a live client may leave unclaimed. */
#define SF_MAX_FOREIGN_QUEUED 2u
/* In a burst of them the publisher waits this long for a live client to claim
 * the oldest, before it revokes that. Tests run on busy machines and set
 * more. */
#ifndef SF_GRACE_MS
#define SF_GRACE_MS 20
#endif
#define SF_GRACE (SF_GRACE_MS * INT64_C (1000000))

#endif
