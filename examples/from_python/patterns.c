// SPDX-License-Identifier: Apache-2.0
/*
 * patterns.c: what patterns.py does in asyncio. Both print the same; see
 * docs/coming-from-python.md.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int fetch(const char *name)
{
	int rc = soon_sleep(SOON_MS(1));

	return rc < 0 ? rc : (int)strlen(name);
}

static int gather(void)
{
	soon_work work[] = { SOON_WORK(fetch, "alpha"), SOON_WORK(fetch, "golf") };
	int rcs[2], rc = soon_all(work, 2, NULL, rcs);

	if (rc == 0)
		printf("gather: %d %d\n", rcs[0], rcs[1]);
	return rc;
}

static int timeout(void)
{
	int rc = (int)soon_within(SOON_MS(20), soon_sleep(SOON_S(3600)));

	if (rc == -ETIMEDOUT)
		printf("timeout: too slow\n");
	return rc == -ETIMEDOUT ? 0 : rc;
}

struct question {
	soon_ns delay;
	int answer;
};

static int ask(struct question *question)
{
	int rc = soon_sleep(question->delay);

	return rc < 0 ? rc : question->answer;
}

static int race(void)
{
	struct question slow = { SOON_S(3600), 1 }, quick = { SOON_MS(1), 2 };
	soon_work work[] = { SOON_WORK(ask, &slow), SOON_WORK(ask, &quick) };
	int rc = soon_all(work, 2, &(soon_all_opts){ .policy = SOON_FIRST_OK }, NULL);

	if (rc >= 0)
		printf("race: %d\n", rc);
	return rc < 0 ? rc : 0;
}

static int produce(soon_chan *queue)
{
	int rc = 0;

	for (int number = 1; rc == 0 && number <= 5; number++)
		rc = soon_chan_send(queue, &number);
	(void)soon_chan_close(queue); /* no sentinel: the consumer reads 0 at the end */
	return rc;
}

static int consume(soon_chan *queue)
{
	int number, rc, total = 0;

	while ((rc = soon_chan_recv(queue, &number)) > 0)
		total += number;
	if (rc == 0)
		printf("queue: %d\n", total);
	return rc;
}

static int producer_consumer(void)
{
	int places[2];
	soon_chan queue = SOON_CHAN_BUFFERED(int, places);
	int rc;
	SOON_GROUP(g);

	rc = soon_spawn(&g, produce, &queue);
	if (rc == 0)
		rc = soon_spawn(&g, consume, &queue);
	return (int)soon_group_close(&g, rc);
}

static int flaky(int *runs)
{
	int rc = soon_sleep(SOON_MS(1));

	if (rc < 0)
		return rc;
	if (++*runs < 3)
		return soon_fail(-EIO, "no signal");
	printf("supervised: well after %d runs\n", *runs);
	return 0;
}

static int supervised(void)
{
	int rc, runs = 0;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart_backoff = SOON_MS(1));

	rc = soon_spawn(&g, flaky, &runs);
	return (int)soon_group_close(&g, rc);
}

static soon_herd flights = SOON_HERD_INIT;
static int loads;

static int load(void *unused, const void *key, size_t key_bytes, void *ret_size)
{
	int rc = soon_sleep(SOON_MS(1));

	(void)unused;
	(void)key;
	loads++;
	*(size_t *)ret_size = key_bytes;
	return rc;
}

static int load_once(size_t *ret_size)
{
	return soon_herd_do(&flights, "page", 4, load, NULL, ret_size, sizeof *ret_size);
}

static int single_flight(void)
{
	size_t sizes[3] = { 0 };
	soon_work work[] = { SOON_WORK(load_once, &sizes[0]), SOON_WORK(load_once, &sizes[1]),
		SOON_WORK(load_once, &sizes[2]) };
	int rc = soon_all(work, 3, NULL, NULL);

	printf("single flight: %zu with %d load\n", sizes[0] + sizes[1] + sizes[2], loads);
	return rc;
}

SOON_GEN(numbers, int, int limit)
{
	int rc = 0;

	for (int number = 0; rc == 0 && number < limit; number++) {
		rc = soon_yield();
		if (rc == 0)
			rc = soon_emit(&number);
	}
	printf("generator: closed\n");
	return rc;
}

SOON_GEN(squares, int, int limit)
{
	int number, rc;
	SOON_ITER(source, numbers, limit);

	while ((rc = soon_next(source, &number)) > 0) {
		int square = number * number;

		if ((rc = soon_emit(&square)) < 0)
			return rc;
	}
	return rc;
}

static int pipeline(void)
{
	int square, rc;
	SOON_ITER(source, squares, 1000);

	while ((rc = soon_next(source, &square)) > 0 && square <= 50)
		;
	if (rc > 0)
		printf("generator: first above 50 is %d\n", square);
	return rc < 0 ? rc : 0;
}

static int serve(int *jobs)
{
	int rc = 0;

	while (rc == 0) {
		SOON_IDLE { /* between two jobs: the only place where a drain ends it */
			rc = soon_yield();
		}
		if (rc == 0)
			rc = soon_sleep(SOON_MS(1)); /* a job: not to be cut short */
		if (rc == 0)
			++*jobs;
	}
	return rc;
}

static int terminate(pid_t pid)
{
	int rc = soon_sleep(SOON_MS(10));

	return rc < 0 ? rc : kill(pid, SIGTERM);
}

static int shutdown_in_order(void)
{
	int rc, jobs = 0;
	SOON_GROUP(g);

	rc = soon_spawn(&g, serve, &jobs);
	if (rc == 0)
		rc = soon_spawn(&g, terminate, getpid());
	if (rc == 0 && (rc = soon_signal_wait(SIGTERM, SIGINT, 0)) > 0)
		soon_group_drain(&g, SOON_S(10));
	rc = (int)soon_group_close(&g, rc < 0 ? rc : 0);
	printf("shutdown: some jobs done: %s\n", jobs > 0 ? "True" : "False");
	if (rc == 0)
		printf("shutdown: orderly\n");
	return rc;
}

/* Runs on another thread. */
static int slow_square(int number)
{
	struct timespec pause = { .tv_nsec = 1000000 };

	return nanosleep(&pause, NULL) < 0 ? -EINTR : number * number;
}

static int blocking(void)
{
	int rc = soon_offload(slow_square, 12);

	if (rc >= 0)
		printf("blocking: %d\n", rc);
	return rc < 0 ? rc : 0;
}

struct stock {
	soon_mutex lock;
	soon_cond changed;
	int count;
};

static int wait_for_four(struct stock *stock)
{
	int rc = soon_mutex_lock(&stock->lock);

	if (rc < 0)
		return rc;
	SOON_MUTEX_OWN(&stock->lock);
	while (rc == 0 && stock->count < 4)
		rc = soon_cond_wait(&stock->changed, &stock->lock);
	if (rc == 0)
		printf("condition: %d\n", stock->count);
	return rc;
}

static int set_later(soon_event *event)
{
	int rc = soon_sleep(SOON_MS(1));

	return rc < 0 ? rc : soon_event_set(event);
}

static int events(void)
{
	soon_event ready = SOON_EVENT_INIT;
	struct stock stock = { .count = 0 };
	int rc;
	SOON_GROUP(g);

	rc = soon_spawn(&g, wait_for_four, &stock);
	if (rc == 0)
		rc = soon_spawn(&g, set_later, &ready);
	if (rc == 0)
		rc = soon_event_wait(&ready);
	for (int i = 0; rc == 0 && i < 4; i++) {
		stock.count++; /* nothing suspends here, so no lock is needed */
		(void)soon_cond_signal(&stock.changed);
	}
	return (int)soon_group_close(&g, rc);
}

static const soon_local request_id = { .name = "request_id" };

static int log_line(const char *text)
{
	return printf("locals: request %d %s\n", (int)(intptr_t)soon_local_get(&request_id), text) <
			0
		? -EIO
		: 0;
}

static int handle(intptr_t number)
{
	int rc = soon_local_set(&request_id, (void *)number);
	SOON_GROUP(g);

	if (rc == 0)
		rc = soon_spawn(&g, log_line, "in a task below");
	return (int)soon_group_close(&g, rc);
}

static int task_locals(void)
{
	int rc = soon_local_set(&request_id, (void *)(intptr_t)1);
	SOON_GROUP(g);

	if (rc == 0)
		rc = soon_spawn(&g, handle, 2);
	rc = (int)soon_group_close(&g, rc);
	return rc < 0 ? rc : log_line("unchanged above");
}

static soon_limiter limit = SOON_LIMITER_INIT(2);

static int knock(int *ret_most)
{
	SOON_LOAN(loan); /* given back on every way out */
	int rc = soon_limiter_acquire(&limit, &loan);

	if (rc == 0 && *ret_most < (int)soon_limiter_borrowed(&limit))
		*ret_most = (int)soon_limiter_borrowed(&limit);
	return rc < 0 ? rc : soon_sleep(SOON_MS(1));
}

static int limits(void)
{
	int rc = 0, most = 0;
	SOON_GROUP(g);

	for (int i = 0; rc == 0 && i < 6; i++)
		rc = soon_spawn(&g, knock, &most);
	rc = (int)soon_group_close(&g, rc);
	printf("limit: %d at a time\n", most);
	return rc;
}

static int app(void *unused)
{
	int (*const patterns[])(void) = { gather, timeout, race, producer_consumer, supervised,
		single_flight, pipeline, shutdown_in_order, blocking, events, task_locals, limits };
	int rc = 0;

	(void)unused;
	for (size_t i = 0; rc == 0 && i < sizeof patterns / sizeof patterns[0]; i++)
		rc = patterns[i]();
	return rc;
}

int main(void)
{
	return soon_run(app, NULL) < 0;
}
