// SPDX-License-Identifier: Apache-2.0
/*
 * timer.c: the slow half of the wheel: moving on with the clock, and finding the earliest deadline
 * again after its timer was cancelled. Arming and cancelling are inline in timer.h.
 */
#include "timer.h"

#include <limits.h>

/* How many timers of the first slot are looked at: before a sleep, and when one came early. */
#define SCAN_ASLEEP 32u
#define SCAN_AWAKE  1024u

/* A slot and the first tick that belongs to it. */
struct place {
	unsigned level, slot;
	int64_t tick;
};

/* Level 7 holds the 6 bits from 42 on; a tick has 47. */
_Static_assert(SOON__TIMER_TICK_BITS + SOON__TIMER_LEVELS * SOON__TIMER_LEVEL_BITS >= 63,
	"the levels span soon_ns");
_Static_assert(SOON__TIMER_SLOTS == 64, "a word has a bit for each slot");

static struct soon__timer *timer_of(struct soon__list *link)
{
	return SOON_CONTAINER_OF(link, struct soon__timer, link);
}

void soon__timers_init(struct soon__timers *wheel, soon_ns now)
{
	SOON_ASSERT(now >= 0);
	*wheel = (struct soon__timers){ 0 };
	wheel->tick = now >> SOON__TIMER_TICK_BITS;
	wheel->next = SOON_NEVER;
	soon__list_init(&wheel->due);
	for (unsigned level = 0; level < SOON__TIMER_LEVELS; level++)
		for (unsigned slot = 0; slot < SOON__TIMER_SLOTS; slot++)
			soon__list_init(&wheel->slots[level][slot]);
}

/* Finds the slot of the earliest timers; false when all are empty. */
static bool first_occupied(const struct soon__timers *wheel, struct place *ret)
{
	for (unsigned level = 0; level < SOON__TIMER_LEVELS; level++) {
		unsigned shift = level * SOON__TIMER_LEVEL_BITS;
		int64_t above;

		if (wheel->occupied[level] == 0)
			continue;
		/* Timers at a level share all higher digits with the wheel, and none is behind. */
		ret->level = level;
		ret->slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
		above = (wheel->tick >> shift) & ~(int64_t)(SOON__TIMER_SLOTS - 1);
		ret->tick = (above | (int64_t)ret->slot) << shift;
		SOON_ASSERT(ret->tick > wheel->tick || level == 0);
		SOON_ASSERT(ret->tick >= wheel->tick);
		return true;
	}
	return false;
}

/* Takes a new `next` from at most `scan` timers of the first slot. */
static void refresh(struct soon__timers *wheel, unsigned scan)
{
	struct soon__list *head;
	struct place first;
	soon_ns least = SOON_NEVER;
	soon_ns start;

	wheel->is_stale = false;
	if (!soon__list_is_empty(&wheel->due)) {
		wheel->next = timer_of(wheel->due.next)->deadline;
		return;
	}
	if (!first_occupied(wheel, &first)) {
		SOON_ASSERT(wheel->live == 0);
		wheel->next = SOON_NEVER;
		return;
	}
	/* A clock that stands in this slot cannot sleep until its start: search it all. */
	if (scan == SCAN_AWAKE && first.tick == wheel->tick)
		scan = UINT_MAX;
	head = &wheel->slots[first.level][first.slot];
	for (struct soon__list *link = head->next; link != head; link = link->next) {
		if (scan-- == 0) {
			/* Too many: a slot still to come is as early as its start. */
			start = (soon_ns)(first.tick << SOON__TIMER_TICK_BITS);
			if (first.tick > wheel->tick && start > wheel->next)
				wheel->next = start;
			return;
		}
		if (timer_of(link)->deadline < least)
			least = timer_of(link)->deadline;
	}
	wheel->next = least;
}

soon_ns soon__timers_refresh(struct soon__timers *wheel)
{
	refresh(wheel, SCAN_ASLEEP);
	return wheel->next;
}

/* Merges two runs, each in order and linked by `next`, into one; equal deadlines: `a` first. */
static struct soon__list *merge(struct soon__list *a, struct soon__list *b)
{
	struct soon__list head = { 0 };
	struct soon__list *tail = &head;

	while (a != NULL && b != NULL) {
		struct soon__list **from = timer_of(b)->deadline < timer_of(a)->deadline ? &b : &a;

		tail->next = *from;
		tail = *from;
		*from = tail->next;
	}
	tail->next = a != NULL ? a : b;
	return head.next;
}

/* Sorts the due list by deadline, stable, in n log n: runs[i] is empty or has 2^i timers. */
static void sort_due(struct soon__timers *wheel)
{
	struct soon__list *runs[40] = { NULL };
	struct soon__list *rest = wheel->due.next;
	struct soon__list *sorted = NULL;
	size_t i;

	wheel->due.prev->next = NULL;
	while (rest != NULL) {
		struct soon__list *run = rest;

		rest = rest->next;
		run->next = NULL;
		for (i = 0; runs[i] != NULL; i++) {
			run = merge(runs[i], run);
			runs[i] = NULL;
		}
		SOON_ASSERT(i + 1 < sizeof runs / sizeof *runs);
		runs[i] = run;
	}
	for (i = 0; i < sizeof runs / sizeof *runs; i++)
		sorted = merge(runs[i], sorted);

	soon__list_init(&wheel->due);
	while (sorted != NULL) {
		struct soon__list *link = sorted;

		sorted = sorted->next;
		soon__list_push_tail(&wheel->due, link);
	}
}

/* Moves what is due in a slot of level 0 to the due list, in order. */
static void expire(struct soon__timers *wheel, unsigned slot, soon_ns now)
{
	struct soon__list *head = &wheel->slots[0][slot];
	struct soon__list *link = head->next;
	soon_ns last = INT64_MIN;
	bool is_sorted = true;

	SOON_ASSERT(soon__list_is_empty(&wheel->due));
	while (link != head) {
		struct soon__timer *timer = timer_of(link);

		link = link->next;
		if (timer->deadline > now)
			continue;
		soon__list_remove(&timer->link);
		soon__list_push_tail(&wheel->due, &timer->link);
		timer->place = SOON__TIMER_DUE;
		is_sorted = is_sorted && timer->deadline >= last;
		last = timer->deadline;
	}
	if (soon__list_is_empty(head))
		wheel->occupied[0] &= ~(UINT64_C(1) << slot);
	if (!is_sorted)
		sort_due(wheel);
}

/* Moves a slot's timers down; the wheel has just come to the first tick of it. */
static void cascade(struct soon__timers *wheel, unsigned level, unsigned slot)
{
	struct soon__list *head = &wheel->slots[level][slot];
	struct soon__list *link = head->next;

	wheel->occupied[level] &= ~(UINT64_C(1) << slot);
	while (link != head) {
		struct soon__timer *timer = timer_of(link);

		link = link->next;
		soon__timer_place(wheel, timer);
		SOON_ASSERT(timer->place < SOON__TIMER_AT_LEVEL + level);
	}
	soon__list_init(head);
}

struct soon__timer *soon__timers_advance(struct soon__timers *wheel, soon_ns now)
{
	int64_t now_tick = now >> SOON__TIMER_TICK_BITS;
	struct place first;

	SOON_ASSERT(now_tick >= wheel->tick);
	while (soon__list_is_empty(&wheel->due)) {
		if (!first_occupied(wheel, &first) || first.tick > now_tick) {
			/* No slot begins before that, so every timer stays where it is. */
			wheel->tick = now_tick;
			break;
		}
		wheel->tick = first.tick;
		if (first.level > 0) {
			cascade(wheel, first.level, first.slot);
			continue;
		}
		expire(wheel, first.slot, now);
		if (first.tick == now_tick)
			break;
	}
	if (!soon__list_is_empty(&wheel->due)) {
		struct soon__timer *timer = timer_of(wheel->due.next);

		soon__timer_cancel(wheel, timer);
		return timer;
	}
	refresh(wheel, SCAN_AWAKE);
	SOON_ASSERT(wheel->next > now);
	return NULL;
}
