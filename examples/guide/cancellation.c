// SPDX-License-Identifier: Apache-2.0
/*
 * cancellation.c: scopes, deadlines, clean-up, and the two ways to end: a cancel and a drain. Each
 * function shows one thing; see docs/guide/cancellation.md. The run prints what happens.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <string.h>

/* Stands for a call to a slow peer. */
static int ask_peer(soon_ns takes)
{
	return soon_sleep(takes);
}

static int query(soon_ns takes)
{
	int rc = (int)soon_within(SOON_MS(20), ask_peer(takes));

	if (rc == -ETIMEDOUT)
		return 1; /* an answer of our own: no reply */
	return rc;
}

/* Whatever the inner bound says, the outer one holds too: the earliest deadline counts. */
static int query_patiently(void)
{
	return (int)soon_within(SOON_S(60), ask_peer(SOON_S(3600)));
}

static void show_deadlines(void)
{
	printf("fast peer: %d\n", query(0));
	printf("slow peer: %d\n", query(SOON_S(3600)));
	printf("bounded from outside: %s\n",
		soon_within(SOON_MS(20), query_patiently()) == -ETIMEDOUT ? "ETIMEDOUT" : "?");
}

/* A deadline that moves: it is put off as long as pieces arrive. */
static int receive_pieces(int pieces, bool *ret_is_stalled)
{
	int rc = 0;
	SOON_SCOPE(idle, .timeout = SOON_S(10));

	for (int i = 0; rc == 0 && i < pieces; i++) {
		rc = ask_peer(SOON_MS(1));
		if (rc == 0)
			rc = soon_scope_deadline(&idle, soon_now() + SOON_S(10));
	}
	if (rc == 0)
		rc = soon_scope_deadline(&idle, soon_now() + SOON_MS(20));
	if (rc == 0)
		rc = ask_peer(SOON_S(3600));
	rc = (int)soon_scope_close(&idle, rc);
	*ret_is_stalled = soon_scope_expired(&idle);
	return rc;
}

/* Stopping early is not an error: the close of a scope that was cancelled itself gives 0. */
static int search(int wanted)
{
	int rc = 0;
	SOON_SCOPE(s, .timeout = SOON_S(10));

	for (int i = 0; rc == 0; i++) {
		if (i == wanted)
			soon_scope_cancel(&s, "found");
		rc = soon_checkpoint(); /* a loop that computes has to ask */
	}
	return (int)soon_scope_close(&s, rc);
}

static void show_scopes(void)
{
	bool is_stalled = false;
	int rc = receive_pieces(3, &is_stalled);

	printf("pieces: %s, stalled: %s\n", rc == -ETIMEDOUT ? "ETIMEDOUT" : "?",
		is_stalled ? "yes" : "no");
	printf("search: %d\n", search(1000));
}

/* The level: as long as the scope is cancelled, each call that suspends fails. */
static int careless(void)
{
	for (int tries = 0; tries < 3; tries++) { /* takes any failure for a bad reply */
		if (ask_peer(SOON_S(3600)) == 0)
			return 0;
	}
	return ask_peer(SOON_S(3600)); /* fails at once, as the last two did */
}

/* Clean-up that has to wait hides from the cancel, with a bound of its own. */
static int goodbye(void)
{
	printf("said goodbye, cancelled: %s\n", soon_cancelled() ? "yes" : "no");
	return soon_sleep(SOON_MS(1));
}

static int session(soon_ns length)
{
	int rc = soon_sleep(length);
	int bye = (int)soon_shielded(SOON_S(1), goodbye());

	return rc < 0 ? rc : bye;
}

static void show_level(void)
{
	printf("careless: %s\n",
		soon_within(SOON_MS(20), careless()) == -ETIMEDOUT ? "ETIMEDOUT" : "?");
	printf("session: %s\n",
		soon_within(SOON_MS(20), session(SOON_S(3600))) == -ETIMEDOUT ? "ETIMEDOUT" : "?");
}

static const char *name_of(soon_cancel_source source)
{
	static const char *const names[] = { "nobody", "explicit", "deadline", "sibling",
		"parent exit", "drain", "shutdown", "signal", "deadlock" };

	return names[source];
}

static int say_why(const char *who)
{
	int rc = soon_sleep_until(SOON_NEVER);
	soon_cancel_why why = soon_cancel_reason();

	printf("%s: %s%s%s, deadline %s\n", who, name_of(why.source), why.why ? ": " : "",
		why.why ? why.why : "", soon_deadline() == 0 ? "over" : "ahead");
	return rc;
}

static int fail_soon(const char *message)
{
	int rc = soon_sleep(SOON_MS(1));

	return rc < 0 ? rc : soon_fail(-EIO, "%s", message);
}

static ssize_t cancelled_by_us(void)
{
	ssize_t rc;
	SOON_GROUP(g);

	rc = soon_spawn(&g, say_why, "asked");
	if (rc == 0)
		rc = soon_yield();
	soon_group_cancel(&g, "enough");
	return soon_group_close(&g, rc);
}

static ssize_t cancelled_by_sibling(void)
{
	ssize_t rc;
	SOON_GROUP(g);

	rc = soon_spawn(&g, say_why, "left alone");
	if (rc == 0)
		rc = soon_spawn(&g, fail_soon, "the other one broke");
	return soon_group_close(&g, rc);
}

static void show_reasons(void)
{
	ssize_t rc = cancelled_by_us();

	printf("group cancelled by us: %zd\n", rc);
	rc = cancelled_by_sibling();
	printf("group with a failure: %s, %s\n", rc == -EIO ? "EIO" : "?", soon_fail_message());
	rc = soon_within(SOON_MS(20), say_why("late"));
	printf("expired: %s\n", rc == -ETIMEDOUT ? "ETIMEDOUT" : "?");
}

/* Two of three requests; the third is not wanted any more. */
static int one_of_many(void)
{
	soon_task *wanted = SOON_TASK_NONE, *unwanted = SOON_TASK_NONE;
	soon_task_opts keep = { .ret_task = &wanted }, drop = { .ret_task = &unwanted };
	int rc, result = -1;
	SOON_GROUP(g);

	rc = soon_spawn_with(&g, &drop, ask_peer, SOON_S(3600));
	if (rc == 0)
		rc = soon_spawn_with(&g, &keep, ask_peer, SOON_MS(1));
	if (rc == 0)
		rc = soon_cancel_join(unwanted); /* when it returns, the task has really ended */
	if (rc == 0)
		rc = soon_join(wanted, &result);
	printf("wanted: %d\n", result);
	if (rc == 0)
		printf("too late: %s\n",
			soon_cancel_join(wanted) == 0 ? "it had ended before" : "?");
	soon_task_cancel(SOON_TASK_NONE, "no task: nothing happens");
	return (int)soon_group_close(&g, rc);
}

static soon_chan letters = SOON_CHAN_INIT(int);

struct reader {
	soon_scope *scope;
	int letter;
	int first, second;
};

/* Completion wins: the letter was handed over before the cancel came. The next call fails. */
static int read_letters(struct reader *self)
{
	SOON_SCOPE(s);

	self->scope = &s;
	self->first = soon_chan_recv(&letters, &self->letter);
	self->second = soon_chan_recv(&letters, &self->letter);
	return (int)soon_scope_close(&s, self->second);
}

static int send_and_cancel(void)
{
	struct reader reader = { 0 };
	int rc, letter = 7;
	SOON_GROUP(g);

	rc = soon_spawn(&g, read_letters, &reader);
	if (rc == 0)
		rc = soon_yield(); /* the reader waits now */
	if (rc == 0)
		rc = soon_chan_send(&letters, &letter);
	if (rc == 0)
		soon_scope_cancel(reader.scope, "right after the hand-over");
	rc = (int)soon_group_close(&g, rc);
	printf("letter %d: first %d, second %s\n", reader.letter, reader.first,
		reader.second == -ECANCELED ? "ECANCELED" : "?");
	return rc;
}

struct worker {
	const char *name;
	soon_ns work_ns;
	soon_chan *jobs;
};

/* Only the wait for a job holds nothing that would be lost. */
static int work(struct worker *self)
{
	int job, rc = 0;

	for (;;) {
		SOON_IDLE {
			rc = soon_chan_recv(self->jobs, &job);
		}
		if (rc <= 0)
			return rc;
		rc = soon_sleep(self->work_ns);
		if (rc < 0) {
			printf("%s: cut short (%s)\n", self->name,
				name_of(soon_cancel_reason().source));
			return rc;
		}
		printf("%s: finished job %d\n", self->name, job);
	}
}

static int drain(void)
{
	soon_chan first = SOON_CHAN_INIT(int), second = SOON_CHAN_INIT(int);
	soon_chan none = SOON_CHAN_INIT(int);
	struct worker quick = { "quick", SOON_MS(5), &first };
	struct worker slow = { "slow", SOON_S(3600), &second };
	struct worker idle = { "idle", 0, &none };
	int rc, job = 1;
	SOON_GROUP(g);

	rc = soon_spawn(&g, work, &quick);
	if (rc == 0)
		rc = soon_spawn(&g, work, &slow);
	if (rc == 0)
		rc = soon_spawn(&g, work, &idle);
	if (rc == 0)
		rc = soon_chan_send(&first, &job);
	if (rc == 0)
		rc = soon_chan_send(&second, &job);
	soon_group_drain(&g, SOON_MS(200));
	rc = (int)soon_group_close(&g, rc);
	printf("drained: %d\n", rc);
	return rc;
}

static int app(void *unused)
{
	int rc;

	(void)unused;
	show_deadlines();
	show_scopes();
	show_level();
	show_reasons();
	rc = one_of_many();
	if (rc == 0)
		rc = send_and_cancel();
	if (rc == 0)
		rc = drain();
	return rc;
}

int main(void)
{
	return soon_run(app, NULL) < 0;
}
