// SPDX-License-Identifier: Apache-2.0
/*
 * log.h: what the parts of the log share. There is one log in a process, so its state is static;
 * each part has its own:
 *
 *   log.c         a record into a ring; levels, categories
 *   log_ring.c    the rings themselves
 *   log_record.c, log_field.c    a record as bytes and as a line
 *   log_writer.c  the thread: sleeping, waking, taking records out of all rings in order of time
 *   log_sink.c    where lines go: descriptor, file, function; what to do when it takes nothing
 *   log_last.c    fatal signals, the end of the process, forks
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <soon/log.h>

#include "log_record.h"
#include "log_ring.h"

/* log.c */

/* The number of the calling thread, as the kernel counts. */
uint32_t soon__log_thread(void);

/* In the child of a fork. */
void soon__log_forget(void);

/* Held by whoever changes levels; taken around a fork. */
void soon__log_lock_levels(void);
void soon__log_unlock_levels(void);

/* log_writer.c */

/* The ring of the calling thread: its core's, or that of all threads without one. */
struct soon__log_ring *soon__log_ring_self(void);

/* A record was put into `ring`, or had no room: wakes the writer if it has to be. */
void soon__log_notify(struct soon__log_ring *ring, soon_level level);

/* Starts the writer unless it runs; what fails is reported, and tried again a second later. */
void soon__log_start(void);

/* Whether anything was ever logged or set up. */
bool soon__log_is_used(void);

/* Has everything written by the writer, or without it where there is none: soon_log_flush(). */
int soon__log_finish(soon_ns timeout);

/*
 * Writes what is in the rings from a process that dies: signal-safe, and for a second at most. May
 * be called again.
 */
void soon__log_last(void);

/*
 * Who takes records out of the rings and uses the sink is the owner: the writer while it works, or
 * another thread in its stead. Errors: -ETIMEDOUT; -EDEADLK it is the caller already.
 */
int soon__log_own(soon_ns timeout);
void soon__log_disown(void);

/* In the child of a fork: no writer, no records, no owner. */
void soon__log_clear(void);

/* log_sink.c; for the owner but where it says otherwise. */

/* Sets the sink by options; those of open(2), -ENAMETOOLONG. */
int soon__log_sink_set(const soon_log_opts *opts);

/* Begins a round of lines in that style, which lives until the last of them. */
void soon__log_sink_begin(const struct soon__log_style *style);

/* Makes room for the next lines; -ETIMEDOUT, then there may be none. */
int soon__log_sink_make_room(soon_ns deadline);

/* A line for a record, and one for `count` that a ring had to drop. There has to be room. */
void soon__log_sink_put(const struct soon__log_record *record);
void soon__log_sink_put_lost(uint64_t count, int core);

/* Writes what was put. -ETIMEDOUT: some of it is kept; what the sink refuses is counted. */
int soon__log_sink_flush(soon_ns deadline);

/* In the child of a fork: drops what was put. */
void soon__log_sink_clear(void);

/* Any thread: how many records were refused by where they go. */
uint64_t soon__log_refused(void);

/* Any thread, from the options. */
bool soon__log_sink_is_json(void);
bool soon__log_sink_wants_signals(void);
soon_ns soon__log_exit_timeout(void);
size_t soon__log_ring_bytes(void);

/* log_last.c */

/* Watches fatal signals, forks and the end of the process; does nothing the second time. */
void soon__log_watch(void);

/* Waits for what a run has logged, as long as the options allow. */
void soon__log_end_run(void);

/* CLOCK_MONOTONIC, whatever clock the core has. */
soon_ns soon__log_now(void);

#endif
