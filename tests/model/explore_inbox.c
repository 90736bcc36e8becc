// SPDX-License-Identifier: Apache-2.0
/*
 * explore_inbox.c: the real core/inbox.c in all its orders: producers, signal handlers that post,
 * and a core that drains, sleeps, wakes by itself and closes.
 *
 * The core here is its loop as core.c has it, reduced to the inbox. Its poller is a bell: a flag
 * that wake() sets and a sleep waits for. The bell orders nothing, as the eventfd of a ring need
 * not; so what orders is what inbox.c says, and a poller that is set up late or gone is noticed.
 *
 * Of every post that was accepted, a run of the callback must have seen what its caller wrote
 * before; of every one that was refused, none may have, and its caller comes after what the core
 * did before it closed. Which is all that soon_post() promises, but for the order, the bound of a
 * drain and the number of rings, which are looked at besides.
 */
#include "explore.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define sched_yield explore_relax
#ifdef EXPLORED
#include EXPLORED
#else
#include "core/inbox.c"
#endif

#define POSTERS_MAX 4u
#define POSTS_MAX   4u

/* One call of soon_post(), and what became of it. */
struct post {
	struct explore_stamp before; /* what its caller wrote, the run has to know */
	bool is_made, is_accepted;
	unsigned answers; /* runs that knew */
};

/* What is posted. */
struct item {
	soon_callback callback;
	unsigned data; /* written before the post where there is only one, and read by the run */
};

/* And the books of it. */
struct record {
	struct post posts[POSTERS_MAX];
	unsigned runs;
	unsigned reposts; /* how often its fn posts it again */
	unsigned drain;   /* in which it ran last */
	bool is_shared;   /* by several posters, so `data` is not used */
	bool is_freed_by_run;
	bool is_ordered; /* runs in the order of its index */
};

static soon_core core;
static struct soon__poller bell;
static unsigned bell_is_set_up; /* written by the core's thread; read by wake() */
static unsigned last_word;      /* of the core before it closes; read by who is refused */
static struct item items[POSTS_MAX];

static struct {
	struct record records[POSTS_MAX];
	bool is_gone, is_rung; /* the bell */
	bool is_parked;        /* the core waits in the futex */
	unsigned rings;
	unsigned sleeps, drains, ordered;
	unsigned producers; /* threads that still post */
	unsigned goal;      /* the run ends when so many callbacks have run */
	bool may_end;       /* it may end at any time */
	bool looks_late;    /* the core asks whether it may sleep without a look before */
	unsigned runs;
	unsigned timeouts; /* sleeps that may end by themselves */
	unsigned drain_max;
	bool is_until_answered; /* until each post has been, so the core sleeps if it was lost */
	bool is_draining;
} world;

void soon__assert_failed(const char *expr, const char *func, const char *file, int line)
{
	(void)file;
	explore_fail("%s:%d: assertion failed: %s", func, line, expr);
}

/* The core's side. */

static void bell_wake(struct soon__poller *poller)
{
	EXPLORE_CHECK(poller == &bell);
	EXPLORE_CHECK(bell_is_set_up == 1);
	explore_step("is about to ring");
	EXPLORE_CHECK(!world.is_gone);
	EXPLORE_CHECK(bell_is_set_up == 1);
	world.rings++;
	EXPLORE_CHECK(world.rings <= world.sleeps);
	world.is_rung = true;
	explore_step("has rung");
	EXPLORE_CHECK(!world.is_gone);
}

static const struct soon__poller_ops bell_ops = { .name = "bell", .wake = bell_wake };

static bool times_out(void)
{
	if (world.timeouts == 0 || explore_choose("the sleep times out", 2) == 0)
		return false;
	world.timeouts--;
	return true;
}

/* A core that may end does so at the latest when nobody is left to wake it. */
static bool is_rung(void *unused)
{
	(void)unused;
	return world.is_rung || (world.may_end && world.producers == 0);
}

/* The futex: a wait begins if the word has not changed, and a wake ends waits that have begun. */
static bool is_unparked(void *unused)
{
	return !world.is_parked || is_rung(unused);
}

void soon__futex_wait(const void *word, uint32_t expected, soon_ns deadline)
{
	(void)deadline;
	explore_step("enters the futex");
	/* The kernel sees what is there, however old the values that loads may return. */
	if ((uint32_t)explore_peek(word, sizeof expected) != expected)
		return;
	world.is_parked = true;
	if (!times_out())
		explore_block("wakes from the futex", is_unparked, NULL);
	world.is_parked = false;
}

void soon__futex_wake(const void *word)
{
	EXPLORE_CHECK(word == &core.inbox.head);
	explore_step("is about to wake the futex");
	world.rings++;
	EXPLORE_CHECK(world.rings <= world.sleeps);
	world.is_parked = false;
	explore_step("has woken the futex");
}

static void sleep_once(void)
{
	static const enum soon__inbox_mark marks[] = { SOON__INBOX_ASLEEP, SOON__INBOX_PARKED };
	enum soon__inbox_mark mark = marks[explore_choose("how it sleeps", 2)];

	if (!soon__inbox_prepare_sleep(&core.inbox, mark))
		return;
	world.sleeps++;
	if (mark == SOON__INBOX_PARKED)
		soon__inbox_park(&core.inbox, SOON_NEVER);
	else if (!times_out())
		explore_block("wakes", is_rung, NULL);
	world.is_rung = false;
	soon__inbox_awake(&core.inbox, mark);
}

static bool have_all_been_answered(void)
{
	for (unsigned i = 0; i < POSTERS_MAX; i++) {
		const struct post *post = &world.records[0].posts[i];

		if (post->is_made && post->answers == 0)
			return false;
	}
	return world.runs > 0;
}

static bool is_over(void)
{
	if (world.is_until_answered)
		return have_all_been_answered();
	if (!world.may_end)
		return world.runs >= world.goal;
	return world.producers == 0 || explore_choose("the run ends", 2) == 1;
}

static void drain(void)
{
	unsigned before = world.runs, count;

	world.drains++;
	world.is_draining = true;
	count = soon__inbox_drain(&core.inbox, world.drain_max);
	world.is_draining = false;
	EXPLORE_CHECK(count == world.runs - before);
	EXPLORE_CHECK(count <= world.drain_max);
}

static void run_core(void *unused)
{
	(void)unused;
	bell_is_set_up = 1;
	core.poller = &bell;
	while (!is_over()) {
		if (world.looks_late || !soon__inbox_is_due(&core.inbox))
			sleep_once();
		drain();
	}
	last_word = 1;
	soon__inbox_close(&core.inbox);
	explore_step("the poller goes");
	bell_is_set_up = 0;
	world.is_gone = true;
	core.poller = NULL;
}

static void item_run(soon_callback *callback)
{
	struct item *item = SOON_CONTAINER_OF(callback, struct item, callback);
	unsigned index = (unsigned)(item - items);
	struct record *record = &world.records[index];

	explore_step("runs a callback");
	EXPLORE_CHECK(!world.is_draining || record->drain != world.drains);
	record->drain = world.drains;
	record->runs++;
	world.runs++;
	if (record->is_ordered)
		EXPLORE_CHECK(world.ordered++ == index);
	for (unsigned i = 0; i < POSTERS_MAX; i++)
		record->posts[i].answers += explore_knows(record->posts[i].before);
	if (!record->is_shared)
		EXPLORE_CHECK(item->data == 1);
	if (record->reposts > 0) {
		record->reposts--;
		/* Refused when the run is about to end. */
		(void)!soon_post(&core, callback);
	}
	if (record->is_freed_by_run)
		explore_free(callback, sizeof *callback);
}

/* The posters' side. */

static void post_item(unsigned index, unsigned poster)
{
	struct item *item = &items[index];
	struct record *record = &world.records[index];
	struct post *post = &record->posts[poster];

	if (!record->is_shared)
		item->data = 1;
	post->is_made = true;
	post->before = explore_stamp();
	post->is_accepted = soon_post(&core, &item->callback) == 0;
	if (!post->is_accepted)
		EXPLORE_CHECK(last_word == 1);
	/* Refused: it is ours again. */
	if (!post->is_accepted && !record->is_shared)
		item->callback = (soon_callback){ 0 };
}

static void add_producer(const char *name, void (*fn)(void *arg), uintptr_t arg)
{
	world.producers++;
	explore_thread(name, fn, (void *)arg);
}

/* Each posts one item of its own. */
static void post_own(void *arg)
{
	uintptr_t index = (uintptr_t)arg;

	post_item((unsigned)index, 0);
	world.producers--;
}

/* One after the other, all of them. */
static void post_all(void *arg)
{
	for (unsigned i = 0; i < (uintptr_t)arg; i++)
		post_item(i, 0);
	world.producers--;
}

/* All post the first item. */
static void post_first(void *arg)
{
	post_item(0, (unsigned)(uintptr_t)arg);
	world.producers--;
}

/* In a handler, so nobody counts on it. */
static void handle(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg;

	post_item(index, world.records[index].is_shared ? 1 : 0);
}

static void begin(unsigned goal, unsigned timeouts)
{
	explore_untracked(&world, sizeof world);
	memset(&world, 0, sizeof world);
	memset(items, 0, sizeof items);
	bell_is_set_up = 0;
	last_word = 0;
	memset(&core.inbox, 0, sizeof core.inbox);
	bell.ops = &bell_ops;
	core.poller = NULL;
	world.goal = goal;
	world.timeouts = timeouts;
	world.drain_max = 256;
	for (unsigned i = 0; i < POSTS_MAX; i++)
		items[i].callback.fn = item_run;
	soon__inbox_init(&core.inbox);
	soon__inbox_open(&core.inbox);
	explore_thread("core", run_core, NULL);
}

static void finish(void)
{
	for (unsigned i = 0; i < POSTS_MAX; i++) {
		const struct record *record = &world.records[i];
		unsigned accepted = 0;
		bool is_refused = false; /* to one of several */

		for (unsigned k = 0; k < POSTERS_MAX; k++)
			is_refused |= record->posts[k].is_made && !record->posts[k].is_accepted;
		for (unsigned k = 0; k < POSTERS_MAX; k++) {
			const struct post *post = &record->posts[k];

			if (post->is_accepted && !(record->is_shared && is_refused))
				EXPLORE_CHECK(post->answers > 0);
			accepted += post->is_accepted;
		}
		if (!record->is_shared)
			EXPLORE_CHECK(
				record->runs >= accepted && (record->runs == 0 || accepted > 0));
		if (!record->is_freed_by_run)
			EXPLORE_CHECK(items[i].callback.soon__pending == 0);
	}
	EXPLORE_CHECK(core.inbox.taken == NULL);
}

/* The scenarios. */

/* Each post finds the core at work, asleep, or about to be. */
static void setup_two_producers(void)
{
	begin(2, 1);
	add_producer("producer 0", post_own, 0);
	add_producer("producer 1", post_own, 1);
}

/* What one producer posts runs in its order, two callbacks in a drain. */
static void setup_in_order(void)
{
	begin(3, 1);
	world.drain_max = 2;
	world.looks_late = true;
	for (unsigned i = 0; i < 3; i++)
		world.records[i].is_ordered = true;
	add_producer("producer", post_all, 3);
}

/* A callback that is posted while it waits runs at least once after each post. */
static void setup_same_callback(void)
{
	begin(1, 1);
	world.records[0].is_shared = true;
	world.is_until_answered = true;
	add_producer("producer 0", post_first, 0);
	add_producer("producer 1", post_first, 1);
}

/* A callback that posts itself waits for the next drain. */
static void setup_posts_itself(void)
{
	begin(3, 0);
	world.records[0].reposts = 2;
	add_producer("producer", post_own, 0);
}

/* The end comes at any time: what was accepted runs, and nobody rings a poller that is gone. */
static void setup_end(void)
{
	begin(0, 1);
	world.may_end = true;
	add_producer("producer 0", post_own, 0);
	add_producer("producer 1", post_own, 1);
}

/* The same for a producer that goes on posting. */
static void setup_end_in_order(void)
{
	begin(0, 1);
	world.may_end = true;
	for (unsigned i = 0; i < 3; i++)
		world.records[i].is_ordered = true;
	world.drain_max = 1;
	add_producer("producer", post_all, 3);
}

/*
 * The end comes while two post the same callback. One may find it pending and be told that it will
 * run when it is then refused to the other; see soon_post(). Nothing else may go wrong.
 */
static void setup_end_same(void)
{
	begin(0, 1);
	world.may_end = true;
	world.records[0].is_shared = true;
	add_producer("producer 0", post_first, 0);
	add_producer("producer 1", post_first, 1);
}

/* A handler posts in the midst of a post, another callback. */
static void setup_handler(void)
{
	begin(1, 1);
	world.may_end = true;
	add_producer("producer", post_own, 0);
	explore_handler("its handler", handle, (void *)1);
}

/* The same callback, so each of the two may find it pending. */
static void setup_handler_same(void)
{
	begin(1, 1);
	world.records[0].is_shared = true;
	world.is_until_answered = true;
	add_producer("producer", post_first, 0);
	explore_handler("its handler", handle, NULL);
}

/* A handler interrupts the core itself: as it works, as it goes to sleep, as it ends. */
static void setup_handler_on_core(void)
{
	begin(0, 1);
	world.may_end = true;
	explore_handler("its handler", handle, (void *)1);
	add_producer("producer", post_own, 0);
}

/* What has run may be gone: whoever touches it afterwards, touches freed memory. */
static void setup_freed(void)
{
	begin(2, 0);
	world.records[0].is_freed_by_run = world.records[1].is_freed_by_run = true;
	add_producer("producer 0", post_own, 0);
	add_producer("producer 1", post_own, 1);
}

int main(int argc, char **argv)
{
	static const struct explore_scenario scenarios[] = {
		{ "two_producers", setup_two_producers, finish, 3, 1 },
		{ "in_order", setup_in_order, finish, 3, 1 },
		{ "same_callback", setup_same_callback, finish, 3, 1 },
		{ "posts_itself", setup_posts_itself, finish, 4, 2 },
		{ "end", setup_end, finish, 3, 1 },
		{ "end_same", setup_end_same, finish, 3, 1 },
		{ "end_in_order", setup_end_in_order, finish, 3, 1 },
		{ "handler", setup_handler, finish, 3, 1 },
		{ "handler_same", setup_handler_same, finish, 3, 1 },
		{ "handler_on_core", setup_handler_on_core, finish, 3, 1 },
		{ "freed", setup_freed, finish, 3, 1 },
	};

	return explore_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
