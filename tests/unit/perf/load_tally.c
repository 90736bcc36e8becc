// SPDX-License-Identifier: Apache-2.0
/* load_tally.c: what is counted adds up, however long the run is and however many cores it has. */
#include <soon/time.h>

#include "soon_load/tally.h"
#include "support/harness.h"

#include <stdlib.h>

static struct tally *make(void)
{
	struct tally *tally = calloc(1, sizeof *tally);

	cr_assert_not_null(tally);
	cr_assert_eq(tally_init(tally), 0);
	return tally;
}

static void end(struct tally *tally)
{
	tally_fini(tally);
	free(tally);
}

/* One request in each tenth of a second; it was sent a tenth late, and took as long again. */
static void count_until(struct tally *tally, soon_ns until)
{
	for (soon_ns at = 0; at < until; at += SOON_MS(100)) {
		tally_due(tally, at);
		if (at + SOON_MS(100) < until)
			tally_sent(tally, at + SOON_MS(100));
		if (at + SOON_MS(200) < until)
			tally_completed(tally, at + SOON_MS(200), 200000000);
		tally_good(tally, 200000000, 100000000);
	}
}

static void check_sums(const struct tally *tally)
{
	uint64_t due = 0, sent = 0, completed = 0, failed = 0, latencies = 0;

	for (unsigned i = 0; i < tally->interval_count; i++) {
		const struct tally_interval *interval = &tally->intervals[i];

		due += interval->due;
		sent += interval->sent;
		completed += interval->completed;
		failed += interval->failed;
		if (interval->latency != NULL)
			latencies += soon_hist_count(interval->latency);
	}
	cr_assert_eq(due, tally->due);
	cr_assert_eq(sent, tally->sent);
	cr_assert_eq(completed, tally->completed);
	cr_assert_eq(latencies, tally->completed);
	cr_assert_eq(failed, tally_failed_count(tally));
}

SOON_TEST_PLAIN(load_tally, an_interval_has_what_happened_in_it)
{
	struct tally *tally = make();

	count_until(tally, SOON_MS(400));
	cr_assert_eq(tally->interval_count, 4);
	for (unsigned i = 0; i < 4; i++) {
		const struct tally_interval *interval = &tally->intervals[i];

		cr_assert_eq(interval->due, 1);
		cr_assert_eq(interval->sent, i >= 1);
		cr_assert_eq(interval->completed, i >= 2);
	}
	check_sums(tally);
	end(tally);
}

SOON_TEST_PLAIN(load_tally, a_long_run_loses_nothing)
{
	struct tally *tally = make();

	count_until(tally, SOON_S(300));
	cr_assert_eq(tally->due, 3000);
	cr_assert_eq(tally->interval_ns, 16 * TALLY_INTERVAL_NS, "256 tenths are not 300 seconds");
	cr_assert_eq(tally->interval_count, 188);
	check_sums(tally);
	end(tally);
}

SOON_TEST_PLAIN(load_tally, a_request_that_is_never_due_is_taken_back_from_where_it_was)
{
	struct tally *tally = make();

	tally_due(tally, SOON_MS(50));
	tally_due(tally, SOON_MS(250));
	count_until(tally, SOON_S(30)); /* intervals become wider meanwhile */
	tally_not_due(tally, SOON_MS(250));
	cr_assert_eq(tally->due, 301);
	check_sums(tally);
	end(tally);
}

SOON_TEST_PLAIN(load_tally, cores_of_different_length_are_added_up)
{
	struct tally *all = make(), *one = make(), *other = make();

	count_until(one, SOON_S(2));
	count_until(other, SOON_S(60));
	tally_failed(one, FAULT_TIMEOUT);
	tally_failed_at(one, SOON_S(1000));
	tally_message(one, FAULT_TIMEOUT, "too late");
	one->busy = 0.25;
	other->busy = 0.5;
	one->length_ns = SOON_S(2);
	tally_add(all, other);
	tally_add(all, one);
	cr_assert_eq(all->due, one->due + other->due);
	cr_assert_eq(all->failed[FAULT_TIMEOUT], 1);
	cr_assert_str_eq(all->messages[FAULT_TIMEOUT], "too late");
	cr_assert_float_eq(all->busy, 0.5, 0, "of the busiest");
	cr_assert_eq(all->length_ns, SOON_S(2));
	cr_assert_eq(soon_hist_count(all->phases[PHASE_TOTAL]), all->good);
	check_sums(all);
	end(all);
	end(one);
	end(other);
}
