// SPDX-License-Identifier: Apache-2.0
/*
 * Timers with a million live ones, or as many as the command line says, deadlines spread over a
 * minute.
 *
 *	micro_timer [LIVE]
 *
 * timer_arm_cancel: what a request does, arming a deadline and cancelling it before it fires; the
 * timer is one of a thousand, as for so many busy connections. timer_move_any: cancelling and
 * re-arming one of all at random, so that every access is a cache miss.
 *
 * Layer exception: it includes core/timer.h, as no public call is the bare wheel.
 */
#include "core/timer.h"

#include "../common/clock.h"
#include "micro.h"
#include "random.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define LIVE_COUNT 1000000u /* the default */
#define BUSY_COUNT 1024u
#define ROUNDS     2000000u
#define SPAN_NS    (60 * NS_PER_S)
#define ADVANCE_NS 100 /* how far the clock moves with each round */

static struct soon__timers wheel;
static struct soon__timer *live;
static size_t live_count = LIVE_COUNT;
static struct soon__timer busy[BUSY_COUNT];
static soon_ns clock_now_ns = 1000 * NS_PER_S;

static soon_ns next_deadline(void)
{
	return clock_now_ns + SPAN_NS + (soon_ns)(micro_random() % (uint64_t)SPAN_NS);
}

static double measure_arm_cancel(void)
{
	int64_t start_ns = cpu_ns();

	for (size_t i = 0; i < ROUNDS; i++) {
		struct soon__timer *timer = &busy[i % BUSY_COUNT];

		clock_now_ns += ADVANCE_NS;
		soon__timer_arm(&wheel, timer, next_deadline());
		micro_barrier();
		soon__timer_cancel(&wheel, timer);
		micro_barrier();
	}
	return (double)(cpu_ns() - start_ns) / ROUNDS;
}

static double measure_move_any(void)
{
	int64_t start_ns = cpu_ns();

	for (size_t i = 0; i < ROUNDS; i++) {
		struct soon__timer *timer = &live[micro_random() % live_count];

		clock_now_ns += ADVANCE_NS;
		soon__timer_cancel(&wheel, timer);
		soon__timer_arm(&wheel, timer, next_deadline());
	}
	return (double)(cpu_ns() - start_ns) / ROUNDS;
}

/* The benchmark's own random deadlines, to be taken off. */
static double measure_nothing(void)
{
	soon_ns sum = 0;
	int64_t start_ns = cpu_ns();

	for (size_t i = 0; i < ROUNDS; i++) {
		clock_now_ns += ADVANCE_NS;
		sum += next_deadline();
		micro_barrier();
	}
	if (sum == 0)
		micro_die("timer", -EPROTO);
	return (double)(cpu_ns() - start_ns) / ROUNDS;
}

int main(int argc, char **argv)
{
	double arm_cancel_ns[MICRO_REPEATS];
	double move_any_ns[MICRO_REPEATS];

	if (argc == 2)
		live_count = strtoul(argv[1], NULL, 10);
	if (live_count == 0)
		micro_die("usage: micro_timer [LIVE]", -EINVAL);
	live = calloc(live_count, sizeof(*live));
	if (live == NULL)
		micro_die("timers", -ENOMEM);
	soon__timers_init(&wheel, clock_now_ns);
	for (size_t i = 0; i < live_count; i++)
		soon__timer_arm(&wheel, &live[i], next_deadline());
	for (size_t i = 0; i < MICRO_REPEATS; i++) {
		double own_ns = measure_nothing();

		arm_cancel_ns[i] = measure_arm_cancel() - own_ns;
		move_any_ns[i] = measure_move_any() - own_ns;
	}
	if (soon__timers_live(&wheel) != live_count)
		micro_die("timers", -EPROTO);
	micro_print("timer_arm_cancel", micro_median(arm_cancel_ns, MICRO_REPEATS), "ns");
	micro_print("timer_move_any", micro_median(move_any_ns, MICRO_REPEATS), "ns");
	free(live);
	return 0;
}
