/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the producer's source files offer each other, file by file. */
#ifndef SF_PARTS_H
#define SF_PARTS_H

#include "producer/producer-private.h"


/* producer/accept.c; called by the control thread */
void sf_client_accept (struct sf_producer *p, int fd,
    const struct sf_credentials *peer);

/* producer/session.c; called by the control thread */
void sf_client_hello (struct sf_client *c, const struct sf_hello *hello);
/* Sends WELCOME or REJECT; `r`, `needed`: of sf_client_grant(). The client may
 * be gone after it. */
void sf_client_answer_hello (struct sf_client *c, int r, uint32_t max_held,
    uint64_t needed);
/* Handles BYE. */
void sf_client_leave (struct sf_client *c);
void sf_client_report_end (struct sf_client *c, uint32_t reason,
    const char *text);
void sf_client_guard_hangup (struct sf_client *c);
/* Sends BYE as the producer closes. The client is gone then, unless it may read
 * frames of another producer. */
void sf_client_send_bye (struct sf_client *c);
void sf_client_end (struct sf_client *c, uint32_t reason, const char *text);
void sf_client_send_latency (struct sf_client *c);

/* producer/messages.c; called by the control thread */
/* Reads some of its messages. 1: there may be more; 0: that was all; -EPIPE:
 * the connection ended, or the client is gone. */
int sf_client_read (struct sf_client *c);
/* Reads the HELLO, or an observer's next question, if it is there; otherwise
 * ends the connection. */
void sf_client_greet_or_close (struct sf_client *c);
void sf_client_process_ended (struct sf_client *c);
/* Reads its messages again. */
void sf_client_unmute (struct sf_client *c);

/* producer/observers.c */
/* Answers for one observer in a second. Further questions wait in its
 * socket. */
#define SF_OBSERVER_QUOTA 64u
/* Handles OBSERVE; the first one makes this connection an observer's. It may be
 * gone after it. */
void sf_client_observe (struct sf_client *c, const struct sf_observe *observe);

/* producer/refusal.c; called by the control thread */
/* Sends REJECT, and reports the refusal. */
void sf_client_refuse (struct sf_producer *p, int fd,
    const struct sf_credentials *peer, const struct sf_reject *reject);
void sf_client_report_refusal (struct sf_producer *p,
    const struct sf_credentials *peer, const struct sf_reject *reject);
void sf_producer_explain_version (uint32_t min, uint32_t max,
    struct sf_reject *reject);
void sf_producer_explain_full (struct sf_producer *p, struct sf_reject *reject);
/* Adds to the text who holds frames without being served. */
void sf_producer_name_holder (struct sf_producer *p, struct sf_reject *reject);

/* producer/liveness.c; called by the control thread */
/* Tells whether a publisher waits for clients, or did until just now. */
bool sf_producer_is_waiting_locked (const struct sf_producer *p);
/* Asks clients that are waited for whether they live, and disconnects those
 * that do not. */
void sf_producer_check_liveness (struct sf_producer *p);
/* Tells whether it may still read frames of another producer. Those of our own
 * need no watching any more: after closing, nobody writes into their slots
 * again. */
bool sf_client_holds_foreign_locked (const struct sf_client *c);
/* Any message is a sign of life. */
void sf_client_note_alive (struct sf_client *c);
/* False: it was not asked. */
bool sf_client_pong (struct sf_client *c, bool paused);

/* producer/client.c */
bool sf_client_is_lossless_locked (const struct sf_client *c);
/* Tells whether frames and events are announced to it. */
bool sf_client_is_served_locked (const struct sf_client *c);
void sf_client_schedule_disconnect_locked (struct sf_client *c,
    uint32_t reason);
/* Counts frames lost to it. */
void sf_client_drop_locked (struct sf_client *c, enum sf_drop why, uint32_t n);
/* Revokes its oldest unclaimed frame. 1; 0: there is none, or a violation made
 * a disconnect pending. */
int sf_client_revoke_locked (struct sf_client *c, enum sf_drop why);
void sf_client_info_locked (struct sf_client *c, struct sf_client_info *info);
/* Takes what it returned. Returns the number of frames. */
int sf_client_collect_locked (struct sf_client *c);
/* Adds one of its fds to the epoll set under this tag, 0..3. 0 or -errno. */
int sf_client_watch (struct sf_client *c, int fd, uint32_t events,
    unsigned tag);
/* For any thread. The control thread frees a client that is gone. */
struct sf_client *sf_client_ref (struct sf_client *c);
void sf_client_unref (struct sf_client *c);
/* Frees clients that are gone and unreferenced. Called by the
 * control thread. */
void sf_producer_free_removed (struct sf_producer *p);
/* Counts the result of revoking, `r`, and returns 1 or 0 as
 * sf_client_revoke_locked(). */
int sf_client_count_revoked_locked (struct sf_client *c, enum sf_drop why,
    int r);

/* producer/client-queue.c */
/* Returns -EAGAIN if a lossless client has no room, else 0. A violation makes a
 * disconnect pending. */
int sf_client_room_locked (struct sf_client *c, uint32_t payload_size,
    bool frame);
/* `flags`: of the record; SF_RECORD_LOSSLESS is added. */
void sf_client_announce_locked (struct sf_client *c, struct sf_frame *frame,
    uint16_t flags);
/* `key`: SF_NO_KEY if the event is not sticky. */
void sf_client_event_locked (struct sf_client *c, uint64_t key,
    const void *body, uint32_t size);
/* Ends an overflow if the client has read all: sends the sticky events that it
 * lacks, and the latest frame, which it need not wait for. It also has that one
 * now if it lacked its segment before. */
void sf_client_recover_locked (struct sf_client *c);
/* Sends all sticky events and the latest frame to a client that joins. */
void sf_client_catch_up_locked (struct sf_client *c);
/* Returns the id of a segment that the frame needs and the client lacks; 0:
 * none. */
uint32_t sf_client_missing_segment_locked (const struct sf_client *c,
    const struct sf_frame *frame);
bool sf_client_was_sent_locked (const struct sf_client *c, uint32_t id);
/* Tells whether so many fds are unread that this client gets no more of them,
 * and no frame that needs them. The kernel limits those in flight per user. */
bool sf_client_is_fd_limited_locked (struct sf_client *c);
/* Sends one SEGMENT message. The lock is dropped over the I/O. Returns 1; 0:
 * another thread was sending, or a disconnect is pending: look again;
 * -ETOOMANYREFS: not sent, the user has too many fds in flight; the client with
 * most of them is disconnected if it does not read for a while. */
int sf_client_send_segment (struct sf_client *c, uint32_t id);
/* Sends a message without fds; 0 or -errno of sf_send(). */
int sf_client_send (struct sf_client *c, const struct sf_message *msg);
/* Counts fds in flight, by the result of sf_send(). */
void sf_client_note_fds_locked (struct sf_client *c, unsigned n_fds, int r);

/* producer/backpressure.c */
/* Takes back what clients have returned; from the second try in a row on,
 * revokes the oldest unclaimed frame of all live clients. False: there is
 * none. */
bool sf_producer_reclaim (struct sf_producer *p, unsigned tries);
int sf_producer_collect_locked (struct sf_producer *p);
void sf_producer_set_want_locked (struct sf_producer *p);
void sf_producer_note_progress (struct sf_producer *p);

/* producer/sticky.c */
/* Keeps the event for later clients. -ENOMEM, or -E2BIG: more than
 * SF_MAX_STICKY_BYTES in all; nothing changes then. */
int sf_sticky_keep_locked (struct sf_producer *p, uint64_t key,
    const void *body, uint32_t size);
void sf_sticky_forget_locked (struct sf_producer *p, uint64_t from,
    uint64_t to);

/* producer/spill.c */
/* Acquires a slot for a spilled payload. 0 or -errno, -ENOBUFS: too many are
 * out. Called without the lock. */
int sf_spill_acquire (struct sf_producer *p, uint64_t size,
    struct sf_slot *spill);
/* Finishes the slot and writes the record's payload, a reference to it. 0 or
 * -ENOMEM. */
int sf_spill_put_reference_locked (struct sf_producer *p,
    struct sf_frame *frame, uint64_t size);
#define SF_SPILL_REFERENCE_SIZE (8u + sizeof (struct sf_memory_ref_wire))

/* producer/frame.c */
void sf_frame_unref_locked (struct sf_producer *p, struct sf_frame *frame);
/* A sf_lease_done, `producer` being the user. */
void sf_frame_done_locked (void *frame, void *producer);
/* Drops the lock, wakes the control thread if asked to, and releases the frames
 * that are done. */
void sf_producer_unlock (struct sf_producer *p);
/* Takes out a retired segment without a published frame, which the caller is to
 * unref once clients are told. False: there is none. */
bool sf_known_take_gone_locked (struct sf_producer *p,
    struct sf_known_segment *gone);
struct sf_known_segment *sf_known_find_locked (struct sf_producer *p,
    uint32_t id);
/* Returns the entry of `segment`, made if it is new. NULL: out of memory. */
struct sf_known_segment *sf_known_add_locked (struct sf_producer *p,
    struct sf_segment *segment);
void sf_producer_drop_latest_locked (struct sf_producer *p);
void sf_producer_kick (struct sf_producer *p);
/* Has the control thread look at what came back: in a second, if nobody
 * publishes meanwhile, or soon and again and again if it is awaited. */
void sf_producer_want_tick_locked (struct sf_producer *p, bool awaited);
/* Adds the segment to those that the frame lies in. Returns its entry; NULL:
 * out of memory. */
struct sf_known_segment *sf_frame_note_segment_locked (struct sf_producer *p,
    struct sf_frame *frame, struct sf_segment *segment);

/* producer/wake.c */
/* Takes the flag of a sleeping client. True: the caller has to wake it. */
bool sf_client_take_sleeping_flag (struct sf_client *c);
void sf_client_wake (struct sf_client *c);
/* Tells whether it fell asleep on our CPU, where it can run only when we let
 * it. */
bool sf_client_is_on_this_cpu (const struct sf_client *c);
/* For the publisher, after announcing: notes a sleeping client for
 * sf_producer_wake_sleepers(), which needs no lock. */
void sf_client_note_sleep_locked (struct sf_client *c);
void sf_producer_wake_sleepers (struct sf_producer *p);

/* producer/capacity.c */
uint32_t sf_producer_base_slots (uint64_t slot_size);
/* Sums up the grants of all clients except `but`. */
uint64_t sf_producer_promised_locked (struct sf_producer *p,
    const struct sf_client *but);
/* Returns the slots that are needed if clients hold `promised` frames. */
uint64_t sf_producer_needed_slots_locked (struct sf_producer *p,
    uint64_t promised);
/* Makes slots so that clients can hold `promised` frames. Returns as
 * sf_producer_set_format(). Room lock held. */
int sf_producer_make_room_locked (struct sf_producer *p, uint64_t promised,
    uint64_t *needed);
/* Tells whether an error of sf_producer_make_room_locked() is one of memory, so
 * that fewer slots may do. */
bool sf_capacity_is_short (int error);
/* Revokes unclaimed frames of earlier formats from live clients: they keep
 * slots in use that the new format needs. */
void sf_producer_take_back_locked (struct sf_producer *p);
/* Sums up what clients want to hold, counting `most` for who wants more. */
uint64_t sf_producer_target_held_locked (struct sf_producer *p, uint32_t most);

/* producer/grants.c; called by the control thread */
/* Makes the slots that were granted in a new format, and unmaps segments that
 * nobody needs. */
void sf_producer_fulfil_grants (struct sf_producer *p);
/* Makes room for this client to hold `max_held` frames. 0 or -errno. */
int sf_client_grant (struct sf_client *c, uint32_t max_held, uint64_t *needed);
/* Grants them if the ring holds them at the expense of base slots. The caller
 * answers, which need not wait for slots to be made, and then calls
 * sf_client_grant(). */
bool sf_client_grant_at_once (struct sf_client *c, uint32_t max_held);
/* Fills `reject` from the error of sf_client_grant(). */
void sf_client_explain_grant (const struct sf_client *c, int error,
    uint32_t max_held, uint64_t needed, struct sf_reject *reject);
/* Handles WANT. */
void sf_client_want (struct sf_client *c, uint32_t max_held);
/* `r`, `needed`: of sf_client_grant(). */
void sf_client_answer_want (struct sf_client *c, int r, uint32_t max_held,
    uint64_t needed);
/* Postpones the request if slots that would do are coming back; it is then
 * retried for SF_GRANT_TIMEOUT. False: refuse it. */
bool sf_client_postpone_grant (struct sf_client *c, int error,
    uint32_t max_held, uint64_t needed);
/* Retries it. -EAGAIN: still postponed; else as sf_client_grant(). */
int sf_client_retry_grant (struct sf_client *c, uint32_t *max_held,
    uint64_t *needed);
/* Makes more slots if upstream missed some. */
void sf_producer_grow_for_upstream (struct sf_producer *p);

/* producer/segment-updates.c */
/* Sends segments that frames will need, and SEGMENT_GROWN, so that no streaming
 * thread has to. Called by the control thread. */
void sf_producer_send_segment_updates (struct sf_producer *p);

/* producer/flush.c */
/* Sends FLUSH to all clients, if one started or stopped. Called by the
 * control thread. */
void sf_producer_send_flush (struct sf_producer *p);

/* producer/shrink.c */
/* Goes on with a smaller ring, if clients have needed much less for long.
 * Returns the ms until it is to be called again, or -1. Called by the
 * control thread. */
int sf_producer_shrink (struct sf_producer *p);

/* producer/control-thread.c */
void *sf_producer_thread (void *producer);
/* Called after the thread has ended. Returns when the last client is gone. */
void sf_producer_linger (struct sf_producer *p);

#endif
