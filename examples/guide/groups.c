// SPDX-License-Identifier: Apache-2.0
/*
 * groups.c: what groups do with results and failures, their limits, services that say when they
 * are ready, and several calls at once. See docs/guide/groups-and-supervision.md.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <string.h>

struct request {
	const char *name;
	soon_ns takes;
	int rc;
	int answer; /* what the task found; read by whoever closed the group */
};

static int fetch(struct request *request)
{
	int rc = soon_sleep(request->takes);

	if (rc < 0)
		return rc;
	if (request->rc < 0)
		return soon_fail(request->rc, "%s does not answer", request->name);
	request->answer = (int)strlen(request->name);
	return request->rc;
}

static const char *error(ssize_t rc)
{
	return rc < 0 ? strerrorname_np((int)-rc) : "none";
}

/* The default: all or nothing. */
static ssize_t fetch_both(struct request *a, struct request *b)
{
	int rc;
	SOON_GROUP(g);

	rc = soon_spawn(&g, fetch, a);
	if (rc == 0)
		rc = soon_spawn(&g, fetch, b);
	return soon_group_close(&g, rc);
}

static void show_fail_fast(void)
{
	struct request a = { .name = "alpha" }, b = { .name = "bravo", .takes = SOON_MS(1) };
	ssize_t rc = fetch_both(&a, &b);

	printf("both: %s, %d and %d\n", error(rc), a.answer, b.answer);
	a = (struct request){ .name = "alpha", .takes = SOON_S(3600) };
	b.rc = -EHOSTUNREACH;
	rc = fetch_both(&a, &b);
	printf("one fails: %s, %s; the other: %d\n", error(rc), soon_fail_message(), a.answer);
}

/* As many as can be had; what failed is read one by one. */
static void show_wait_all(void)
{
	struct request requests[] = { { .name = "alpha" }, { .name = "bravo", .rc = -EIO },
		{ .name = "charlie", .takes = SOON_MS(1) },
		{ .name = "delta", .takes = SOON_MS(2), .rc = -ENOENT } };
	soon_failure failures[SOON_FAILURES_KEPT];
	ssize_t rc = 0;
	size_t failed;
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	for (size_t i = 0; rc == 0 && i < sizeof requests / sizeof requests[0]; i++)
		rc = soon_spawn(&g, fetch, &requests[i]);
	rc = soon_group_close(&g, rc);
	failed = soon_group_failures(&g, failures, SOON_FAILURES_KEPT);
	printf("as many as can be had: %s, %zu failed\n", error(rc), failed);
	for (size_t i = 0; i < failed; i++)
		printf("  %s: %s\n", failures[i].task, failures[i].message);
}

/* Whoever is first. */
static void show_first_ok(void)
{
	struct request slow = { .name = "slow", .takes = SOON_S(3600), .rc = 1 };
	struct request broken = { .name = "broken", .rc = -EIO };
	struct request quick = { .name = "quick", .takes = SOON_MS(1), .rc = 2 };
	ssize_t rc;
	SOON_GROUP(g, .policy = SOON_FIRST_OK);

	rc = soon_spawn(&g, fetch, &slow);
	if (rc == 0)
		rc = soon_spawn(&g, fetch, &broken);
	if (rc == 0)
		rc = soon_spawn(&g, fetch, &quick);
	rc = soon_group_close(&g, rc);
	printf("first: %zd\n", rc);
}

struct load {
	int now, most;
};

static int step_on(struct load *load)
{
	int rc;

	load->now++;
	if (load->most < load->now)
		load->most = load->now;
	rc = soon_sleep(SOON_MS(1));
	load->now--;
	return rc;
}

/* Ten jobs, at most three at a time: the spawn waits. */
static void show_limit(void)
{
	struct load load = { 0 };
	ssize_t rc = 0;
	SOON_GROUP(g, .live_max = 3);

	for (int i = 0; rc == 0 && i < 10; i++)
		rc = soon_spawn(&g, step_on, &load);
	rc = soon_group_close(&g, rc);
	printf("limit: %s, %d at a time\n", error(rc), load.most);
}

static int say(const char *text)
{
	return printf("%s\n", text) < 0 ? -EIO : 0;
}

struct note {
	char text[32];
};

/* Each task has its own copy, on its own stack. */
static int say_note(struct note *note)
{
	return say(note->text);
}

static void show_arguments(void)
{
	struct note note;
	soon_task *task;
	soon_task_opts opts = { .name = "courier", .ret_task = &task };
	ssize_t rc = 0;
	SOON_GROUP(g);

	rc = soon_group_defer(&g, say, "deferred: the group closes");
	for (int i = 1; rc == 0 && i <= 2; i++) {
		(void)snprintf(note.text, sizeof note.text, "note %d", i);
		rc = soon_spawn_copy(&g, say_note, &note);
	}
	if (rc == 0)
		rc = soon_spawn_with(&g, &opts, say, "by name");
	if (rc == 0)
		printf("spawned %s\n", soon_task_name(task));
	rc = soon_group_close(&g, rc);
	printf("closed: %s\n", error(rc));
}

/* A connection pool's own group, found by whoever runs below it. */
static const char pool_kind;

static int count_siblings(void *unused)
{
	soon_group *pool = soon_group_current(&pool_kind);

	(void)unused;
	return pool ? (int)soon_group_live(pool) : -ENOENT;
}

static int with_group_of_its_own(void *unused)
{
	int rc, siblings = 0;
	soon_task *task;
	soon_task_opts opts = { .ret_task = &task };
	SOON_GROUP(inner);

	(void)unused;
	rc = soon_spawn_with(&inner, &opts, count_siblings, NULL);
	if (rc == 0)
		rc = soon_join(task, &siblings);
	printf("in the pool: %d\n", siblings);
	return (int)soon_group_close(&inner, rc);
}

static void show_current(void)
{
	ssize_t rc;
	SOON_GROUP(pool, .kind = &pool_kind);

	rc = soon_spawn(&pool, with_group_of_its_own, NULL);
	rc = soon_group_close(&pool, rc);
	printf("current: %s, outside: %s\n", error(rc),
		soon_group_current(&pool_kind) ? "found" : "none");
}

/* A task of one group that another one has to wait for, and whose failure it takes. */
static void show_watch(void)
{
	struct request late = { .name = "late", .takes = SOON_MS(5), .rc = -EIO };
	struct request other = { .name = "other" };
	soon_task *watched, *forgotten;
	soon_task_opts keep = { .ret_task = &watched }, drop = { .ret_task = &forgotten };
	ssize_t rc;
	SOON_GROUP(outer, .policy = SOON_WAIT_ALL);

	rc = soon_spawn_with(&outer, &keep, fetch, &late);
	if (rc == 0)
		rc = soon_spawn_with(&outer, &drop, fetch, &other);
	if (rc == 0) {
		SOON_GROUP(report);
		rc = soon_group_watch(&report, watched);
		if (rc == 0)
			rc = soon_group_watch(&report, forgotten);
		if (rc == 0)
			printf("forgotten: %d\n", soon_group_forget(&report, forgotten));
		rc = soon_group_close(&report, rc);
		printf("watched: %s\n", error(rc));
	}
	rc = soon_group_close(&outer, 0);
	printf("its own group: %s\n", error(rc));
}

/* A service: its starter goes on when it is ready, and learns of it when it cannot be. */
struct clock {
	soon_ns period;
	int ticks;
	soon_event has_ticked;
};

static int tick(struct clock *clock)
{
	int rc = clock->period > 0 ? 0 : soon_fail(-EINVAL, "a clock needs a period");

	if (rc == 0)
		rc = soon_ready(7);
	while (rc == 0 && (rc = soon_sleep(clock->period)) == 0) {
		clock->ticks++;
		(void)soon_event_set(&clock->has_ticked);
	}
	return rc;
}

static void show_service(void)
{
	struct clock good = { .period = SOON_MS(1) }, bad = { .period = 0 };
	soon_task_opts opts = { .name = "clock" };
	ssize_t rc, ready;
	SOON_GROUP(g);

	ready = soon_start(&g, tick, &bad);
	printf("bad clock: %s, %s\n", error(ready), soon_fail_message());
	ready = soon_start_with(&g, &opts, tick, &good);
	printf("good clock: %zd\n", ready);
	rc = ready < 0 ? ready : soon_event_wait(&good.has_ticked);
	soon_group_cancel(&g, "seen it tick");
	rc = soon_group_close(&g, rc);
	printf("service: %s, ticked: %s\n", error(rc), good.ticks > 0 ? "yes" : "no");
}

/* Several calls at once, with one result each. */
static void show_all(void)
{
	struct request a = { .name = "alpha", .rc = 5 }, b = { .name = "bravo", .rc = -EIO };
	struct request c = { .name = "charlie", .takes = SOON_S(3600) };
	soon_work work[] = { SOON_WORK(fetch, &a), SOON_WORK(fetch, &b), SOON_WORK(fetch, &c) };
	soon_all_opts all = { .policy = SOON_WAIT_ALL, .timeout = SOON_MS(50), .live_max = 3 };
	int rcs[3], rc = soon_all(work, 3, &all, rcs);

	printf("all: %s\n", error(rc));
	printf("each: %d, %s, %s\n", rcs[0], error(rcs[1]), error(rcs[2]));
}

/* Lives as long as the run; what it returns, soon_run() returns, if it is a failure. */
static int housekeep(soon_ns interval)
{
	int rc = 0;

	while (rc == 0)
		rc = soon_sleep(interval);
	printf("housekeeping ends: %s\n", error(rc));
	return rc;
}

static int app(void *unused)
{
	int rc = soon_background(housekeep, SOON_S(60));

	(void)unused;
	if (rc < 0)
		return rc;
	show_fail_fast();
	show_wait_all();
	show_first_ok();
	show_limit();
	show_arguments();
	show_current();
	show_watch();
	show_service();
	show_all();
	return soon_yield();
}

int main(void)
{
	return soon_run(app, NULL) < 0;
}
