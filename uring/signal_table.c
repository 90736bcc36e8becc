// SPDX-License-Identifier: Apache-2.0
#include "signal_table.h"

#include <soon/assert.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
	QUEUED_MAX = 16, /* real-time signals of one number that are sent again at a release */
	NAME_BYTES = 16,
};

struct slot {
	_Atomic(pid_t) thread;    /* to whom the handler passes it on; 0: nobody has it */
	_Atomic(unsigned) inside; /* threads that are about to */

	/* Behind the lock. */
	struct soon__signal_taker taker;
	struct sigaction before;
};

static struct slot slots[SOON__SIGNALS_MAX + 1]; /* by number */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Those that a thread cannot wait for: faults of its own, and what nobody may catch. */
static const uint64_t REFUSED = SOON_SIG(SIGKILL) | SOON_SIG(SIGSTOP) | SOON_SIG(SIGSEGV) |
	SOON_SIG(SIGBUS) | SOON_SIG(SIGFPE) | SOON_SIG(SIGILL) | SOON_SIG(SIGTRAP) |
	SOON_SIG(SIGSYS) | SOON_SIG(32) | SOON_SIG(33); /* the last two are the C library's */

static int lowest(uint64_t set)
{
	return __builtin_ctzll(set) + 1;
}

sigset_t soon__sigset(uint64_t set)
{
	sigset_t out;

	(void)sigemptyset(&out);
	for (; set; set &= set - 1)
		(void)sigaddset(&out, lowest(set));
	return out;
}

int soon__signals_check(uint64_t set)
{
	return set == 0 || (set & REFUSED) ? -EINVAL : 0;
}

/* ---- the handler ------------------------------------------------------------------------- */

/* As sent by a program, since only that may be sent again; who sent it and the value stay. */
static siginfo_t as_queued(const siginfo_t *info)
{
	siginfo_t queued = *info;

	queued.si_code = SI_QUEUE;
	return queued;
}

static void pass_on(int signo, siginfo_t *info, void *ucontext)
{
	int saved = errno;
	siginfo_t queued = as_queued(info);
	struct slot *slot = &slots[signo];
	pid_t thread;

	/* In one order with give_back(): it waits for us, or we see that it is given back. */
	(void)atomic_fetch_add_explicit(&slot->inside, 1, memory_order_seq_cst);
	thread = atomic_load_explicit(&slot->thread, memory_order_seq_cst);
	if (thread == gettid()) {
		/* Somebody unblocked it there: it stays blocked from here on. */
		ucontext_t *interrupted = ucontext;

		(void)sigaddset(&interrupted->uc_sigmask, signo);
	}
	if (thread)
		(void)syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, signo, &queued);
	else
		(void)kill(getpid(), signo); /* given back meanwhile: to whom it is now for */
	/* Release: pairs with wait_for_handlers(), it was sent. */
	(void)atomic_fetch_sub_explicit(&slot->inside, 1, memory_order_release);
	errno = saved;
}

/* ---- taking and giving back --------------------------------------------------------------- */

static const char *name_of(int signo, char buf[NAME_BYTES])
{
	const char *name = sigabbrev_np(signo);

	if (name)
		(void)snprintf(buf, NAME_BYTES, "SIG%s", name);
	else
		(void)snprintf(buf, NAME_BYTES, "signal %d", signo);
	return buf;
}

static SOON_COLD void report_taken(int signo, const struct soon__signal_taker *taker)
{
	const struct soon__signal_taker *other = &slots[signo].taker;
	char name[NAME_BYTES];

	soon_report_at(SOON_REPORT_ERROR, -EBUSY, taker->site,
		"%s in task '%s': %s is taken already, by %s in task '%s', %s:%d",
		taker->site ? "soon_signals_open" : "soon_signal_wait", taker->task,
		name_of(signo, name), other->site ? "soon_signals_open" : "soon_signal_wait",
		other->task, other->site ? other->site->file : "?",
		other->site ? other->site->line : 0);
}

/* The first of a set that somebody has; 0: none. */
static int first_taken(uint64_t set)
{
	for (; set; set &= set - 1) {
		if (atomic_load_explicit(&slots[lowest(set)].thread, memory_order_relaxed))
			return lowest(set);
	}
	return 0;
}

static void take(int signo, const struct soon__signal_taker *taker)
{
	struct slot *slot = &slots[signo];
	struct sigaction action;

	slot->taker = *taker;
	/* Release: pairs with pass_on(), which needs no more than this. */
	atomic_store_explicit(&slot->thread, gettid(), memory_order_release);
	memset(&action, 0, sizeof action);
	action.sa_sigaction = pass_on;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	(void)sigfillset(&action.sa_mask);
	(void)sigaction(signo, &action, &slot->before);
}

static uint64_t blocked_of(uint64_t set, const sigset_t *mask)
{
	uint64_t blocked = 0;

	for (; set; set &= set - 1) {
		if (sigismember(mask, lowest(set)) == 1)
			blocked |= SOON_SIG(lowest(set));
	}
	return blocked;
}

static void lock_table(void)
{
	(void)pthread_mutex_lock(&lock);
}

static void unlock_table(void)
{
	(void)pthread_mutex_unlock(&lock);
}

static void give_back(int signo)
{
	(void)sigaction(signo, &slots[signo].before, NULL);
	/* In one order with pass_on(), which then sends to whoever has it now. */
	atomic_store_explicit(&slots[signo].thread, 0, memory_order_seq_cst);
}

/*
 * What is being passed on arrives while this thread still looks for it. Handlers on other threads
 * only, as this one blocks the signal; they are short.
 */
static void wait_for_handlers(int signo)
{
	while (atomic_load_explicit(&slots[signo].inside, memory_order_seq_cst) > 0)
		(void)sched_yield();
}

/* The child of a fork has no core that could read them. */
static void after_fork(void)
{
	uint64_t taken = 0;

	for (int signo = 1; signo <= SOON__SIGNALS_MAX; signo++) {
		if (!atomic_load_explicit(&slots[signo].thread, memory_order_relaxed))
			continue;
		give_back(signo);
		atomic_store_explicit(&slots[signo].inside, 0, memory_order_relaxed);
		taken |= SOON_SIG(signo);
	}
	unlock_table();
	if (taken) {
		sigset_t set = soon__sigset(taken);

		(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	}
}

static void watch_forks(void)
{
	(void)pthread_atfork(lock_table, unlock_table, after_fork);
}

int soon__signals_claim(
	uint64_t set, const struct soon__signal_taker *taker, uint64_t *ret_unblocked)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	sigset_t wanted = soon__sigset(set), before;
	int taken;

	(void)pthread_once(&once, watch_forks);
	lock_table();
	taken = first_taken(set);
	if (!taken) {
		(void)pthread_sigmask(SIG_BLOCK, &wanted, &before);
		for (uint64_t left = set; left; left &= left - 1)
			take(lowest(left), taker);
		*ret_unblocked = set & ~blocked_of(set, &before);
	}
	unlock_table();
	if (taken)
		report_taken(taken, taker);
	return taken ? -EBUSY : 0;
}

/*
 * On a thread that goes on blocking it, what was passed on to this thread would be seen by nobody:
 * it goes to the process.
 */
static void send_again(int signo)
{
	const struct timespec no_time = { 0 };
	sigset_t one = soon__sigset(SOON_SIG(signo));
	union sigval values[QUEUED_MAX];
	unsigned count = 0;

	while (count < QUEUED_MAX) {
		siginfo_t info;

		if (sigtimedwait(&one, &info, &no_time) < 0)
			break;
		values[count++] = info.si_value;
	}
	for (unsigned i = 0; i < count; i++) {
		if (signo >= SIGRTMIN)
			(void)sigqueue(getpid(), signo, values[i]);
		else
			(void)kill(getpid(), signo);
	}
}

void soon__signals_release(uint64_t set, uint64_t unblocked)
{
	sigset_t unblock = soon__sigset(unblocked);

	lock_table();
	for (uint64_t left = set; left; left &= left - 1)
		give_back(lowest(left));
	unlock_table();
	for (uint64_t left = set; left; left &= left - 1)
		wait_for_handlers(lowest(left));
	for (uint64_t left = set & ~unblocked; left; left &= left - 1)
		send_again(lowest(left));
	/* What is pending is delivered in here. */
	(void)pthread_sigmask(SIG_UNBLOCK, &unblock, NULL);
}
