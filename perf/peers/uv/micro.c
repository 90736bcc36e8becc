// SPDX-License-Identifier: Apache-2.0
/*
 * What micro_thread, micro_offload and micro_timer measure, in libuv: the same work, the same
 * counts, the same CPUs. uv_async_send() only wakes, and several calls may become one, so what is
 * posted goes through a list under a mutex, as libuv's users do it.
 *
 *	micro_uv post|trip|trip_rested|offload|offload_many|timer
 *
 * The pool has UV_THREADPOOL_SIZE threads, 4 by default.
 */
#include "../../micro/micro.h"

#include "../../common/clock.h"
#include "../../micro/random.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define WINDOW 16384u /* posts that are not executed yet */
#define POSTS  1000000u
#define TRIPS  2000u
#define FLYING 1000u /* jobs at a time */
#define JOBS   100000u
#define LIVE   100000u /* timers */
#define BUSY   1024u
#define ROUNDS 1000000u

struct message {
	struct message *next;
	uint64_t number;
	uv_sem_t *answer; /* NULL when nobody waits */
};

static uv_loop_t loop;
static uv_async_t bell;
static uv_mutex_t mutex;
static struct message *first; /* guarded by mutex, as is the next */
static struct message **end = &first;
static _Atomic(uint64_t) done;
static struct message messages[WINDOW];

static void post(struct message *message)
{
	message->next = NULL;
	uv_mutex_lock(&mutex);
	*end = message;
	end = &message->next;
	uv_mutex_unlock(&mutex);
	(void)uv_async_send(&bell);
}

static void execute(struct message *message)
{
	uint64_t number = atomic_load_explicit(&done, memory_order_relaxed);

	if (message->answer != NULL) {
		uv_sem_post(message->answer);
		return;
	}
	if (message->number != number)
		micro_die("a message was lost", -EPROTO);
	atomic_store_explicit(&done, number + 1, memory_order_release);
}

static void on_bell(uv_async_t *handle)
{
	struct message *taken;

	(void)handle;
	uv_mutex_lock(&mutex);
	taken = first;
	first = NULL;
	end = &first;
	uv_mutex_unlock(&mutex);
	while (taken != NULL) {
		struct message *next = taken->next;

		execute(taken);
		taken = next;
	}
}

static uint64_t await_done(uint64_t count)
{
	uint64_t number;

	while ((number = atomic_load_explicit(&done, memory_order_acquire)) < count)
		sched_yield();
	return number;
}

static int post_often(uint64_t count)
{
	uint64_t base = atomic_load_explicit(&done, memory_order_relaxed);
	uint64_t seen = base;

	for (uint64_t i = base; i < base + count; i++) {
		struct message *message = &messages[i % WINDOW];

		if (i - seen >= WINDOW)
			seen = await_done(i - WINDOW + 1);
		*message = (struct message){ .number = i };
		post(message);
	}
	(void)await_done(base + count);
	return 0;
}

static bool is_rested; /* a rest before each trip */

static int trip_often(uint64_t count)
{
	uv_sem_t answer;

	(void)uv_sem_init(&answer, 0);
	for (uint64_t i = 0; i < count; i++) {
		struct message message = { .answer = &answer };

		if (is_rested)
			micro_rest();
		post(&message);
		uv_sem_wait(&answer);
	}
	uv_sem_destroy(&answer);
	return 0;
}

/* Jobs on the pool; each is followed by the next when it has come back. */
struct job {
	uv_work_t work; /* first, so that a pointer to it is one to the job */
	uint64_t number;
	uint64_t given_back;
	uint64_t left;
};

static struct job jobs[FLYING];

static void work(uv_work_t *request)
{
	static _Thread_local bool is_pinned;
	struct job *job = (struct job *)request;

	if (!is_pinned)
		micro_pin(1);
	is_pinned = true;
	job->given_back = job->number;
}

static void after_work(uv_work_t *request, int status)
{
	struct job *job = (struct job *)request;

	if (status != 0 || job->given_back != job->number)
		micro_die("a job was lost", -EPROTO);
	job->number++;
	if (--job->left > 0)
		(void)uv_queue_work(&loop, request, work, after_work);
}

static int offload(uint64_t count, unsigned flying)
{
	for (unsigned i = 0; i < flying; i++) {
		jobs[i] = (struct job){ .number = 1, .left = count / flying };
		(void)uv_queue_work(&loop, &jobs[i].work, work, after_work);
	}
	return uv_run(&loop, UV_RUN_DEFAULT);
}

static int offload_often(uint64_t count)
{
	return offload(count, 1);
}

static int offload_many(uint64_t count)
{
	return offload(count, FLYING);
}

static uv_timer_t busy[BUSY];

static void on_timer(uv_timer_t *unused)
{
	(void)unused;
	micro_die("a timer fired", -EPROTO);
}

static int arm_and_cancel(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uv_timer_t *timer = &busy[i % BUSY];

		if (uv_timer_start(timer, on_timer, micro_timeout_ms(), 0) != 0)
			return -EPROTO;
		(void)uv_timer_stop(timer);
	}
	return 0;
}

static void run_timers(void)
{
	uv_timer_t *live = calloc(LIVE, sizeof(*live));
	double ns;

	if (live == NULL)
		micro_die("timers", -ENOMEM);
	for (size_t i = 0; i < BUSY; i++)
		(void)uv_timer_init(&loop, &busy[i]);
	for (size_t i = 0; i < LIVE; i++) {
		(void)uv_timer_init(&loop, &live[i]);
		(void)uv_timer_start(&live[i], on_timer, micro_timeout_ms(), 0);
	}
	if (micro_measure(arm_and_cancel, ROUNDS, CLOCK_PROCESS_CPUTIME_ID, &ns) < 0)
		micro_die("timer", -EPROTO);
	micro_print("timer_arm_cancel", ns, "ns");
	free(live);
}

static void print(int (*rounds)(uint64_t), uint64_t count, const char *name, bool is_ns)
{
	double ns;

	if (micro_measure(rounds, count, CLOCK_MONOTONIC, &ns) < 0)
		micro_die(name, -EPROTO);
	if (is_rested)
		ns -= MICRO_REST_US * 1000;
	micro_print(name, is_ns ? ns : ns / 1000, is_ns ? "ns" : "us");
}

static void on_walk(uv_handle_t *handle, void *unused)
{
	(void)unused;
	uv_close(handle, NULL);
}

static void on_stop(uv_async_t *handle)
{
	uv_walk(handle->loop, on_walk, NULL);
}

static uv_async_t stop;

static void beside_post(void *unused)
{
	(void)unused;
	micro_pin(1);
	print(post_often, POSTS, "post", true);
	(void)uv_async_send(&stop);
}

static void beside_trip(void *unused)
{
	(void)unused;
	micro_pin(1);
	print(trip_often, TRIPS, "trip", false);
	(void)uv_async_send(&stop);
}

static void run_beside(uv_thread_cb main)
{
	uv_thread_t thread;

	(void)uv_mutex_init(&mutex);
	(void)uv_async_init(&loop, &bell, on_bell);
	(void)uv_async_init(&loop, &stop, on_stop);
	if (uv_thread_create(&thread, main, NULL) != 0)
		micro_die("uv_thread_create", -EAGAIN);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)uv_thread_join(&thread);
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	is_rested = strcmp(what, "trip_rested") == 0;
	micro_pin(0);
	(void)uv_loop_init(&loop);
	if (strcmp(what, "post") == 0)
		run_beside(beside_post);
	else if (strcmp(what, "trip") == 0 || is_rested)
		run_beside(beside_trip);
	else if (strcmp(what, "offload") == 0)
		print(offload_often, TRIPS, "offload", false);
	else if (strcmp(what, "offload_many") == 0)
		print(offload_many, JOBS, "offload_many", true);
	else if (strcmp(what, "timer") == 0)
		run_timers();
	else
		micro_die("usage: micro_uv post|trip|trip_rested|offload|offload_many|timer",
			-EINVAL);
	return 0;
}
