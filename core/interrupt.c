// SPDX-License-Identifier: Apache-2.0
#include "interrupt.h"

#include <soon/assert.h>

#include "core/spi/text.h"

#include "core.h"
#include "dump.h"
#include "log.h"
#include "stuck.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A run that SIGINT is for. */
struct place {
	_Atomic(soon_core *) core;  /* NULL: a free place */
	_Atomic(pid_t) thread;      /* the core's */
	_Atomic(bool) is_impatient; /* the next one ends the process */
	soon_callback callback;
};

static struct place places[SOON__INTERRUPT_RUNS_MAX];

/* Guards what follows, and the taking of places. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users; /* places taken */
static bool is_installed;

/* How long another thread gives the core's to write its dump. */
static const soon_ns LAST_WORDS = SOON_S(2);

static void cancel_main(soon_callback *callback)
{
	soon_core *core = soon__core;

	(void)callback;
	if (core->root.live_count == 0)
		return;
	soon__scope_mark(&core->root.scope, SOON__CANCELLED, SOON_CANCEL_SIGNAL, "SIGINT", NULL);
	soon__stuck_watch(&core->root);
}

static __attribute__((noreturn)) void leave(soon_core *core, const void *ucontext)
{
	static const char text[] = "soon: SIGINT again: the process ends with what it was doing:\n";
	struct soon__place place = soon__place_of_signal(ucontext);

	soon__log_last();
	/* Where the run is being closed there is nothing to show any more. */
	if (core->is_dumpable) {
		(void)soon__write_all(STDERR_FILENO, text, sizeof text - 1);
		(void)soon__dump(core, STDERR_FILENO, 0, &place);
	}
	_exit(SOON__INTERRUPT_EXIT);
}

/* The core's thread is to write the dump; if it does not, the process ends without. */
static void have_left(struct place *place)
{
	const struct timespec moment = { .tv_nsec = SOON_MS(10) };
	soon_ns waited = 0;

	(void)syscall(SYS_tgkill, getpid(),
		atomic_load_explicit(&place->thread, memory_order_relaxed), SIGINT);
	for (; waited < LAST_WORDS; waited += SOON_MS(10))
		(void)nanosleep(&moment, NULL);
	_exit(SOON__INTERRUPT_EXIT);
}

static void on_interrupt(int signo, siginfo_t *info, void *ucontext)
{
	int saved = errno;

	(void)signo, (void)info;
	for (unsigned i = 0; i < SOON__INTERRUPT_RUNS_MAX; i++) {
		struct place *place = &places[i];
		/* Acquire: pairs with the release of begin(), the rest of the place is set. */
		soon_core *core = atomic_load_explicit(&place->core, memory_order_acquire);

		if (!core)
			continue;
		if (!atomic_exchange_explicit(&place->is_impatient, true, memory_order_relaxed)) {
			/* One that is refused comes after main has ended: the next one counts. */
			(void)!soon_post(core, &place->callback);
		} else if (core == soon__core) {
			leave(core, ucontext);
		} else {
			have_left(place);
		}
	}
	errno = saved;
}

static bool is_default(void)
{
	struct sigaction now;

	return sigaction(SIGINT, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
		now.sa_handler == SIG_DFL;
}

static void install(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_sigaction = on_interrupt;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	(void)sigemptyset(&action.sa_mask);
	is_installed = sigaction(SIGINT, &action, NULL) == 0;
}

static void uninstall(void)
{
	struct sigaction now;

	is_installed = false;
	/* Unless the program has put its own in the place of ours meanwhile. */
	if (sigaction(SIGINT, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
		now.sa_sigaction == on_interrupt)
		(void)signal(SIGINT, SIG_DFL);
}

static struct place *place_of(const soon_core *core)
{
	for (unsigned i = 0; i < SOON__INTERRUPT_RUNS_MAX; i++)
		if (atomic_load_explicit(&places[i].core, memory_order_relaxed) == core)
			return &places[i];
	return NULL;
}

void soon__interrupt_begin(soon_core *core)
{
	struct place *place;

	if (core->opts.sigint == SOON_SIGINT_LEAVE)
		return;
	(void)pthread_mutex_lock(&lock);
	if (users == 0 && is_default())
		install();
	place = is_installed ? place_of(NULL) : NULL;
	if (place) {
		users++;
		place->callback.fn = cancel_main;
		atomic_store_explicit(&place->thread, gettid(), memory_order_relaxed);
		atomic_store_explicit(&place->is_impatient, false, memory_order_relaxed);
		/* Release: pairs with on_interrupt(). */
		atomic_store_explicit(&place->core, core, memory_order_release);
	}
	(void)pthread_mutex_unlock(&lock);
}

void soon__interrupt_main_ended(soon_core *core)
{
	struct place *place = place_of(core);

	if (place)
		atomic_store_explicit(&place->is_impatient, true, memory_order_relaxed);
}

void soon__interrupt_end(soon_core *core)
{
	struct place *place;

	(void)pthread_mutex_lock(&lock);
	place = place_of(core);
	if (place) {
		atomic_store_explicit(&place->core, NULL, memory_order_relaxed);
		SOON_ASSERT(users > 0);
		if (--users == 0)
			uninstall();
	}
	(void)pthread_mutex_unlock(&lock);
}

void soon__interrupt_forget(void)
{
	/* A thread that is not here any more may hold it. */
	lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	users = 0;
	if (is_installed)
		uninstall();
	for (unsigned i = 0; i < SOON__INTERRUPT_RUNS_MAX; i++)
		atomic_store_explicit(&places[i].core, NULL, memory_order_relaxed);
}
