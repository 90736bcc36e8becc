// SPDX-License-Identifier: Apache-2.0
/*
 * all.c: several calls at once.
 */
#include <soon/mem.h>
#include <soon/start.h>

#include "core.h"
#include "switch.h"

/* One call under way; its result goes where the caller wants it. */
struct call {
	const soon_work *work;
	int *ret_rc; /* NULL when it is not wanted */
};

static int make_call(const struct call *call)
{
	int rc = soon__call_word(call->work->fn, call->work->arg);

	if (call->ret_rc)
		*call->ret_rc = rc;
	return rc;
}

static ssize_t run_all(const soon_work *work, size_t count, const soon_all_opts *opts,
	struct call *calls) SOON_SUSPENDS
{
	ssize_t rc = 0;

	SOON_GROUP(g, .name = "all", .policy = opts->policy, .live_max = opts->live_max);
	for (size_t i = 0; i < count && rc == 0; i++) {
		soon_task_opts task_opts = { .name = work[i].site->what };

		rc = soon__spawn(&g, &task_opts, (soon__fn)make_call,
			(uint64_t)(uintptr_t)&calls[i], work[i].site);
	}
	/* Without all of them there is no result; but whoever has won already has. */
	if (rc < 0 && rc != -ECANCELED && opts->policy != SOON_FIRST_OK)
		soon_group_cancel(&g, "a call of soon_all could not be made");
	return soon_group_close(&g, rc);
}

int soon_all(const soon_work *work, size_t count, const soon_all_opts *opts, int *ret_rcs)
{
	static const soon_all_opts defaults = { 0 };
	struct call *calls;
	ssize_t rc;

	if (!opts)
		opts = &defaults;
	for (size_t i = 0; ret_rcs && i < count; i++)
		ret_rcs[i] = -ECANCELED;
	if (opts->policy == SOON_SUPERVISE)
		return -EINVAL;
	rc = soon__checkpoint("all");
	if (rc < 0)
		return (int)rc;
	calls = soon_malloc((count ? count : 1) * sizeof *calls);
	if (!calls)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		calls[i] = (struct call){ &work[i], ret_rcs ? &ret_rcs[i] : NULL };
	rc = opts->timeout ? soon_within(opts->timeout, run_all(work, count, opts, calls))
			   : run_all(work, count, opts, calls);
	soon_free(calls);
	return (int)rc;
}
