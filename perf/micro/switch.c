// SPDX-License-Identifier: Apache-2.0
/*
 * The bare context switch against Boost.Context's jump_fcontext: two contexts that do nothing but
 * switch to each other. Both are linked statically, so that neither pays for a jump table, and are
 * measured in turns in one process.
 *
 * Layer exception: it includes core/switch.h, as no public call is the bare switch.
 */
#include "core/switch.h"

#include "../common/clock.h"
#include "micro.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define STACK_BYTES  (64 * 1024)
#define ROUND_TRIPS  1000000
#define PAIRS        11
#define WARMUP_TRIPS 10000

/* Boost.Context 1.61 and later, boost/context/detail/fcontext.hpp, which is C++. */
struct transfer {
	void *fctx;
	void *data;
};
struct transfer jump_fcontext(void *to, void *data);
void *make_fcontext(void *stack_top, size_t stack_bytes, void (*entry)(struct transfer));

static void *soon_main_sp;
static void *soon_other_sp;
static uint64_t soon_trips;
static void *boost_other;
static uint64_t boost_trips;

static _Noreturn void *soon_other(void *unused)
{
	(void)unused;
	for (;;) {
		soon_trips++;
		soon__switch(&soon_other_sp, soon_main_sp);
	}
}

static void boost_entry(struct transfer from)
{
	for (;;) {
		boost_trips++;
		from = jump_fcontext(from.fctx, NULL);
	}
}

static void soon_run_trips(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		soon__switch(&soon_main_sp, soon_other_sp);
}

static void boost_run_trips(uint64_t count)
{
	void *other = boost_other;

	for (uint64_t i = 0; i < count; i++)
		other = jump_fcontext(other, NULL).fctx;
	boost_other = other;
}

/* Nanoseconds for one switch, one way. */
static double measure(void (*run_trips)(uint64_t), const uint64_t *trips)
{
	uint64_t trips_before;
	int64_t start_ns;
	int64_t spent_ns;

	run_trips(WARMUP_TRIPS);
	trips_before = *trips;
	start_ns = cpu_ns();
	run_trips(ROUND_TRIPS);
	spent_ns = cpu_ns() - start_ns;
	if (*trips - trips_before != ROUND_TRIPS)
		micro_die("switch", -EPROTO);
	return (double)spent_ns / (2.0 * ROUND_TRIPS);
}

static char *make_stack(void)
{
	char *stack = aligned_alloc(4096, STACK_BYTES);

	if (stack == NULL)
		micro_die("stack", -ENOMEM);
	return stack + STACK_BYTES;
}

int main(void)
{
	double our_ns[PAIRS];
	double their_ns[PAIRS];
	double ratios[PAIRS];

	soon_other_sp = soon__context_make(make_stack(), soon_other, NULL);
	boost_other = make_fcontext(make_stack(), STACK_BYTES, boost_entry);
	for (size_t i = 0; i < PAIRS; i++) {
		if (i % 2 == 0)
			our_ns[i] = measure(soon_run_trips, &soon_trips);
		their_ns[i] = measure(boost_run_trips, &boost_trips);
		if (i % 2 != 0)
			our_ns[i] = measure(soon_run_trips, &soon_trips);
		ratios[i] = our_ns[i] / their_ns[i];
	}
	micro_print("switch_ratio", micro_median(ratios, PAIRS), "ratio");
	micro_print("switch_soon", micro_median(our_ns, PAIRS), "ns");
	micro_print("switch_boost", micro_median(their_ns, PAIRS), "ns");
	return 0;
}
