// SPDX-License-Identifier: Apache-2.0
/*
 * signal_table.h: which signal is whose, in the whole process.
 *
 * A signal that was taken has our handler in the place of whatever handled it, and is blocked on
 * the taker's thread. So it either stays pending until that thread reads it, or the kernel finds a
 * thread that does not block it, where the handler passes it on to the taker's, with who sent it.
 */
#ifndef URING_SIGNAL_TABLE_H
#define URING_SIGNAL_TABLE_H

#include <soon/signal.h>

#define SOON__SIGNALS_MAX 64

/* Who takes signals, as reports say it. */
struct soon__signal_taker {
	const soon_site *site; /* NULL: by soon_signal_wait() */
	char task[32];
};

/* -EINVAL unless the set has signals, and only such as can be waited for. */
int soon__signals_check(uint64_t set);

/*
 * Takes a set for the calling thread and returns what of it that thread did not block before. All
 * or nothing: -EBUSY after a report.
 */
int soon__signals_claim(
	uint64_t set, const struct soon__signal_taker *taker, uint64_t *ret_unblocked);

/* Gives them back: handlers as before, `unblocked` unblocked, what is pending delivered. */
void soon__signals_release(uint64_t set, uint64_t unblocked);

/* The set as the kernel's functions want it. */
sigset_t soon__sigset(uint64_t set);

#endif
