// SPDX-License-Identifier: Apache-2.0
/*
 * Many threads, tasks and a signal handler log into a sink that now and then takes its time, while
 * levels change, others flush, and runs end. Each line comes whole, those of one producer in their
 * order, and lines and lost records add up to what was logged.
 */
#include <soon/group.h>
#include <soon/log.h>
#include <soon/task.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <support/program.h>

#define THREADS   4u
#define RECORDS   3000u
#define RUNS      6u
#define TASKS     4u
#define PRODUCERS (THREADS + 1) /* the last: all tasks and the handler */

static struct {
	uint64_t lines[PRODUCERS];
	uint64_t last[THREADS];
	uint64_t told; /* records that lines say were lost */
} seen;                /* the sink's, which is called by one thread at a time */

static _Atomic(uint64_t) logged;

/* The number behind `key` in a line. */
static uint64_t number_in(const char *line, const char *key)
{
	const char *at = strstr(line, key);
	unsigned long value = 0;

	CHECK(at != NULL);
	CHECK_EQ(sscanf(at + strlen(key), "%lu", &value), 1);
	return value;
}

static int take(const char *line, size_t len, soon_level level, void *data)
{
	char text[512];
	uint64_t producer, serial;

	(void)data;
	CHECK(len < sizeof text);
	CHECK(memchr(line, '\n', len) == line + len - 1);
	memcpy(text, line, len);
	text[len] = '\0';
	if (level == SOON_LOG_WARN) {
		seen.told += number_in(text, " count=");
		return 0;
	}
	producer = number_in(text, " producer=");
	serial = number_in(text, " serial=");
	CHECK(producer < PRODUCERS);
	if (producer < THREADS) {
		CHECK(serial > seen.last[producer]);
		seen.last[producer] = serial;
	}
	if (++seen.lines[producer] % 4096 == 0)
		(void)sched_yield();
	return 0;
}

static void say(uint64_t producer, uint64_t serial)
{
	atomic_fetch_add_explicit(&logged, 1, memory_order_relaxed);
	soon_log_error("said", SOON_F("producer", producer), SOON_F("serial", serial),
		SOON_F("text", "copied into the ring, and not looked at by the caller again"));
}

static void on_signal(int signo)
{
	say(THREADS, (uint64_t)signo);
}

static void *produce(void *arg)
{
	uint64_t self = (uintptr_t)arg;

	for (uint64_t i = 1; i <= RECORDS; i++) {
		say(self, i);
		soon_log_debug("mostly off", SOON_F("producer", THREADS), SOON_F("serial", i));
		if (i % 500 == 0)
			CHECK_EQ(raise(SIGUSR1), 0);
		if (i % 1000 == 0)
			CHECK_EQ(soon_log_flush(SOON_S(30)), 0);
		if (i % 700 == 0)
			CHECK_EQ(soon_log_level("other", (soon_level)(i % 5)), 0);
	}
	return NULL;
}

static int task(uint64_t number)
{
	for (uint64_t i = 1; i <= RECORDS / 10; i++) {
		int rc;

		say(THREADS, number);
		rc = i % 16 == 0 ? soon_yield() : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int tasks(void *unused)
{
	int rc = 0;
	SOON_GROUP(g);

	(void)unused;
	for (uint64_t i = 0; i < TASKS && rc == 0; i++)
		rc = soon_spawn(&g, task, i);
	return (int)soon_group_close(&g, rc);
}

int main(void)
{
	const soon_log_opts opts = { .sink = take, .ring_bytes = 16384 };
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t threads[THREADS];
	uint64_t lines = 0;

	CHECK_EQ(soon_log_open(&opts), 0);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, produce, (void *)i), 0);
	for (unsigned i = 0; i < RUNS; i++)
		CHECK_EQ(soon_run(tasks, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(soon_log_flush(SOON_S(30)), 0);
	/* The last losses are told with the next record. */
	say(THREADS, 0);
	CHECK_EQ(soon_log_flush(SOON_S(30)), 0);
	CHECK_EQ(soon_log_open(NULL), 0);
	for (unsigned i = 0; i < PRODUCERS; i++)
		lines += seen.lines[i];
	fprintf(stderr, "%ju records, %ju lines, %ju lost\n", (uintmax_t)atomic_load(&logged),
		(uintmax_t)lines, (uintmax_t)soon_log_lost());
	CHECK_EQ(lines + soon_log_lost(), atomic_load(&logged));
	CHECK_EQ(seen.told, soon_log_lost());
	return 0;
}
