// SPDX-License-Identifier: Apache-2.0
/* A tally as a part of a result file, and back. */
#ifndef SOON_LOAD_SAVE_H
#define SOON_LOAD_SAVE_H

#include "../harness/result.h"
#include "tally.h"

/* Adds an entry of that name. It takes the histograms of the tally, which has none any more.
 * Returns 0 or -ENOMEM. */
int save_entry(
	struct result *result, const char *name, struct tally *tally, bool is_open, unsigned cores);

/*
 * Adds what an entry says to a tally; what it may be divided into by time is left out.
 * Returns 0, or -EPROTO when its histograms are of another kind than ours.
 */
int save_read(const struct result_entry *entry, struct tally *tally);

#endif
