// SPDX-License-Identifier: Apache-2.0
/*
 * calling_in.c: from threads into tasks: a post, a call, a call in two steps, a portal, and a
 * cancel by name.
 */
#include <soon/soon.h>

#include <pthread.h>
#include <stdio.h>

/* What the tasks own; no lock guards it, since only the core's thread touches it. */
static struct {
	int stock;
} store = { .stock = 3 };

static int take(int count)
{
	int rc = soon_sleep(SOON_MS(1)); /* a task may wait */

	if (rc < 0)
		return rc;
	if (count > store.stock)
		return soon_fail(-ENOENT, "only %d left", store.stock);
	store.stock -= count;
	return store.stock;
}

static int never_ready(void *unused)
{
	(void)unused;
	return soon_sleep_until(SOON_NEVER);
}

/* Runs on a thread of its own, beside the core. */
static void *call_in(void *arg)
{
	soon_core *core = arg;
	int rc = soon_call(core, take, 2, SOON_S(5));

	printf("call: %d left\n", rc);
	rc = soon_call(core, never_ready, NULL, SOON_MS(1));
	printf("call: timed out: %s\n", rc == -ETIMEDOUT ? "yes" : "no");
	return NULL;
}

static void *call_in_two_steps(void *arg)
{
	soon_call calls[2];
	soon_core *core = arg;
	int rc = soon_call_start(core, take, 7, &calls[0]);

	if (rc < 0)
		return NULL;
	rc = soon_call_start(core, never_ready, NULL, &calls[1]);
	if (rc == 0) {
		soon_call_cancel(&calls[1]);
		rc = soon_call_wait(&calls[1], SOON_NEVER);
		printf("cancelled call: interrupted: %s\n", rc == -EINTR ? "yes" : "no");
	}
	rc = soon_call_wait(&calls[0], SOON_NEVER);
	printf("failed call: %s\n", rc < 0 ? soon_call_message(&calls[0]) : "no");
	return NULL;
}

/* A thread beside the core for as long as it takes; the core goes on meanwhile. */
static int join_thread(pthread_t *thread)
{
	return -pthread_join(*thread, NULL);
}

static int beside(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, arg) != 0)
		return -EAGAIN;
	return soon_offload(join_thread, &thread);
}

struct tick {
	soon_callback callback;
	soon_event *ticked;
};

static void on_tick(soon_callback *callback)
{
	soon_event_set(SOON_CONTAINER_OF(callback, struct tick, callback)->ticked);
}

struct clockwork {
	soon_core *core;
	struct tick *tick;
};

static void *post_tick(void *arg)
{
	struct clockwork *clockwork = arg;
	int rc = soon_post(clockwork->core, &clockwork->tick->callback);

	printf("post: accepted: %s\n", rc == 0 ? "yes" : "no");
	return NULL;
}

static int show_post(soon_core *core)
{
	soon_event ticked;
	struct tick tick_record = { .callback = { .fn = on_tick }, .ticked = &ticked };
	struct clockwork clockwork = { core, &tick_record };
	int rc;

	soon_event_init(&ticked);
	rc = beside(post_tick, &clockwork);
	if (rc == 0)
		rc = soon_event_wait(&ticked);
	printf("post: it ran\n");
	return rc;
}

static void *call_through(void *arg)
{
	soon_portal *portal = arg;
	int rc = soon_portal_call(portal, take, 1, SOON_NEVER);

	printf("portal: %d left\n", rc);
	return NULL;
}

static void *call_too_late(void *portal)
{
	int rc = soon_portal_call((soon_portal *)portal, take, 1, SOON_NEVER);

	printf("portal: closed, refuses: %s\n", rc == -ESHUTDOWN ? "yes" : "no");
	return NULL;
}

static int show_portal(soon_portal *portal)
{
	ssize_t rc;

	soon_portal_open(portal);
	rc = soon_portal_close(portal, beside(call_through, portal));
	return rc < 0 ? (int)rc : beside(call_too_late, portal);
}

struct named {
	soon_core *core;
	soon_token token;
};

static void *cancel_by_name(void *arg)
{
	struct named *named = arg;

	(void)!soon_cancel_from(named->core, named->token, "a thread said so");
	return NULL;
}

static int show_token(soon_core *core)
{
	struct named named = { .core = core };
	int rc;
	SOON_SCOPE(scope);

	rc = soon_scope_token(&scope, &named.token);
	if (rc == 0)
		rc = beside(cancel_by_name, &named);
	if (rc == 0)
		rc = soon_sleep_until(SOON_NEVER);
	printf("token: cancelled: %s\n", soon_cancel_reason().why);
	return (int)soon_scope_close(&scope, rc);
}

static int app(void *unused)
{
	static soon_portal portal;
	soon_core *core = soon_core_self();
	int rc;

	(void)unused;
	rc = show_post(core);
	if (rc == 0)
		rc = beside(call_in, core);
	if (rc == 0)
		rc = beside(call_in_two_steps, core);
	if (rc == 0)
		rc = show_portal(&portal);
	if (rc == 0)
		rc = show_token(core);
	return rc;
}

int main(void)
{
	return soon_run(app, NULL) < 0;
}
