// SPDX-License-Identifier: Apache-2.0
#include "fake_poller.h"

#include "core/spi/poller.h"

#include "poller.h"

int fake_run(const struct fake_opts *opts, soon__fn fn, uint64_t arg, const soon_site *site)
{
	static const struct fake_opts defaults;
	struct soon__kit_poller kit;
	struct soon__seams seams;
	int rc;

	if (opts == NULL)
		opts = &defaults;
	soon__kit_poller_init(&kit, false, &seams);
	kit.is_virtual = true;
	kit.now = opts->start != 0 ? opts->start : SOON_S(3600);
	kit.open_rc = opts->open_rc;
	seams.sched_seed = opts->seed;
	rc = soon__run_on(&seams, opts->run, fn, arg, site);
	soon__kit_poller_fini(&kit);
	return rc;
}

unsigned fake_inflight(void)
{
	return soon__kit_poller_of(__func__)->inflight;
}

struct fake_counts fake_counts(void)
{
	struct soon__kit_poller *kit = soon__kit_poller_of(__func__);

	return (struct fake_counts){
		.polls = kit->counts.polls,
		.sleeps = kit->counts.sleeps,
		.wakes = atomic_load_explicit(&kit->wakes, memory_order_relaxed),
		.stops = kit->counts.stops,
	};
}
