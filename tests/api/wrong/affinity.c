// SPDX-License-Identifier: Apache-2.0
/*
 * What clang finds with SOON_CHECK_AFFINITY: calls from where they are not allowed. Each wrong
 * function has a right twin, which is compiled always.
 */
#include <soon/soon.h>

struct job {
	soon_callback done;
	soon_event ready;
	int fd;
	char byte;
};

/* Helpers of tasks say that they suspend. */

#ifdef HELPER_WITHOUT_MARKER /* warns: 'soon_sleep' requires holding role */
static int pause_briefly(struct job *job)
{
	(void)job;
	return soon_sleep(SOON_MS(1));
}
#else
static SOON_SUSPENDS int pause_briefly(struct job *job)
{
	(void)job;
	return soon_sleep(SOON_MS(1));
}
#endif

/* A task: what it may do. */
static SOON_SUSPENDS int serve(struct job *job)
{
	ssize_t n = soon_within(SOON_S(1), soon_read(job->fd, &job->byte, 1));

	SOON_IDLE {
		if (n >= 0)
			n = soon_event_wait(&job->ready);
	}
	return n < 0 ? (int)n : pause_briefly(job);
}

/* Functions that run on threads. */

static int blocking(struct job *job)
{
#ifdef THREAD_SUSPENDS /* warns: 'soon_read' requires holding role */
	return (int)soon_read(job->fd, &job->byte, 1);
#else
	return job->byte;
#endif
}

static void *thread_main(void *arg)
{
	struct job *job = arg;

#ifdef THREAD_SPAWNS /* warns: 'soon__background' requires holding role 'soon__role_core' */
	(void)!soon_background(serve, job);
#endif
#ifdef THREAD_READS_CLOCK /* warns: 'soon_now' requires holding role 'soon__role_core' */
	job->byte = (char)soon_now();
#endif
	(void)!soon_post(NULL, &job->done);
	return NULL;
}

/* Callbacks run on the core, outside tasks. */

static SOON_ON_CORE void posted(soon_callback *callback)
{
	struct job *job = (struct job *)callback;

#ifdef CALLBACK_SUSPENDS /* warns: 'soon_yield' requires holding role 'soon__role_task' */
	(void)!soon_yield();
#endif
#ifdef CALLBACK_CALLS_HELPER /* warns: 'pause_briefly' requires holding role 'soon__role_task' */
	(void)pause_briefly(job);
#endif
	(void)!soon_background(serve, job);
}

/* What a type leaves no room for a marker in, asserts; at run time, too. */

static int compare(const void *a, const void *b)
{
#ifndef COMPARES_WITHOUT_ASSERTING /* warns: 'soon_checkpoint' requires holding role */
	SOON_ASSERT_TASK();
#endif
	(void)!soon_checkpoint();
	return *(const int *)a - *(const int *)b;
}

static void posted_by_another(soon_callback *callback)
{
#ifndef POSTED_WITHOUT_ASSERTING /* warns: 'posted' requires holding role 'soon__role_core' */
	SOON_ASSERT_CORE();
#endif
	posted(callback);
}

/* Offloading. */

static SOON_SUSPENDS int offload(struct job *job)
{
#ifdef OFFLOADS_WHAT_SUSPENDS /* warns: 'pause_briefly' requires holding role */
	int rc = soon_offload(pause_briefly, job);
#else
	int rc = 0;
#endif

	if (rc == 0)
		rc = soon_offload(blocking, job);
	return rc < 0 ? rc : pause_briefly(job);
}

/* Generators. */

SOON_GEN(bytes, char, struct job *job)
{
	ssize_t n;
	int rc;

	while ((n = soon_read(job->fd, &job->byte, 1)) > 0) {
		rc = soon_emit(&job->byte);
		if (rc < 0)
			return rc;
	}
	return (int)n;
}

static int consume_on_thread(bytes_iter *it)
{
#ifdef THREAD_ADVANCES /* warns: 'soon__iter_next' requires holding role */
	return soon_next(*it, NULL);
#else
	(void)it;
	return 0;
#endif
}

static SOON_SUSPENDS int consume(struct job *job)
{
	char c;
	int rc;
	SOON_ITER(it, bytes, job);

	rc = soon_next(it, &c);
	return rc < 0 ? rc : soon_offload(consume_on_thread, &it);
}

/* Groups. */

int app(struct job *job) SOON_SUSPENDS;
int app(struct job *job)
{
	int rc;
	SOON_GROUP(g);

	job->done.fn = posted;
	rc = soon_spawn(&g, serve, job);
	if (rc == 0)
		rc = soon_spawn(&g, offload, job);
	if (rc == 0)
		rc = soon_spawn(&g, consume, job);
	rc = (int)soon_group_close(&g, rc);
	return rc < 0 ? rc : compare(&rc, &rc);
}

int main(void)
{
	struct job job = { .done = { .fn = posted_by_another } };

#ifdef MAIN_CALLS_THE_TASK /* warns: 'app' requires holding role */
	(void)app(&job);
#endif
	(void)thread_main(&job);
	return soon_run(app, &job) < 0;
}
