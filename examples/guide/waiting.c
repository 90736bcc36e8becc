// SPDX-License-Identifier: Apache-2.0
/*
 * waiting.c: every object that tasks wait at, once each: locks, counters, events, channels,
 * futures, herds, handshakes, sequences. Their headers are the reference; this is how they look.
 */
#include <soon/soon.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *yes_no(bool is_true)
{
	return is_true ? "yes" : "no";
}

struct file {
	soon_mutex lock;
	soon_cond grown;
	int lines;
};

/* Two lines that belong together: nobody writes between them. */
static int append(struct file *file)
{
	int rc = soon_mutex_lock(&file->lock);

	if (rc < 0)
		return rc;
	SOON_MUTEX_OWN(&file->lock);
	SOON_ASSERT(soon_mutex_is_held(&file->lock));
	file->lines++;
	rc = soon_yield();
	file->lines++;
	(void)soon_cond_broadcast(&file->grown);
	return rc;
}

static int read_lines(struct file *file)
{
	int rc = soon_mutex_lock(&file->lock);

	if (rc < 0)
		return rc;
	SOON_MUTEX_OWN(&file->lock);
	while (rc == 0 && file->lines < 4)
		rc = soon_cond_wait(&file->grown, &file->lock);
	if (rc == 0)
		printf("mutex: %d lines, even: %s\n", file->lines, yes_no(file->lines % 2 == 0));
	return rc;
}

static int mutexes(void)
{
	struct file file = { .lines = 0 };
	int rc;
	SOON_GROUP(g);

	soon_mutex_init(&file.lock);
	soon_cond_init(&file.grown);
	rc = soon_spawn(&g, read_lines, &file);
	if (rc == 0)
		rc = soon_spawn(&g, append, &file);
	if (rc == 0)
		rc = soon_spawn(&g, append, &file);
	if (rc == 0)
		rc = soon_yield();
	if (rc == 0)
		printf("mutex: try while it is held: %s\n",
			strerrorname_np(-soon_mutex_try_lock(&file.lock)));
	return (int)soon_group_close(&g, rc);
}

struct table {
	soon_rwlock lock;
	int version, readers, readers_most;
};

static int look_up(struct table *table)
{
	int rc = soon_rwlock_lock_read(&table->lock);

	if (rc < 0)
		return rc;
	SOON_RWLOCK_OWN(&table->lock);
	SOON_ASSERT(soon_rwlock_is_reading(&table->lock));
	if (table->readers_most < ++table->readers)
		table->readers_most = table->readers;
	rc = soon_sleep(SOON_MS(1));
	table->readers--;
	return rc;
}

static int change(struct table *table)
{
	int rc = soon_rwlock_lock_write(&table->lock);

	if (rc < 0)
		return rc;
	SOON_ASSERT(soon_rwlock_is_writing(&table->lock) && table->readers == 0);
	table->version++;
	return soon_rwlock_unlock(&table->lock);
}

static int rwlocks(void)
{
	struct table table = { .version = 1 };
	int rc;
	SOON_GROUP(g);

	soon_rwlock_init(&table.lock);
	rc = soon_spawn(&g, look_up, &table);
	if (rc == 0)
		rc = soon_spawn(&g, look_up, &table);
	if (rc == 0)
		rc = soon_spawn(&g, change, &table);
	if (rc == 0)
		rc = soon_yield();
	if (rc == 0)
		printf("rwlock: while read: read %s, write %s\n",
			strerrorname_np(-soon_rwlock_try_read(&table.lock)),
			strerrorname_np(-soon_rwlock_try_write(&table.lock)));
	rc = (int)soon_group_close(&g, rc);
	printf("rwlock: %d readers at once, then version %d\n", table.readers_most, table.version);
	return rc;
}

static int take_two(soon_sem *sem)
{
	int rc = soon_sem_acquire(sem, 2);

	if (rc == 0)
		printf("sem: two permits at once, %u left\n", soon_sem_count(sem));
	return rc;
}

static int semaphores(void)
{
	soon_sem sem;
	int rc;
	SOON_GROUP(g);

	soon_sem_init(&sem, 1);
	rc = soon_spawn(&g, take_two, &sem);
	if (rc == 0)
		rc = soon_yield();
	if (rc == 0)
		printf("sem: try behind who waits: %s\n",
			strerrorname_np(-soon_sem_try_acquire(&sem, 1)));
	(void)soon_sem_release(&sem, 1);
	return (int)soon_group_close(&g, rc);
}

static int borrow(soon_limiter *limiter)
{
	SOON_LOAN(loan);
	int rc = soon_limiter_acquire(limiter, &loan);

	return rc < 0 ? rc : soon_sleep(SOON_MS(1));
}

static int limiters(void)
{
	static const int connection; /* a borrower that is no task */
	soon_limiter limiter;
	soon_loan own = SOON_LOAN_INIT, for_connection = SOON_LOAN_INIT;
	int rc;
	SOON_GROUP(g);

	soon_limiter_init(&limiter, 2);
	rc = soon_limiter_try_acquire(&limiter, &own);
	if (rc == 0)
		rc = soon_limiter_acquire_for(&limiter, &for_connection, &connection);
	if (rc == 0)
		rc = soon_spawn(&g, borrow, &limiter);
	if (rc == 0)
		rc = soon_yield();
	printf("limiter: %u of %u borrowed, %u waiting\n", soon_limiter_borrowed(&limiter),
		soon_limiter_tokens(&limiter), soon_limiter_waiting(&limiter));
	(void)soon_limiter_resize(&limiter, 3);
	printf("limiter: after the resize %u waiting\n", soon_limiter_waiting(&limiter));
	(void)soon_limiter_release(&limiter, &own);
	(void)soon_limiter_release(&limiter, &for_connection);
	if (rc == 0)
		rc = soon_limiter_try_acquire_for(&limiter, &for_connection, &connection);
	(void)soon_limiter_release(&limiter, &for_connection);
	return (int)soon_group_close(&g, rc);
}

struct race {
	soon_event start;
	soon_barrier lap;
	int last; /* how many tasks were told that they came last */
};

static int run_two_laps(struct race *race)
{
	int rc = soon_event_wait(&race->start);

	for (int i = 0; rc >= 0 && i < 2; i++) {
		rc = soon_barrier_wait(&race->lap);
		race->last += rc == 1;
	}
	return rc < 0 ? rc : 0;
}

static int events(void)
{
	struct race race = { .last = 0 };
	int rc;
	SOON_GROUP(g);

	soon_event_init(&race.start);
	soon_barrier_init(&race.lap, 2);
	rc = soon_spawn(&g, run_two_laps, &race);
	if (rc == 0)
		rc = soon_spawn(&g, run_two_laps, &race);
	(void)soon_event_set(&race.start);
	rc = (int)soon_group_close(&g, rc);
	printf("barrier: 2 tasks, 2 laps, %d times last, %u waiting\n", race.last,
		soon_barrier_waiting(&race.lap));
	(void)soon_barrier_abort(&race.lap);
	printf("barrier: aborted: %s\n", strerrorname_np(-soon_barrier_wait(&race.lap)));
	(void)soon_barrier_reset(&race.lap);
	printf("event: set %s", yes_no(soon_event_is_set(&race.start)));
	(void)soon_event_clear(&race.start);
	printf(", cleared %s\n", yes_no(!soon_event_is_set(&race.start)));
	return rc;
}

static int use(soon_gate *cache)
{
	int rc = soon_gate_enter(cache);

	if (rc < 0)
		return rc;
	SOON_GATE_OWN(cache);
	return soon_sleep(SOON_MS(1));
}

/* Taking something away that others use. */
static int gates(void)
{
	soon_gate cache;
	int rc;
	SOON_GROUP(g);

	soon_gate_init(&cache);
	rc = soon_spawn(&g, use, &cache);
	if (rc == 0)
		rc = soon_yield();
	printf("gate: %llu inside\n", (unsigned long long)soon_gate_count(&cache));
	if (rc == 0)
		rc = soon_gate_close(&cache);
	printf("gate: closed %s, a late one gets %s\n", yes_no(soon_gate_is_closed(&cache)),
		strerrorname_np(-soon_gate_enter(&cache)));
	soon_gate_fini(&cache);
	return (int)soon_group_close(&g, rc);
}

struct wires {
	soon_chan *numbers;
	soon_chan stop;
};

static int count(struct wires *wires)
{
	bool is_stopped = false;
	int number = 0, received = 0, rc = 0;

	while (rc >= 0 && !is_stopped) {
		soon_case cases[] = { SOON_RECV(wires->numbers, &number),
			SOON_RECV(&wires->stop, &is_stopped) };
		rc = soon_select(cases, 2);
		received += rc == 0;
	}
	printf("select: %d numbers, then a stop\n", received);
	return rc < 0 ? rc : 0;
}

static int channels(void)
{
	struct wires wires = { .stop = SOON_CHAN_INIT(bool) };
	bool stop = true;
	int rc, number;
	soon_case cases[1];
	SOON_GROUP(g);

	rc = soon_chan_open(sizeof(int), 2, &wires.numbers);
	for (number = 1; rc == 0; number++)
		rc = soon_chan_try_send(wires.numbers, &number);
	printf("chan: %zu of %zu buffered, the next: %s\n", soon_chan_len(wires.numbers),
		soon_chan_capacity(wires.numbers), strerrorname_np(-rc));
	cases[0] = SOON_SEND(wires.numbers, &number);
	printf("select: nothing ready: %s\n", strerrorname_np(-soon_try_select(cases, 1)));
	rc = soon_spawn(&g, count, &wires);
	while (rc == 0 && soon_chan_len(wires.numbers) > 0)
		rc = soon_yield();
	if (rc == 0)
		rc = soon_chan_send(&wires.stop, &stop);
	(void)soon_chan_close(wires.numbers);
	rc = (int)soon_group_close(&g, rc);
	printf("chan: closed %s, receive gives %d\n", yes_no(soon_chan_is_closed(wires.numbers)),
		soon_chan_try_recv(wires.numbers, &number));
	soon_chan_destroy(wires.numbers);
	soon_chan_fini(&wires.stop);
	return rc;
}

/* A thread that soon knows nothing of. */
static void *compute(void *future)
{
	(void)soon_future_set((soon_future *)future, 0, 6 * 7);
	return NULL;
}

static int futures(void)
{
	soon_future answer = { 0 };
	uint64_t value = 0;
	pthread_t thread;
	int rc;

	printf("future: not yet: %s\n", strerrorname_np(-soon_future_poll(&answer, &value)));
	rc = -pthread_create(&thread, NULL, compute, &answer);
	if (rc < 0)
		return rc;
	rc = (int)soon_within(SOON_S(30), soon_future_wait(&answer, &value));
	(void)pthread_join(thread, NULL);
	printf("future: %llu, set: %s\n", (unsigned long long)value,
		yes_no(soon_future_is_set(&answer)));
	soon_future_fini(&answer);
	return rc;
}

static int measure(void *herd, const void *key, size_t key_bytes, void *ret_value)
{
	(void)key;
	*(size_t *)ret_value = key_bytes;
	printf("herd: %zu flight\n", soon_herd_count((soon_herd *)herd));
	return soon_yield();
}

static int join_flight(soon_herd *herd)
{
	size_t bytes = 0;
	int rc = soon_herd_do(herd, "abc", 3, measure, herd, &bytes, sizeof bytes);

	return rc < 0 ? rc : (int)bytes;
}

static int herds(void)
{
	soon_herd herd;
	soon_work work[] = { SOON_WORK(join_flight, &herd), SOON_WORK(join_flight, &herd) };
	int rcs[2], rc;

	soon_herd_init(&herd);
	rc = soon_all(work, 2, NULL, rcs);
	printf("herd: %d and %d\n", rcs[0], rcs[1]);
	return rc;
}

static int reload(soon_handshake *handshake)
{
	int rc = 0, reloads = 0;

	while ((rc = soon_handshake_await(handshake)) == 0)
		printf("handshake: reload %d\n", ++reloads);
	return rc;
}

static int handshakes(void)
{
	soon_handshake handshake;
	int rc;
	SOON_GROUP(g);

	soon_handshake_init(&handshake);
	rc = soon_spawn(&g, reload, &handshake);
	if (rc == 0)
		rc = soon_handshake_signal(&handshake);
	printf("handshake: dealt with\n");
	(void)soon_handshake_signal_nowait(&handshake);
	printf("handshake: another one waits: %s\n", yes_no(soon_handshake_is_set(&handshake)));
	if (rc == 0)
		rc = soon_yield();
	soon_group_cancel(&g, "no more reloads");
	return (int)soon_group_close(&g, rc);
}

static soon_seq order = SOON_SEQ_INIT;

static int section(uint64_t number)
{
	int rc = soon_seq_enter(&order, number);

	if (rc < 0)
		return rc;
	printf("seq: section %llu in %s\n", (unsigned long long)number,
		soon_task_name(soon_self()));
	return soon_seq_leave(&order);
}

static int sequences(void)
{
	int rc = 0;
	SOON_GROUP(g);

	soon_seq_init(&order);
	for (int number = 2; rc == 0 && number >= 0; number--)
		rc = soon_spawn(&g, section, number);
	rc = (int)soon_group_close(&g, rc);
	printf("seq: broken: %s\n", yes_no(soon_seq_is_broken(&order)));
	return rc;
}

static void *copy_text(const void *text)
{
	return strdup(text);
}

static const soon_local user = { .name = "user", .dup = copy_text, .drop = free };

static int greet(void *unused)
{
	(void)unused;
	printf("local: hello %s\n", (const char *)soon_local_get(&user));
	return soon_local_set(&user, NULL);
}

static int locals(void)
{
	char *name = strdup("anna");
	int rc = name ? soon_local_set(&user, name) : -ENOMEM;
	SOON_GROUP(g);

	if (rc < 0)
		free(name);
	else
		rc = soon_spawn(&g, greet, NULL);
	rc = (int)soon_group_close(&g, rc);
	printf("local: still %s here\n", (const char *)soon_local_get(&user));
	return rc;
}

/* In two parts, as a header and its source would have them. */
SOON_GEN_DECLARE(countdown, int, int from);
SOON_GEN_DEFINE(countdown, int, int from)
{
	int rc = 0;

	for (int i = from; rc == 0 && i > 0; i--)
		rc = soon_emit(&i);
	return rc;
}

static int generators(void)
{
	countdown_iter it;
	int number = 0, rc = soon_gen_open(it, countdown, 3);

	if (rc < 0)
		return rc;
	rc = soon_next(it, &number);
	printf("generator: %d, then closed: %d\n", number, soon_gen_close(it));
	return rc < 0 ? rc : 0;
}

static int app(void *unused)
{
	int (*const shows[])(void) = { mutexes, rwlocks, semaphores, limiters, events, gates,
		channels, futures, herds, handshakes, sequences, locals, generators };
	int rc = 0;

	(void)unused;
	for (size_t i = 0; rc == 0 && i < sizeof shows / sizeof shows[0]; i++)
		rc = shows[i]();
	return rc;
}

int main(void)
{
	return soon_run(app, NULL) < 0;
}
