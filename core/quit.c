// SPDX-License-Identifier: Apache-2.0
#include "quit.h"

#include <soon/assert.h>

#include "core.h"
#include "dump.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	FREE = 0,
	LEAVING = -1, /* nobody passes anything to it any more */
};

/* A thread with a core. */
struct place {
	_Atomic(pid_t) thread;  /* or FREE, or LEAVING */
	_Atomic(bool) is_asked; /* the signal was passed to it, and it has not taken it yet */
};

/* In the order of their dumps. */
static struct place places[SOON__QUIT_CORES_MAX];

/* Handlers between the look at a place and what they pass to its thread. */
static _Atomic(unsigned) passing;

/* Guards what follows, and the changes of the above. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users; /* cores whose runs want the signal */
static bool is_installed;

/* Nobody's core is left: the signal ends the process once the handler has returned. */
static void die_as_usual(void)
{
	(void)signal(SIGQUIT, SIG_DFL);
	(void)syscall(SYS_tgkill, getpid(), gettid(), SIGQUIT);
}

static void dump_own(const void *ucontext)
{
	struct soon__place place = soon__place_of_signal(ucontext);

	/* A dump that it interrupted goes on instead; stderr that fails leaves nobody to tell. */
	if (soon__core)
		(void)soon__dump(soon__core, STDERR_FILENO, 0, &place);
}

/* Passes the signal to the thread in a place, with the place's address; false: it has left. */
static bool pass_to(struct place *place)
{
	siginfo_t info;
	bool is_passed = false;
	pid_t thread;

	memset(&info, 0, sizeof info);
	info.si_signo = SIGQUIT;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = place;
	/* In the order of all: who leaves says so, then reads this; see wait_for_passing(). */
	(void)atomic_fetch_add_explicit(&passing, 1, memory_order_seq_cst);
	thread = atomic_load_explicit(&place->thread, memory_order_seq_cst);
	if (thread > 0) {
		atomic_store_explicit(&place->is_asked, true, memory_order_relaxed);
		is_passed = syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, SIGQUIT, &info) == 0;
	}
	/* Release: pairs with wait_for_passing(), for `is_asked`. */
	(void)atomic_fetch_sub_explicit(&passing, 1, memory_order_release);
	return is_passed;
}

/* The place that another thread of ours passed the signal to; NULL: it came from outside. */
static struct place *place_in(const siginfo_t *info)
{
	uintptr_t at = (uintptr_t)info->si_value.sival_ptr, first = (uintptr_t)&places[0];

	if (info->si_code != SI_QUEUE || info->si_pid != getpid() || at < first ||
		at >= first + sizeof places)
		return NULL;
	return &places[(at - first) / sizeof places[0]];
}

/* Has the threads from that place on write their dumps; how many there may be. */
static unsigned go_on(struct place *place, const void *ucontext)
{
	unsigned found = 0;

	for (; place < &places[SOON__QUIT_CORES_MAX]; place++) {
		pid_t thread = atomic_load_explicit(&place->thread, memory_order_relaxed);

		if (thread <= 0)
			continue;
		found++;
		if (thread == gettid())
			dump_own(ucontext);
		else if (pass_to(place))
			break; /* that one goes on from here */
	}
	return found;
}

static void on_quit(int signo, siginfo_t *info, void *ucontext)
{
	struct place *passed = place_in(info);
	int saved = errno;

	(void)signo;
	if (passed)
		atomic_store_explicit(&passed->is_asked, false, memory_order_relaxed);
	if (go_on(passed ? passed : places, ucontext) == 0 && !passed)
		die_as_usual();
	errno = saved;
}

static bool is_default(void)
{
	struct sigaction now;

	return sigaction(SIGQUIT, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
		now.sa_handler == SIG_DFL;
}

static void install(void)
{
	struct sigaction action;

	if (!is_default())
		return;
	memset(&action, 0, sizeof action);
	action.sa_sigaction = on_quit;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	(void)sigemptyset(&action.sa_mask);
	is_installed = sigaction(SIGQUIT, &action, NULL) == 0;
}

static void uninstall(void)
{
	struct sigaction now;

	is_installed = false;
	/* Unless the program has put its own in the place of ours meanwhile. */
	if (sigaction(SIGQUIT, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
		now.sa_sigaction == on_quit)
		(void)signal(SIGQUIT, SIG_DFL);
}

static struct place *place_of(pid_t thread)
{
	for (unsigned at = 0; at < SOON__QUIT_CORES_MAX; at++)
		if (atomic_load_explicit(&places[at].thread, memory_order_relaxed) == thread)
			return &places[at];
	return NULL;
}

void soon__quit_register(soon_core *core)
{
	struct place *place;

	core->is_dumpable = true;
	if (core->opts.no_dump_signal)
		return;
	(void)pthread_mutex_lock(&lock);
	place = place_of(FREE);
	if (place)
		atomic_store_explicit(&place->thread, gettid(), memory_order_relaxed);
	if (users++ == 0)
		install();
	(void)pthread_mutex_unlock(&lock);
}

/* Until nobody is about to pass on what was meant for a thread that has left its place. */
static void wait_for_passing(void)
{
	static const struct timespec moment = { .tv_nsec = 50000 };

	/* In the order of all, after the place was left: pairs with pass_to(). */
	while (atomic_load_explicit(&passing, memory_order_seq_cst) > 0)
		(void)nanosleep(&moment, NULL);
}

/*
 * A signal that was passed to this thread and that it blocks would come when it does not block it
 * any more: maybe after the handler has gone, and then it would end the process.
 */
static void take_passed(struct place *place)
{
	static const struct timespec now = { 0 };
	siginfo_t info;
	sigset_t set;

	if (!atomic_load_explicit(&place->is_asked, memory_order_relaxed))
		return;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGQUIT);
	/* One that is not blocked comes with this call at the latest, if it is not taken by it. */
	if (sigtimedwait(&set, &info, &now) != SIGQUIT)
		return;
	if (place_in(&info))
		(void)go_on(place, NULL); /* others wait for it */
	else
		(void)syscall(SYS_tgkill, getpid(), gettid(), SIGQUIT); /* somebody else's */
}

static void leave(struct place *place)
{
	atomic_store_explicit(&place->thread, LEAVING, memory_order_seq_cst);
	wait_for_passing();
	take_passed(place);
	atomic_store_explicit(&place->is_asked, false, memory_order_relaxed);
}

void soon__quit_unregister(soon_core *core)
{
	struct place *place;

	core->is_dumpable = false;
	if (core->opts.no_dump_signal)
		return;
	/* Only this thread changes its place. */
	place = place_of(gettid());
	if (place)
		leave(place);
	(void)pthread_mutex_lock(&lock);
	if (place)
		atomic_store_explicit(&place->thread, FREE, memory_order_relaxed);
	SOON_ASSERT(users > 0);
	if (--users == 0 && is_installed)
		uninstall();
	(void)pthread_mutex_unlock(&lock);
}

void soon__quit_forget(void)
{
	/* A thread that is not here any more may hold it. */
	lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	users = 0;
	atomic_store_explicit(&passing, 0, memory_order_relaxed);
	for (unsigned at = 0; at < SOON__QUIT_CORES_MAX; at++) {
		atomic_store_explicit(&places[at].thread, FREE, memory_order_relaxed);
		atomic_store_explicit(&places[at].is_asked, false, memory_order_relaxed);
	}
}
