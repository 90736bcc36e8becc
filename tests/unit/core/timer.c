// SPDX-License-Identifier: Apache-2.0
/* The wheel against a model that does the same things the obvious way: a plain array. */
#include "timer.h"

#include <stdlib.h>
#include <support/harness.h>

#define TICK       (INT64_C(1) << SOON__TIMER_TICK_BITS)
#define TIMERS_MAX 300

struct entry {
	struct soon__timer timer;
	uint64_t armed_at; /* a serial number, for the order of equal deadlines */
};

struct model {
	struct soon__timers wheel;
	struct entry entries[TIMERS_MAX];
	unsigned count;
	soon_ns now;
	uint64_t serial, random;
};

static uint64_t random_next(struct model *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random;
}

static struct model *model_create(unsigned count, uint64_t seed, soon_ns now)
{
	struct model *m = calloc(1, sizeof *m);

	cr_assert(m != NULL);
	m->count = count;
	m->now = now;
	m->random = seed * 0x9e3779b97f4a7c15u + 1;
	soon__timers_init(&m->wheel, now);
	return m;
}

/* The armed entry that has to fire first, NULL when none is armed. */
static struct entry *model_first(struct model *m)
{
	struct entry *first = NULL;

	for (unsigned i = 0; i < m->count; i++) {
		struct entry *e = &m->entries[i];

		if (!soon__timer_is_armed(&e->timer))
			continue;
		if (first == NULL || e->timer.deadline < first->timer.deadline ||
			(e->timer.deadline == first->timer.deadline &&
				e->armed_at < first->armed_at))
			first = e;
	}
	return first;
}

static void model_arm(struct model *m, struct entry *e, soon_ns deadline)
{
	soon__timer_arm(&m->wheel, &e->timer, deadline);
	e->armed_at = m->serial++;
}

/* Deadlines of every distance, many of them equal, some in the past. */
static soon_ns model_deadline(struct model *m)
{
	soon_ns distance = (soon_ns)(random_next(m) >> (1 + random_next(m) % 63));

	switch (random_next(m) % 8) {
	case 0:
		return m->now - distance % m->now;
	case 1:
		return (m->now & ~(TICK - 1)) + TICK;
	case 2:
		return m->now + (soon_ns)(random_next(m) % 8) * SOON_MS(1);
	default:
		return distance < SOON_NEVER - m->now ? m->now + distance : SOON_NEVER - 1;
	}
}

/* Lets everything due fire and compares each with the model; cancels some of it meanwhile. */
static void model_drain(struct model *m)
{
	for (;;) {
		struct entry *want = model_first(m);
		struct soon__timer *timer = soon__timers_pop_due(&m->wheel, m->now);

		if (timer == NULL) {
			cr_assert(want == NULL || want->timer.deadline > m->now);
			return;
		}
		cr_assert_eq(timer, &want->timer, "fired %jd, expected %jd at %jd",
			(intmax_t)timer->deadline, (intmax_t)want->timer.deadline,
			(intmax_t)m->now);
		cr_assert_leq(timer->deadline, m->now);
		cr_assert_not(soon__timer_is_armed(timer));
		if (random_next(m) % 4 == 0)
			soon__timer_cancel(&m->wheel, &m->entries[random_next(m) % m->count].timer);
	}
}

static void model_check_next(struct model *m)
{
	struct entry *first = model_first(m);
	soon_ns next = soon__timers_next(&m->wheel);

	if (first == NULL)
		cr_assert_eq(next, SOON_NEVER);
	else if (m->count <= 32)
		cr_assert_eq(next, first->timer.deadline);
	else
		cr_assert_leq(next, first->timer.deadline);
}

static void model_step(struct model *m)
{
	struct entry *e = &m->entries[random_next(m) % m->count];
	soon_ns next;

	switch (random_next(m) % 16) {
	default:
		model_arm(m, e, model_deadline(m));
		break;
	case 8:
	case 9:
	case 10:
	case 11:
		soon__timer_cancel(&m->wheel, &e->timer);
		break;
	case 12:
		m->now += (soon_ns)(random_next(m) % (2 * TICK));
		model_drain(m);
		break;
	case 13:
	case 14:
		next = soon__timers_next(&m->wheel);
		if (next < SOON_NEVER / 2 && next > m->now)
			m->now = next;
		model_drain(m);
		break;
	case 15:
		if (m->now < SOON_NEVER / 2)
			m->now += (soon_ns)(random_next(m) >> (20 + random_next(m) % 44));
		model_drain(m);
		break;
	}
	model_check_next(m);
}

static void model_run(unsigned count, uint64_t seed)
{
	struct model *m = model_create(count, seed, 1 + (soon_ns)(seed * 7919 * TICK / 3));
	size_t live = 0;

	for (unsigned step = 0; step < 3000; step++)
		model_step(m);
	for (unsigned i = 0; i < count; i++)
		live += soon__timer_is_armed(&m->entries[i].timer);
	cr_assert_eq(soon__timers_live(&m->wheel), live);

	m->now = SOON_NEVER - 1;
	model_drain(m);
	cr_assert_eq(soon__timers_live(&m->wheel), 0);
	cr_assert_eq(soon__timers_next(&m->wheel), SOON_NEVER);
	free(m);
}

SOON_TEST_PLAIN(timer, few_agree_with_the_model)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		model_run(1 + seed % 32, seed);
}

SOON_TEST_PLAIN(timer, many_agree_with_the_model)
{
	for (uint64_t seed = 1; seed <= 8; seed++)
		model_run(TIMERS_MAX, seed);
}

SOON_TEST_PLAIN(timer, zeroed_node_is_idle)
{
	struct model *m = model_create(1, 1, 5);
	struct soon__timer *timer = &m->entries[0].timer;

	cr_assert_not(soon__timer_is_armed(timer));
	soon__timer_cancel(&m->wheel, timer);
	soon__timer_arm(&m->wheel, timer, 10);
	cr_assert(soon__timer_is_armed(timer));
	soon__timer_cancel(&m->wheel, timer);
	soon__timer_cancel(&m->wheel, timer);
	cr_assert_eq(soon__timers_live(&m->wheel), 0);
	cr_assert_eq(soon__timers_next(&m->wheel), SOON_NEVER);
	cr_assert_null(soon__timers_pop_due(&m->wheel, 1000));
	free(m);
}

SOON_TEST_PLAIN(timer, never_disarms)
{
	struct model *m = model_create(1, 1, 0);
	struct soon__timer *timer = &m->entries[0].timer;

	soon__timer_arm(&m->wheel, timer, 7);
	soon__timer_arm(&m->wheel, timer, SOON_NEVER);
	cr_assert_not(soon__timer_is_armed(timer));
	soon__timer_arm(&m->wheel, timer, SOON_NEVER - 1);
	cr_assert_eq(soon__timers_next(&m->wheel), SOON_NEVER - 1);
	cr_assert_null(soon__timers_pop_due(&m->wheel, SOON_NEVER - 2));
	cr_assert_eq(soon__timers_pop_due(&m->wheel, SOON_NEVER - 1), timer);
	free(m);
}

/* Two deadlines a nanosecond apart share a slot, and each fires at its own. */
SOON_TEST_PLAIN(timer, is_exact_within_a_slot)
{
	struct model *m = model_create(3, 1, 10 * TICK);
	soon_ns base = 20 * TICK;

	soon__timer_arm(&m->wheel, &m->entries[0].timer, base + 11);
	soon__timer_arm(&m->wheel, &m->entries[1].timer, base + 10);
	soon__timer_arm(&m->wheel, &m->entries[2].timer, base + 12);
	cr_assert_eq(soon__timers_next(&m->wheel), base + 10);
	cr_assert_null(soon__timers_pop_due(&m->wheel, base + 9));
	cr_assert_eq(soon__timers_pop_due(&m->wheel, base + 10), &m->entries[1].timer);
	cr_assert_null(soon__timers_pop_due(&m->wheel, base + 10));
	cr_assert_eq(soon__timers_next(&m->wheel), base + 11);
	cr_assert_eq(soon__timers_pop_due(&m->wheel, base + 12), &m->entries[0].timer);
	cr_assert_eq(soon__timers_pop_due(&m->wheel, base + 12), &m->entries[2].timer);
	cr_assert_null(soon__timers_pop_due(&m->wheel, base + 12));
	free(m);
}

SOON_TEST_PLAIN(timer, can_be_armed_again_from_a_pop)
{
	struct model *m = model_create(2, 1, 0);
	struct soon__timer *a = &m->entries[0].timer, *b = &m->entries[1].timer;
	soon_ns now = 3 * TICK;

	soon__timer_arm(&m->wheel, a, TICK);
	soon__timer_arm(&m->wheel, b, 2 * TICK);
	cr_assert_eq(soon__timers_pop_due(&m->wheel, now), a);
	soon__timer_arm(&m->wheel, a, now + 1);
	cr_assert_eq(soon__timers_pop_due(&m->wheel, now), b);
	soon__timer_arm(&m->wheel, b, now);
	cr_assert_eq(soon__timers_pop_due(&m->wheel, now), b);
	cr_assert_null(soon__timers_pop_due(&m->wheel, now));
	cr_assert_eq(soon__timers_pop_due(&m->wheel, now + 1), a);
	free(m);
}

/* A due timer that waits for its pop can still be cancelled and moved. */
SOON_TEST_PLAIN(timer, due_one_can_be_cancelled_and_moved)
{
	struct model *m = model_create(3, 1, 0);

	for (unsigned i = 0; i < 3; i++)
		soon__timer_arm(&m->wheel, &m->entries[i].timer, 5);
	cr_assert_eq(soon__timers_pop_due(&m->wheel, 9), &m->entries[0].timer);
	soon__timer_cancel(&m->wheel, &m->entries[1].timer);
	soon__timer_arm(&m->wheel, &m->entries[2].timer, 10);
	cr_assert_null(soon__timers_pop_due(&m->wheel, 9));
	cr_assert_eq(soon__timers_next(&m->wheel), 10);
	soon__timer_cancel(&m->wheel, &m->entries[2].timer);
	free(m);
}

/*
 * When the earliest of thousands in one slot is cancelled, the next deadline may be a bound. What
 * matters then: it is never too late, and sleeping on it gets there in a few wake-ups.
 */
SOON_TEST_PLAIN(timer, sleeper_on_a_full_slot_wakes_few_times)
{
	enum { COUNT = 5000 };
	struct soon__timers *wheel = malloc(sizeof *wheel);
	struct soon__timer *timers = calloc(COUNT, sizeof *timers);
	soon_ns now = SOON_S(1), first = SOON_S(61) + 1;
	unsigned wakeups = 0;

	cr_assert(wheel != NULL && timers != NULL);
	soon__timers_init(wheel, now);
	for (unsigned i = 0; i < COUNT; i++)
		soon__timer_arm(wheel, &timers[i], SOON_S(61) + (soon_ns)i);
	soon__timer_cancel(wheel, &timers[0]);
	for (;;) {
		soon_ns next = soon__timers_next(wheel);

		cr_assert_leq(next, first);
		cr_assert_gt(next, now);
		now = next;
		wakeups++;
		if (soon__timers_pop_due(wheel, now) != NULL)
			break;
	}
	cr_assert_eq(now, first);
	cr_assert_leq(wakeups, SOON__TIMER_LEVELS);
	for (unsigned i = 0; i < COUNT; i++)
		soon__timer_cancel(wheel, &timers[i]);
	cr_assert_eq(soon__timers_next(wheel), SOON_NEVER);
	free(timers);
	free(wheel);
}
