// SPDX-License-Identifier: Apache-2.0
/*
 * Signals against opening, closing and the ends of runs: another thread sends a thousand, one at a
 * time, and waits until each has arrived: at a handle, or at the program's own handler while there
 * is none. None is lost, none comes twice.
 */
#include <soon/signal.h>
#include <soon/task.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <support/program.h>
#include <time.h>
#include <unistd.h>

#define SIGNALS 1000u

static atomic_uint by_handler, by_handle;
static atomic_bool is_over;

static void on_signal(int signo)
{
	(void)signo;
	atomic_fetch_add(&by_handler, 1);
}

/* Every other one to this very thread, which blocks nothing. */
static void *send_all(void *unused)
{
	const struct timespec moment = { .tv_nsec = 1 };

	(void)unused;
	for (unsigned i = 0; i < SIGNALS; i++) {
		CHECK_EQ(i % 2 ? raise(SIGUSR1) : kill(getpid(), SIGUSR1), 0);
		/* Gives way by a call that ThreadSanitizer knows: only in such it runs handlers. */
		while (atomic_load(&by_handler) + atomic_load(&by_handle) < i + 1)
			(void)nanosleep(&moment, NULL);
		CHECK_EQ(atomic_load(&by_handler) + atomic_load(&by_handle), i + 1);
	}
	atomic_store(&is_over, true);
	(void)kill(getpid(), SIGUSR2); /* the last reader may be waiting */
	return NULL;
}

/* Reads a few, closes, opens again, and leaves one open at times. */
static int read_some(unsigned round)
{
	for (unsigned i = 0; i < 4 && !atomic_load(&is_over); i++) {
		soon_signals *signals;
		int rc = soon_signals_open(SOON_SIG(SIGUSR1) | SOON_SIG(SIGUSR2), &signals);

		for (unsigned k = 0; rc >= 0 && k < i + round % 3 && !atomic_load(&is_over); k++) {
			rc = soon_signals_next(signals, NULL);
			if (rc == SIGUSR1)
				atomic_fetch_add(&by_handle, 1);
		}
		soon_signals_close(signals);
		if (rc < 0)
			return rc;
		rc = soon_yield();
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void ignore(int signo)
{
	(void)signo;
}

int main(void)
{
	struct sigaction count = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct sigaction nothing = { .sa_handler = ignore, .sa_flags = SA_RESTART };
	pthread_t thread;

	CHECK_EQ(sigaction(SIGUSR1, &count, NULL), 0);
	CHECK_EQ(sigaction(SIGUSR2, &nothing, NULL), 0);
	CHECK_EQ(pthread_create(&thread, NULL, send_all, NULL), 0);
	for (unsigned round = 0; !atomic_load(&is_over); round++)
		CHECK_EQ(soon_run(read_some, round), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(atomic_load(&by_handler) + atomic_load(&by_handle), SIGNALS);
	fprintf(stderr, "%u by the handler, %u by handles\n", atomic_load(&by_handler),
		atomic_load(&by_handle));
	return 0;
}
