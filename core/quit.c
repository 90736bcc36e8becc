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
#include <unistd.h>

/* The threads with cores, in the order of their dumps; 0: a free place. */
static _Atomic(pid_t) threads[SOON__QUIT_CORES_MAX];

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

/* Passes the signal to the thread in a place, with the place's number. */
static bool pass_to(unsigned at, pid_t thread)
{
	siginfo_t info;

	memset(&info, 0, sizeof info);
	info.si_signo = SIGQUIT;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = (void *)(uintptr_t)&threads[at];
	return syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, SIGQUIT, &info) == 0;
}

/* The place that another thread of ours passed the signal to; -1: it came from outside. */
static int place_in(const siginfo_t *info)
{
	uintptr_t at = (uintptr_t)info->si_value.sival_ptr, first = (uintptr_t)&threads[0];

	if (info->si_code != SI_QUEUE || info->si_pid != getpid() || at < first ||
		at >= first + sizeof threads)
		return -1;
	return (int)((at - first) / sizeof threads[0]);
}

static void on_quit(int signo, siginfo_t *info, void *ucontext)
{
	int saved = errno, passed = place_in(info);
	unsigned found = 0;

	(void)signo;
	for (unsigned at = passed < 0 ? 0 : (unsigned)passed; at < SOON__QUIT_CORES_MAX; at++) {
		pid_t thread = atomic_load_explicit(&threads[at], memory_order_relaxed);

		if (thread == 0)
			continue;
		found++;
		if (thread == gettid())
			dump_own(ucontext);
		else if (pass_to(at, thread))
			break; /* that one goes on from here */
	}
	if (found == 0 && passed < 0)
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

static _Atomic(pid_t) *place_of(pid_t thread)
{
	for (unsigned at = 0; at < SOON__QUIT_CORES_MAX; at++)
		if (atomic_load_explicit(&threads[at], memory_order_relaxed) == thread)
			return &threads[at];
	return NULL;
}

void soon__quit_register(soon_core *core)
{
	_Atomic(pid_t) *place;

	core->is_dumpable = true;
	if (core->opts.no_dump_signal)
		return;
	(void)pthread_mutex_lock(&lock);
	place = place_of(0);
	if (place)
		atomic_store_explicit(place, gettid(), memory_order_relaxed);
	if (users++ == 0)
		install();
	(void)pthread_mutex_unlock(&lock);
}

void soon__quit_unregister(soon_core *core)
{
	_Atomic(pid_t) *place;

	core->is_dumpable = false;
	if (core->opts.no_dump_signal)
		return;
	(void)pthread_mutex_lock(&lock);
	SOON_ASSERT(users > 0);
	if (--users == 0 && is_installed)
		uninstall();
	place = place_of(gettid());
	if (place)
		atomic_store_explicit(place, 0, memory_order_relaxed);
	(void)pthread_mutex_unlock(&lock);
}

void soon__quit_forget(void)
{
	/* A thread that is not here any more may hold it. */
	lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	users = 0;
	for (unsigned at = 0; at < SOON__QUIT_CORES_MAX; at++)
		atomic_store_explicit(&threads[at], 0, memory_order_relaxed);
}
