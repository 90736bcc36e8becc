// SPDX-License-Identifier: Apache-2.0
#include "tally.h"

#include <soon/assert.h>

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const soon_hist_opts coarse = { .precision = 6 };

int tally_init(struct tally *tally)
{
	int rc = soon_hist_create(NULL, &tally->lag);

	tally->interval_ns = TALLY_INTERVAL_NS;
	for (unsigned i = 0; rc == 0 && i < PHASE_COUNT; i++)
		rc = soon_hist_create(NULL, &tally->phases[i]);
	return rc;
}

void tally_fini(struct tally *tally)
{
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		soon_hist_destroy(tally->phases[i]);
	soon_hist_destroy(tally->lag);
	for (unsigned i = 0; i < TALLY_INTERVALS_MAX; i++)
		soon_hist_destroy(tally->intervals[i].latency);
	memset(tally, 0, sizeof *tally);
}

static void add_counts(struct tally_interval *into, const struct tally_interval *from)
{
	into->due += from->due;
	into->sent += from->sent;
	into->completed += from->completed;
	into->failed += from->failed;
}

/* Adds one interval to another; the first gets the histogram when it has none. */
static void merge(struct tally_interval *into, struct tally_interval *from)
{
	add_counts(into, from);
	if (into->latency == NULL) {
		into->latency = from->latency;
		from->latency = NULL;
	} else if (from->latency != NULL) {
		int rc = soon_hist_merge(into->latency, from->latency);

		SOON_ASSERT(rc == 0); /* of the same options */
	}
}

/* Makes one of every two. */
static void widen(struct tally *tally)
{
	struct tally_interval *all = tally->intervals;

	for (unsigned i = 0; i < TALLY_INTERVALS_MAX; i += 2) {
		struct tally_interval both = all[i];

		merge(&both, &all[i + 1]);
		soon_hist_destroy(all[i + 1].latency);
		all[i + 1] = (struct tally_interval){ 0 };
		all[i] = (struct tally_interval){ 0 };
		all[i / 2] = both;
	}
	tally->interval_count = (tally->interval_count + 1) / 2;
	tally->interval_ns *= 2;
}

static struct tally_interval *interval_at(struct tally *tally, soon_ns at)
{
	soon_ns place = at / tally->interval_ns;

	while (place >= TALLY_INTERVALS_MAX) {
		widen(tally);
		place = at / tally->interval_ns;
	}
	if (tally->interval_count <= (unsigned)place)
		tally->interval_count = (unsigned)place + 1;
	return &tally->intervals[place];
}

void tally_due(struct tally *tally, soon_ns at)
{
	tally->due++;
	interval_at(tally, at)->due++;
}

void tally_not_due(struct tally *tally, soon_ns at)
{
	struct tally_interval *interval = interval_at(tally, at);

	SOON_ASSERT(interval->due > 0);
	interval->due--;
	tally->due--;
}

void tally_sent(struct tally *tally, soon_ns at)
{
	tally->sent++;
	interval_at(tally, at)->sent++;
}

void tally_completed(struct tally *tally, soon_ns at, uint64_t total_ns)
{
	struct tally_interval *interval = interval_at(tally, at);

	tally->completed++;
	interval->completed++;
	/* Without memory the interval has its counts only. */
	if (interval->latency != NULL || soon_hist_create(&coarse, &interval->latency) == 0)
		soon_hist_record(interval->latency, total_ns);
}

void tally_good(struct tally *tally, uint64_t total_ns, uint64_t first_ns)
{
	tally->good++;
	soon_hist_record(tally->phases[PHASE_TOTAL], total_ns);
	soon_hist_record(tally->phases[PHASE_FIRST], first_ns);
}

void tally_failed_at(struct tally *tally, soon_ns at)
{
	interval_at(tally, at)->failed++;
}

void tally_failed(struct tally *tally, enum fault fault)
{
	tally->failed[fault]++;
	atomic_store_explicit(&tally->seen_failed,
		atomic_load_explicit(&tally->seen_failed, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

void tally_message(struct tally *tally, enum fault fault, const char *format, ...)
{
	va_list args;

	if (tally->messages[fault][0] != '\0')
		return;
	va_start(args, format);
	(void)vsnprintf(tally->messages[fault], TALLY_MESSAGE_BYTES, format, args);
	va_end(args);
}

static void add_hist(soon_hist *into, const soon_hist *from)
{
	int rc = soon_hist_merge(into, from);

	SOON_ASSERT(rc == 0); /* of the same options */
}

static void add_intervals(struct tally *tally, const struct tally *from)
{
	for (unsigned i = 0; i < from->interval_count; i++) {
		const struct tally_interval *more = &from->intervals[i];
		struct tally_interval *interval = interval_at(tally, i * from->interval_ns);

		add_counts(interval, more);
		if (more->latency != NULL &&
			(interval->latency != NULL ||
				soon_hist_create(&coarse, &interval->latency) == 0))
			add_hist(interval->latency, more->latency);
	}
}

void tally_add(struct tally *tally, const struct tally *from)
{
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		add_hist(tally->phases[i], from->phases[i]);
	add_hist(tally->lag, from->lag);
	tally->due += from->due;
	tally->sent += from->sent;
	tally->completed += from->completed;
	tally->good += from->good;
	tally->unfinished += from->unfinished;
	tally->unsent += from->unsent;
	tally->opened += from->opened;
	tally->bytes_sent += from->bytes_sent;
	tally->bytes_received += from->bytes_received;
	for (unsigned i = 0; i < FAULT_COUNT; i++) {
		tally->failed[i] += from->failed[i];
		if (from->messages[i][0] != '\0')
			tally_message(tally, (enum fault)i, "%s", from->messages[i]);
	}
	/* All are widened alike, so those of one core fit into those of another. */
	while (tally->interval_ns < from->interval_ns)
		widen(tally);
	add_intervals(tally, from);
	if (tally->length_ns < from->length_ns)
		tally->length_ns = from->length_ns;
	if (tally->busy < from->busy)
		tally->busy = from->busy;
}

uint64_t tally_failed_count(const struct tally *tally)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < FAULT_COUNT; i++)
		count += tally->failed[i];
	return count;
}

double tally_rate(const struct tally *tally, uint64_t count)
{
	return tally->length_ns > 0 ? (double)count * 1e9 / (double)tally->length_ns : 0;
}
