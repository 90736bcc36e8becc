// SPDX-License-Identifier: Apache-2.0
/*
 * cores.c: runs of several cores, one after the other, that end in every way they can while their
 * cores post to each other: by main's end, by a failure in the background of any of them, with
 * posts pending.
 */
#include <soon/cores.h>
#include <soon/group.h>
#include <soon/report.h>

#include <errno.h>
#include <stdatomic.h>
#include <support/program.h>

enum {
	CORES = 3,
	ROUNDS = 60,
	POSTS = 200,
};

/* Goes round the cores until its steps are used up, and a task waits for it on the first. */
struct token {
	soon_callback callback;
	soon_core *cores[CORES];
	unsigned at, steps;
};

static struct {
	unsigned round;
	atomic_uint posts_run, tasks_ended;
	struct token tokens[CORES];
} state;

static int wander(struct token *token);

static void arrive(soon_callback *callback)
{
	struct token *token = (struct token *)(void *)callback;
	int rc;

	atomic_fetch_add_explicit(&state.posts_run, 1, memory_order_relaxed);
	CHECK_EQ(soon_core_index(NULL), token->at);
	rc = soon_background(wander, token);
	CHECK(rc == 0 || rc == -ESHUTDOWN);
}

/* A task that hands the token on and ends; on some rounds it fails somewhere on the way. */
static int wander(struct token *token)
{
	int rc;

	if (token->steps == POSTS / 2 && state.round % 4 == token->at)
		return -EIO;
	rc = soon_yield();
	if (rc < 0 || token->steps-- == 0) {
		atomic_fetch_add_explicit(&state.tasks_ended, 1, memory_order_relaxed);
		return rc;
	}
	token->at = (token->at + 1) % CORES;
	rc = soon_post(token->cores[token->at], &token->callback);
	return rc; /* a core of the run is open while we run */
}

static int app(void *unused)
{
	int rc = 0;

	(void)unused;
	for (unsigned i = 0; i < CORES; i++) {
		struct token *token = &state.tokens[i];

		*token = (struct token){ .callback.fn = arrive, .at = i, .steps = POSTS };
		for (unsigned at = 0; at < CORES; at++)
			CHECK_EQ(soon_core_at(at, &token->cores[at]), 0);
		CHECK_EQ(soon_post(token->cores[i], &token->callback), 0);
	}
	if (state.round % 3 == 0)
		return 3; /* all of it is left behind */
	while (rc == 0 && atomic_load_explicit(&state.tasks_ended, memory_order_relaxed) < CORES)
		rc = soon_sleep(SOON_US(200));
	return rc == 0 ? 4 : rc;
}

static int no_report(const soon_report *report, void *unused)
{
	(void)unused;
	return report->rc == -EIO || report->level < SOON_REPORT_ERROR ? 0 : -1;
}

int main(void)
{
	soon_on_report(no_report, NULL);
	for (state.round = 0; state.round < ROUNDS; state.round++) {
		soon_opts opts = { .cores = CORES, .no_pin = state.round % 2 != 0 };
		int rc;

		atomic_store(&state.tasks_ended, 0);
		rc = soon_run_with(&opts, app, NULL);
		CHECK(rc == 3 || rc == 4 || rc == -EIO);
	}
	CHECK(atomic_load(&state.posts_run) > ROUNDS);
	return 0;
}
