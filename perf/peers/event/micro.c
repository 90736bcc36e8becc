// SPDX-License-Identifier: Apache-2.0
/*
 * What micro_thread and micro_timer measure, in libevent: the same work, the same counts, the same
 * CPUs. event_active() is its way into a loop from a thread; several calls may become one, so what
 * is posted goes through a list under a mutex.
 *
 *	micro_event post|trip|trip_rested|timer
 */
#include "../../micro/micro.h"

#include "../../common/clock.h"
#include "../../micro/random.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 16384u /* posts that are not executed yet */
#define POSTS  1000000u
#define TRIPS  2000u
#define LIVE   100000u
#define BUSY   1024u
#define ROUNDS 1000000u

struct message {
	struct message *next;
	uint64_t number;
	sem_t *answer; /* NULL when nobody waits */
};

static struct event_base *base;
static struct event *bell;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct message *first; /* guarded by mutex, as is the next */
static struct message **end = &first;
static _Atomic(uint64_t) done;
static struct message messages[WINDOW];

static void post(struct message *message)
{
	bool is_first;

	message->next = NULL;
	(void)pthread_mutex_lock(&mutex);
	is_first = first == NULL;
	*end = message;
	end = &message->next;
	(void)pthread_mutex_unlock(&mutex);
	if (is_first)
		event_active(bell, EV_READ, 0);
}

static void execute(struct message *message)
{
	uint64_t number = atomic_load_explicit(&done, memory_order_relaxed);

	if (message->answer != NULL) {
		(void)sem_post(message->answer);
		return;
	}
	if (message->number != number)
		micro_die("a message was lost", -EPROTO);
	atomic_store_explicit(&done, number + 1, memory_order_release);
}

static void on_bell(evutil_socket_t fd, short what, void *unused)
{
	struct message *taken;

	(void)fd;
	(void)what;
	(void)unused;
	(void)pthread_mutex_lock(&mutex);
	taken = first;
	first = NULL;
	end = &first;
	(void)pthread_mutex_unlock(&mutex);
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
	uint64_t start = atomic_load_explicit(&done, memory_order_relaxed);
	uint64_t seen = start;

	for (uint64_t i = start; i < start + count; i++) {
		struct message *message = &messages[i % WINDOW];

		if (i - seen >= WINDOW)
			seen = await_done(i - WINDOW + 1);
		*message = (struct message){ .number = i };
		post(message);
	}
	(void)await_done(start + count);
	return 0;
}

static bool is_rested; /* a rest before each trip */

static int trip_often(uint64_t count)
{
	sem_t answer;

	(void)sem_init(&answer, 0, 0);
	for (uint64_t i = 0; i < count; i++) {
		struct message message = { .answer = &answer };

		if (is_rested)
			micro_rest();
		post(&message);
		while (sem_wait(&answer) != 0)
			continue;
	}
	(void)sem_destroy(&answer);
	return 0;
}

static struct event busy[BUSY];

static void on_timer(evutil_socket_t fd, short what, void *unused)
{
	(void)fd;
	(void)what;
	(void)unused;
	micro_die("a timer fired", -EPROTO);
}

static struct timeval next_timeout(void)
{
	uint64_t us = micro_timeout_ms() * 1000;

	return (struct timeval){ (time_t)(us / 1000000), (suseconds_t)(us % 1000000) };
}

static int arm_and_cancel(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct event *timer = &busy[i % BUSY];
		struct timeval timeout = next_timeout();

		if (evtimer_add(timer, &timeout) != 0 || evtimer_del(timer) != 0)
			return -EPROTO;
	}
	return 0;
}

/* In a callback, where libevent knows the time without asking for it. */
static void on_timers(evutil_socket_t fd, short what, void *unused)
{
	struct event *live = calloc(LIVE, sizeof(*live));
	double ns;

	(void)fd;
	(void)what;
	(void)unused;
	if (live == NULL)
		micro_die("timers", -ENOMEM);
	for (size_t i = 0; i < BUSY; i++)
		(void)evtimer_assign(&busy[i], base, on_timer, NULL);
	for (size_t i = 0; i < LIVE; i++) {
		struct timeval timeout = next_timeout();

		(void)evtimer_assign(&live[i], base, on_timer, NULL);
		(void)evtimer_add(&live[i], &timeout);
	}
	if (micro_measure(arm_and_cancel, ROUNDS, CLOCK_PROCESS_CPUTIME_ID, &ns) < 0)
		micro_die("timer", -EPROTO);
	micro_print("timer_arm_cancel", ns, "ns");
	for (size_t i = 0; i < LIVE; i++)
		(void)evtimer_del(&live[i]);
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

static void *beside(void *what)
{
	micro_pin(1);
	if (strcmp(what, "post") == 0)
		print(post_often, POSTS, "post", true);
	else
		print(trip_often, TRIPS, "trip", false);
	(void)event_base_loopbreak(base);
	return NULL;
}

static void run_beside(char *what)
{
	pthread_t thread;

	bell = event_new(base, -1, EV_PERSIST, on_bell, NULL);
	if (bell == NULL || pthread_create(&thread, NULL, beside, what) != 0)
		micro_die("pthread_create", -EAGAIN);
	(void)event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
	(void)pthread_join(thread, NULL);
	event_free(bell);
}

int main(int argc, char **argv)
{
	char *what = argc == 2 ? argv[1] : argv[0];

	is_rested = strcmp(what, "trip_rested") == 0;
	micro_pin(0);
	if (evthread_use_pthreads() != 0 || (base = event_base_new()) == NULL)
		micro_die("libevent", -ENOMEM);
	if (strcmp(what, "timer") == 0)
		(void)(event_base_once(base, -1, EV_TIMEOUT, on_timers, NULL, NULL) == 0 &&
			event_base_dispatch(base));
	else if (strcmp(what, "post") == 0 || strcmp(what, "trip") == 0 || is_rested)
		run_beside(what);
	else
		micro_die("usage: micro_event post|trip|trip_rested|timer", -EINVAL);
	event_base_free(base);
	return 0;
}
