// SPDX-License-Identifier: Apache-2.0
/* One line on the terminal that is written over twice a second. */
#include "../harness/number.h"
#include "run.h"

#include <stdio.h>
#include <unistd.h>

#define PERIOD     SOON_MS(500)
#define LINE_BYTES 160

struct seen {
	uint64_t completed;
	uint64_t failed;
};

static struct seen look(const struct run *run)
{
	struct seen seen = { 0 };

	for (unsigned i = 0; i < run->worker_count; i++) {
		struct tally *tally = &run->workers[i]->tally;

		seen.completed +=
			atomic_load_explicit(&tally->seen_completed, memory_order_relaxed);
		seen.failed += atomic_load_explicit(&tally->seen_failed, memory_order_relaxed);
	}
	return seen;
}

static void show(const struct run *run, soon_ns start, soon_ns passed, double rate, uint64_t failed)
{
	const struct plan *plan = run->plan;
	char line[LINE_BYTES], count[NUMBER_BYTES], errors[NUMBER_BYTES];
	double at = (double)(soon_now() - start - plan->warmup) / 1e9;
	int length;

	if (start == 0 || passed <= 0)
		length = snprintf(line, sizeof line, "opening %u connections, %u to go",
			plan->connections,
			atomic_load_explicit(&run->opening, memory_order_relaxed));
	else
		length = snprintf(line, sizeof line, "%s%.1f s   %s/s   errors %s",
			at < 0 ? "warm-up " : "", at < 0 ? -at : at,
			number_count((uint64_t)rate, count), number_count(failed, errors));
	/* Nobody is helped by an error here. */
	(void)fprintf(stderr, "\r\033[K%.*s", length, line);
	(void)fflush(stderr);
}

int progress_show(struct run *run)
{
	struct seen before = look(run);
	soon_ns then = soon_now();
	int rc;

	while ((rc = soon_sleep(PERIOD)) == 0) {
		soon_ns now = soon_now();
		struct seen seen = look(run);
		double rate =
			(double)(seen.completed - before.completed) * 1e9 / (double)(now - then);

		/* Pairs with worker_opened. */
		show(run, atomic_load_explicit(&run->start, memory_order_acquire), now - then, rate,
			seen.failed);
		before = seen;
		then = now;
	}
	(void)fputs("\r\033[K", stderr);
	return rc;
}
