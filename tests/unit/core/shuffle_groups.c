// SPDX-License-Identifier: Apache-2.0
/*
 * Random trees of groups of all policies under random orders: supervised tasks, bounded groups,
 * starts, single cancels, watches, and cancels and drains from anywhere. What must hold whatever
 * happens is checked at every step; and a run is a function of its seed.
 */
#include <soon/mem.h>
#include <soon/report.h>
#include <soon/start.h>

#include "fake_test.h"

#define TASKS_MAX 120u
#define DEPTH_MAX 4

struct world {
	uint64_t random;
	uint64_t hash; /* of all that happened, in order */
	unsigned accepted, begun, ended;
	unsigned restarted, started, refused, won;
};

/* One task: how deep it is, and what happened to it. Its place is taken when it is accepted. */
struct actor {
	struct world *world;
	int depth;
	bool has_begun, is_running;
	unsigned runs;
};

static struct actor actors[TASKS_MAX];

static uint64_t random_below(struct world *w, uint64_t bound)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random % bound;
}

static void note(struct world *w, int64_t event)
{
	w->hash = (w->hash ^ (uint64_t)event) * UINT64_C(0x100000001b3);
}

static ssize_t check(struct world *w, ssize_t rc)
{
	if (rc == -ECANCELED)
		cr_assert(soon_cancelled());
	note(w, rc);
	return rc;
}

static ssize_t rest(struct world *w)
{
	return check(w, soon_sleep((soon_ns)random_below(w, 10) * SOON_MS(7)));
}

static int act(struct actor *self);

/* A free place for a task, NULL when there is none or it would be too deep. */
static struct actor *actor_take(struct world *w, int depth)
{
	struct actor *actor;

	if (w->accepted == TASKS_MAX || depth > DEPTH_MAX)
		return NULL;
	actor = &actors[w->accepted];
	*actor = (struct actor){ .world = w, .depth = depth };
	return actor;
}

static soon_task *spawn_one(soon_group *g, struct world *w, int depth)
{
	struct actor *actor = actor_take(w, depth);
	soon_task *task = NULL;
	soon_task_opts opts = { .ret_task = &task };
	int rc;

	if (!actor)
		return NULL;
	w->accepted++; /* first: a bounded group lets others run meanwhile, who take places, too */
	rc = soon_spawn_with(g, &opts, act, actor);
	if (rc == 0)
		return task;
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_not(actor->has_begun); /* refused: the argument is still ours */
	actor->has_begun = true;
	w->refused++;
	return NULL;
}

static void start_one(soon_group *g, struct world *w, int depth)
{
	struct actor *actor = actor_take(w, depth);
	ssize_t rc;

	if (!actor)
		return;
	w->accepted++;
	rc = check(w, soon_start(g, act, actor));
	if (rc >= 0) {
		cr_assert_eq(rc, actor - actors);
		w->started++;
	} else {
		cr_assert_not(actor->is_running); /* never before it has ended */
		if (!actor->has_begun) {
			cr_assert_eq(rc, -ECANCELED);
			actor->has_begun = true;
			w->refused++;
		}
	}
}

/* Cancels a task of a group that may have ended long ago. */
static void cancel_one(soon_task *task, const struct actor *actor)
{
	struct world *w = actor->world;
	int rc = soon_cancel_join(task);

	note(w, rc);
	cr_assert_not(actor->is_running);
	cr_assert(rc == 0 || rc == -EALREADY || rc == -EIO || rc == -ECANCELED || rc == -EPROTO);
	if (rc == -ECANCELED)
		cr_assert(soon_cancelled());
}

static ssize_t watch_one(struct world *w, soon_task *task, const struct actor *actor)
{
	bool is_forgotten = random_below(w, 3) == 0;
	ssize_t rc;
	SOON_GROUP(g);

	cr_assert_eq(soon_group_watch(&g, task), 0);
	if (is_forgotten)
		(void)soon_group_forget(&g, task);
	rc = check(w, soon_group_close(&g, 0));
	if (!is_forgotten)
		cr_assert_not(actor->is_running);
	return rc;
}

static ssize_t branch(struct world *w, int depth)
{
	static const soon_policy policies[] = { SOON_FAIL_FAST, SOON_WAIT_ALL, SOON_SUPERVISE,
		SOON_FIRST_OK };
	soon_policy policy = policies[random_below(w, 4)];
	unsigned live_max = random_below(w, 3) == 0 ? 1 + (unsigned)random_below(w, 3) : 0;
	soon_task *task = NULL;
	const struct actor *actor = NULL;
	ssize_t rc = 0;
	SOON_GROUP(g, .policy = policy, .live_max = live_max);

	for (uint64_t i = random_below(w, 4); i > 0; i--) {
		unsigned place = w->accepted;
		soon_task *made;

		if (random_below(w, 4) == 0) {
			start_one(&g, w, depth);
			continue;
		}
		made = spawn_one(&g, w, depth);
		if (made) {
			task = made;
			actor = &actors[place];
		}
	}
	if (random_below(w, 2))
		rc = rest(w);
	if (task && random_below(w, 3) == 0)
		cancel_one(task, actor);
	else if (task && random_below(w, 3) == 0)
		(void)watch_one(w, task, actor);
	if (random_below(w, 8) == 0)
		soon_group_cancel(&g, "the world");
	else if (random_below(w, 8) == 0)
		soon_group_drain(&g, SOON_MS((soon_ns)random_below(w, 30)));
	rc = soon_group_close(&g, rc == -ECANCELED ? rc : 0);
	cr_assert_eq(soon_group_live(&g), 0);
	if (rc < 0 && rc != -ECANCELED)
		cr_assert_gt(soon_group_failures(&g, NULL, 0), 0);
	if (rc > 0)
		w->won++;
	return check(w, rc);
}

/* A task, maybe run several times: some rest, some groups of its own, an end of some kind. */
static int act(struct actor *self)
{
	struct world *w = self->world;
	ssize_t rc;

	cr_assert_not(self->is_running);
	if (self->runs++ == 0)
		w->begun++;
	else
		w->restarted++;
	self->has_begun = true;
	self->is_running = true;
	note(w, self - actors);
	rc = rest(w);
	if (rc == 0 && random_below(w, 2))
		cr_assert_eq(soon_ready(self - actors), 0);
	if (random_below(w, 2))
		rc = branch(w, self->depth + 1);
	if (random_below(w, 3) == 0)
		rc = rest(w);
	self->is_running = false;
	if (rc == -ECANCELED && soon_cancelled())
		return -ECANCELED;
	if (random_below(w, 4) == 0)
		return -EIO;
	return (int)random_below(w, 3);
}

static int begin(struct world *w)
{
	for (int i = 0; i < 60 && w->accepted < TASKS_MAX; i++)
		(void)branch(w, 0);
	return 0;
}

static int ignore_reports;

static int drop(const soon_report *report, void *unused)
{
	(void)unused;
	ignore_reports += report->level == SOON_REPORT_WARNING;
	cr_assert_neq(report->level, SOON_REPORT_ERROR, "%s", report->text);
	return 0;
}

static struct world run(uint64_t seed)
{
	struct world w = { .random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };
	const soon_opts run_opts = { .grace = SOON_NEVER };
	const struct fake_opts opts = { .run = &run_opts, .seed = seed };

	soon_on_report(drop, NULL);
	cr_assert_eq(FAKE_RUN(&opts, begin, &w), 0, "seed %ju", (uintmax_t)seed);
	for (unsigned i = 0; i < w.accepted; i++)
		cr_assert(actors[i].has_begun && !actors[i].is_running, "seed %ju, task %u",
			(uintmax_t)seed, i);
	cr_assert_eq(w.begun + w.refused, w.accepted, "seed %ju", (uintmax_t)seed);
	return w;
}

SOON_TEST_PLAIN(shuffle_groups, random_worlds_keep_every_promise, .timeout = 400)
{
	struct world sum = { 0 };

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = run(seed);

		sum.restarted += w.restarted;
		sum.started += w.started;
		sum.refused += w.refused;
		sum.won += w.won;
	}
	/* It means something only when all of these happened, often. */
	cr_assert_gt(sum.restarted, SEEDS);
	cr_assert_gt(sum.started, SEEDS);
	cr_assert_gt(sum.refused, SEEDS / 10);
	cr_assert_gt(sum.won, SEEDS / 10);
}

SOON_TEST_PLAIN(shuffle_groups, run_is_a_function_of_its_seed)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		cr_assert_eq(run(seed).hash, run(seed).hash);
}

/* Failing in a crowd. */

enum { CROWD = 100000 };

static int fail_at_once(int rc)
{
	return rc;
}

FAKE_TEST(crowd, hundred_thousand_failures_take_the_memory_of_eight)
{
	uint64_t before = soon_mem_count();
	soon_failure failures[SOON_FAILURES_KEPT + 2];
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	for (int i = 0; i < CROWD; i++)
		cr_assert_eq(soon_spawn(&g, fail_at_once, -EIO - i % 3), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(soon_group_failures(&g, failures, SOON_FAILURES_KEPT + 2), CROWD);
	cr_assert_eq(failures[SOON_FAILURES_KEPT - 1].rc, -EIO - 1);
	cr_assert_lt(soon_mem_count() - before, 8);
}
