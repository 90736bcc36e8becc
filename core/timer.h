// SPDX-License-Identifier: Apache-2.0
/*
 * timer.h: a core's timers, a hashed hierarchical wheel on intrusive nodes.
 *
 * Time is cut into ticks of 2^16 ns. Level 0 has one slot for each of 64 ticks, level 1 one for
 * each 64 of those, and so on: eight levels span all of soon_ns. A timer lies at the level of the
 * highest digit (base 64) in which its tick differs from the wheel's, in the slot of that digit.
 * From this one rule follows the rest:
 *   - timers of one deadline are in one slot, in the order in which they were armed;
 *   - the earliest timer is in the first occupied slot of the lowest occupied level;
 *   - a slot moves down only when the clock enters it, at most seven times in a timer's life, and
 *     most timers are cancelled before the first.
 * Deadlines are kept in full, so a timer fires neither early nor rounded, in the order of the
 * deadlines.
 *
 * Used by one thread, its core's. The node is the caller's and may be anywhere; zero it once.
 */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include <soon/assert.h>
#include <soon/time.h>

#include "core/spi/list.h"

#define SOON__TIMER_TICK_BITS  16
#define SOON__TIMER_LEVEL_BITS 6
#define SOON__TIMER_LEVELS     8
#define SOON__TIMER_SLOTS      (1u << SOON__TIMER_LEVEL_BITS)

enum soon__timer_place {
	SOON__TIMER_IDLE,                         /* so that a zeroed node is one */
	SOON__TIMER_AT_LEVEL,                     /* + level */
	SOON__TIMER_DUE = 1 + SOON__TIMER_LEVELS, /* on the wheel's list of due ones */
};

struct soon__timer {
	struct soon__list link; /* in a slot, or in `due`; valid unless idle */
	soon_ns deadline;       /* stays readable after the timer fired */
	uint8_t place;          /* enum soon__timer_place */
	uint8_t slot;           /* at a level */
};

struct soon__timers {
	int64_t tick;  /* how far slots have been emptied; never ahead of the clock */
	soon_ns next;  /* no timer has an earlier deadline; SOON_NEVER: there is none */
	bool is_stale; /* the timer that `next` was taken from is gone */
	size_t live;   /* armed timers */
	uint64_t occupied[SOON__TIMER_LEVELS]; /* a bit for each slot that is not empty */
	struct soon__list due;                 /* taken out of their slots, in order */
	struct soon__list slots[SOON__TIMER_LEVELS][SOON__TIMER_SLOTS];
};

/* Makes an empty wheel; `now` is the clock's first value. */
void soon__timers_init(struct soon__timers *wheel, soon_ns now);

/* Finds the earliest deadline again, for soon__timers_next(). */
soon_ns soon__timers_refresh(struct soon__timers *wheel);

/* Brings the wheel to `now` and returns the first due timer, for soon__timers_pop_due(). */
struct soon__timer *soon__timers_advance(struct soon__timers *wheel, soon_ns now);

static inline bool soon__timer_is_armed(const struct soon__timer *timer)
{
	return timer->place != SOON__TIMER_IDLE;
}

static inline size_t soon__timers_live(const struct soon__timers *wheel)
{
	return wheel->live;
}

/* Puts a node with a deadline where it belongs for the wheel's present tick. */
static inline void soon__timer_place(struct soon__timers *wheel, struct soon__timer *timer)
{
	int64_t tick = timer->deadline >> SOON__TIMER_TICK_BITS;
	uint64_t differing;
	unsigned level, slot;

	if (tick < wheel->tick)
		tick = wheel->tick;
	differing = (uint64_t)tick ^ (uint64_t)wheel->tick;
	level = (63u - (unsigned)__builtin_clzll(differing | 1u)) / SOON__TIMER_LEVEL_BITS;
	slot = (unsigned)((uint64_t)tick >> (level * SOON__TIMER_LEVEL_BITS)) &
		(SOON__TIMER_SLOTS - 1);
	timer->place = (uint8_t)(SOON__TIMER_AT_LEVEL + level);
	timer->slot = (uint8_t)slot;
	soon__list_push_tail(&wheel->slots[level][slot], &timer->link);
	wheel->occupied[level] |= UINT64_C(1) << slot;
}

/* Takes the timer out of the wheel; nothing happens when it is not armed. */
static inline void soon__timer_cancel(struct soon__timers *wheel, struct soon__timer *timer)
{
	struct soon__list *next, *prev;

	if (timer->place == SOON__TIMER_IDLE)
		return;
	next = timer->link.next;
	prev = timer->link.prev;
	SOON_ASSERT(next->prev == &timer->link);
	SOON_ASSERT(wheel->live > 0);
	next->prev = prev;
	prev->next = next;
	if (next == prev && timer->place != SOON__TIMER_DUE) {
		/* Either one other timer is left, or only the slot's head. */
		unsigned level = (unsigned)(timer->place - SOON__TIMER_AT_LEVEL);

		if (next == &wheel->slots[level][timer->slot])
			wheel->occupied[level] &= ~(UINT64_C(1) << timer->slot);
	}
	wheel->live--;
	timer->place = SOON__TIMER_IDLE;
	if (timer->deadline == wheel->next)
		wheel->is_stale = true;
}

/*
 * Has the timer fire at `deadline`: soon__timers_pop_due() will return it once the clock is there.
 * One in the past is due at once; SOON_NEVER only disarms. An armed timer is moved.
 */
static inline void soon__timer_arm(
	struct soon__timers *wheel, struct soon__timer *timer, soon_ns deadline)
{
	soon__timer_cancel(wheel, timer);
	if (deadline == SOON_NEVER)
		return;
	timer->deadline = deadline;
	soon__timer_place(wheel, timer);
	wheel->live++;
	if (deadline <= wheel->next) {
		wheel->next = deadline;
		wheel->is_stale = false;
	}
}

/*
 * Returns the earliest deadline, SOON_NEVER if no timer is armed. Exact but for one case: when the
 * earliest timer was cancelled and the first occupied slot holds more than 32, it may be earlier
 * than the truth, so that a core that is busy re-arming thousands of timeouts does not search for
 * a number it will not use. One that sleeps on it wakes once, and sleeps on a better one.
 */
static inline soon_ns soon__timers_next(struct soon__timers *wheel)
{
	return SOON_UNLIKELY(wheel->is_stale) ? soon__timers_refresh(wheel) : wheel->next;
}

/*
 * Disarms and returns the timer with the earliest deadline not after `now`, NULL when there is
 * none; of equal deadlines, the one that was armed first. To be called until it gives NULL; what
 * is armed in the past meanwhile comes too, after those that were due already.
 */
static inline struct soon__timer *soon__timers_pop_due(struct soon__timers *wheel, soon_ns now)
{
	return SOON_LIKELY(now < wheel->next) ? NULL : soon__timers_advance(wheel, now);
}

#endif
