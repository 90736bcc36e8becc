// SPDX-License-Identifier: Apache-2.0
/*
 * select.c: waiting for one of several channels.
 *
 * All cases are looked at, and of those that are ready one is drawn by lot. The draw comes from the
 * core's own sequence of random numbers, which the run's seed starts; so a run stays a function of
 * its seed, and two tasks that select in turns cannot fall into step with each other.
 */
#include "chan.h"

/* The next draw out of `count`, by a linear congruence whose upper half is good enough for that. */
static size_t draw(soon_core *core, size_t count)
{
	core->lot = core->lot * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)((core->lot >> 32) * count >> 32);
}

static bool is_ready(const soon_case *one)
{
	soon_chan *chan = one->chan;

	if (chan->soon__is_closed)
		return true;
	if (one->is_send)
		return chan->soon__len < chan->soon__capacity ||
			!soon__waitq_is_empty(soon__chan_receivers(chan));
	return chan->soon__len > 0 || !soon__waitq_is_empty(soon__chan_senders(chan));
}

static SOON_COLD int too_many(size_t count, const char *what)
{
	soon_report_file(SOON_REPORT_ERROR, -E2BIG,
		"soon_%s: task '%s' gives %zu cases, the limit is %d", what, soon_task_name(NULL),
		count, SOON_SELECT_CASES_MAX);
	return -E2BIG;
}

/* Has one of the ready cases happen and returns its index; -EAGAIN when none is ready. */
static int select_now(soon_case *cases, size_t count, const char *what)
{
	uint8_t ready[SOON_SELECT_CASES_MAX];
	size_t ready_count = 0;
	soon_case *one;
	int rc;

	_Static_assert(SOON_SELECT_CASES_MAX - 1 <= UINT8_MAX, "an index fits");
	if (SOON_UNLIKELY(count > SOON_SELECT_CASES_MAX))
		return too_many(count, what);
	for (size_t i = 0; i < count; i++) {
		if (!cases[i].chan)
			continue;
		rc = soon__chan_enter(cases[i].chan, cases[i].item_bytes, what);
		if (SOON_UNLIKELY(rc < 0))
			return rc;
		if (is_ready(&cases[i]))
			ready[ready_count++] = (uint8_t)i;
	}
	if (ready_count == 0)
		return -EAGAIN;
	one = &cases[ready[draw(soon__core, ready_count)]];
	one->rc = one->is_send ? soon__chan_send_now(one->chan, one->item)
			       : soon__chan_recv_now(one->chan, one->item);
	SOON_ASSERT(one->rc != -EAGAIN);
	return (int)(one - cases);
}

int soon_select(soon_case *cases, size_t count)
{
	const soon_case *one;
	int rc = soon__waitq_checkpoint("select");

	if (SOON_UNLIKELY(rc < 0))
		return rc;
	rc = select_now(cases, count, "select");
	if (rc != -EAGAIN)
		return rc;
	one = soon__chan_park(cases, count, "select");
	return one ? (int)(one - cases) : -ECANCELED;
}

int soon_try_select(soon_case *cases, size_t count)
{
	return select_now(cases, count, "try_select");
}
