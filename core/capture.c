// SPDX-License-Identifier: Apache-2.0
#include "capture.h"

#include "core.h"
#include "symbol.h"
#include "unwind.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unwind.h> // NOLINT(readability-duplicate-include): the compiler's

enum {
	WAITS_MAX = 1000, /* of WAIT_NS each */
	WAIT_NS = 100000,
};

enum state {
	FREE,   /* nobody asks */
	ASKED,  /* the fields are the handler's */
	TAKING, /* the handler is at it */
	TAKEN,  /* the fields are the asker's again */
};

/* The one question of the process. The lock orders those who ask; the handler takes none. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(int) state;
static pthread_t asked;
static struct soon__capture answer;

static pthread_mutex_t symbols_lock = PTHREAD_MUTEX_INITIALIZER;
static struct soon__symbols symbols;

struct walk {
	struct soon__capture *capture;
	uintptr_t from;  /* frames before this one are left out */
	bool is_reached; /* it was there */
};

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *data)
{
	struct walk *walk = data;
	uintptr_t pc = _Unwind_GetIP(context);

	if (!walk->is_reached)
		walk->is_reached = pc == walk->from;
	if (pc == 0 || walk->capture->count == SOON__CAPTURE_FRAMES)
		return _URC_NORMAL_STOP;
	if (walk->is_reached)
		walk->capture->pcs[walk->capture->count++] = pc;
	return _URC_NO_REASON;
}

static SOON__SAN_NONE void unwind_from(struct soon__capture *capture, uintptr_t from)
{
	struct walk walk = { .capture = capture, .from = from };

	(void)_Unwind_Backtrace(take_frame, &walk);
}

static void note_task(struct soon__capture *capture)
{
	const soon_core *core = soon__core;
	const soon_task *task = core ? core->sched.current : NULL;
	size_t len;

	if (core)
		capture->switch_count = soon__sched_switches(&core->sched);
	if (!task)
		return;
	capture->task_id = task->id;
	capture->task_site = task->site;
	len = strnlen(task->name, sizeof capture->task_name - 1);
	memcpy(capture->task_name, task->name, len);
	capture->task_name[len] = '\0';
}

void soon__capture_own(struct soon__capture *ret_capture, const void *from)
{
	memset(ret_capture, 0, sizeof *ret_capture);
	note_task(ret_capture);
	unwind_from(ret_capture, (uintptr_t)from);
	if (ret_capture->count == 0)
		ret_capture->pcs[ret_capture->count++] = (uintptr_t)from;
}

/* Where the tables fail, frame pointers may do: of a task, whose stack has known bounds. */
static void unwind_by_frames(struct soon__capture *capture, const struct soon__place *place)
{
	struct soon__stack stack;

	capture->pcs[0] = place->pc;
	capture->count = 1;
	if (soon__core && soon__stacks_find(&soon__core->stacks, (const void *)place->sp, &stack))
		capture->count = soon__unwind(
			place, stack.low, stack.top, capture->pcs, SOON__CAPTURE_FRAMES);
}

static void on_signal(int signo, siginfo_t *info, void *ucontext)
{
	int saved = errno, seen = ASKED;
	struct soon__place place = soon__place_of_signal(ucontext);

	(void)signo;
	(void)info;
	/* Acquire: pairs with ask(). One that was given up on finds another state, or another. */
	if (atomic_load_explicit(&state, memory_order_acquire) != ASKED ||
		!pthread_equal(asked, pthread_self()) ||
		!atomic_compare_exchange_strong_explicit(
			&state, &seen, TAKING, memory_order_acquire, memory_order_relaxed))
		return;
	memset(&answer, 0, sizeof answer);
	answer.is_interrupted = true;
	note_task(&answer);
	unwind_from(&answer, place.pc);
	if (answer.count < 2)
		unwind_by_frames(&answer, &place);
	/* Release: pairs with is_answered(). */
	atomic_store_explicit(&state, TAKEN, memory_order_release);
	errno = saved;
}

static bool is_answered(void)
{
	/* Acquire: pairs with on_signal(). */
	return atomic_load_explicit(&state, memory_order_acquire) == TAKEN;
}

static int ask(pthread_t thread)
{
	static const struct timespec wait = { .tv_nsec = WAIT_NS };
	int seen = ASKED, rc;

	asked = thread;
	/* Release: pairs with on_signal(). */
	atomic_store_explicit(&state, ASKED, memory_order_release);
	rc = pthread_kill(thread, SOON__CAPTURE_SIGNAL);
	for (unsigned i = 0; rc == 0 && i < WAITS_MAX && !is_answered(); i++)
		(void)nanosleep(&wait, NULL);
	/* Given up on, unless the handler has begun: then it will not be long. */
	if (atomic_compare_exchange_strong_explicit(
		    &state, &seen, FREE, memory_order_relaxed, memory_order_relaxed))
		return rc != 0 ? -rc : -ETIMEDOUT;
	while (!is_answered())
		(void)nanosleep(&wait, NULL);
	return 0;
}

static bool install(struct sigaction *ret_before)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_sigaction = on_signal;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	(void)sigemptyset(&action.sa_mask);
	if (sigaction(SOON__CAPTURE_SIGNAL, NULL, ret_before) != 0)
		return false;
	if (!(ret_before->sa_flags & SA_SIGINFO) && ret_before->sa_handler != SIG_DFL)
		return false;
	if ((ret_before->sa_flags & SA_SIGINFO) && ret_before->sa_sigaction != on_signal)
		return false;
	return sigaction(SOON__CAPTURE_SIGNAL, &action, NULL) == 0;
}

static void warm_up(void)
{
	struct soon__capture capture;

	/* What the unwinder does once must not be done in a handler. */
	soon__capture_own(&capture, NULL);
}

int soon__capture_thread(pthread_t thread, struct soon__capture *ret_capture)
{
	static pthread_once_t warm_once = PTHREAD_ONCE_INIT;
	struct sigaction before;
	int rc = -EBUSY;

	if (pthread_equal(thread, pthread_self()))
		return -EDEADLK;
	(void)pthread_once(&warm_once, warm_up);
	(void)pthread_mutex_lock(&lock);
	if (install(&before)) {
		rc = ask(thread);
		if (rc == 0)
			*ret_capture = answer;
		atomic_store_explicit(&state, FREE, memory_order_relaxed);
		/* One that is still on its way is ignored, which is the default. */
		(void)sigaction(SOON__CAPTURE_SIGNAL, &before, NULL);
	}
	(void)pthread_mutex_unlock(&lock);
	return rc;
}

static bool set_mask(int how)
{
	sigset_t set, before;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SOON__CAPTURE_SIGNAL);
	(void)pthread_sigmask(how, &set, &before);
	return sigismember(&before, SOON__CAPTURE_SIGNAL) == 1;
}

bool soon__capture_allow(void)
{
	return set_mask(SIG_UNBLOCK);
}

void soon__capture_disallow(void)
{
	(void)set_mask(SIG_BLOCK);
}

/* Whether it is one of those that call a task's or a job's function. */
static bool is_bottom(const char *name)
{
	static const char *const names[] = { "soon__call_word", "soon__call_words",
		"soon__task_main" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

void soon__text_capture(
	struct soon__text *text, struct soon__symbols *names, const struct soon__capture *capture)
{
	for (unsigned i = 0; i < capture->count; i++) {
		const struct soon__symbol *symbol = soon__symbol_find(
			names, capture->pcs[i], i > 0 || !capture->is_interrupted);

		/* Below the task's function are ours, which are the same for all. */
		if (i > 0 && is_bottom(symbol->name))
			return;
		if (i > 0)
			soon__text_str(text, " < ");
		if (!symbol->name[0]) {
			soon__text_symbol(text, symbol);
			continue;
		}
		soon__text_str(text, symbol->name);
		soon__text_str(text, "+");
		soon__text_hex(text, symbol->offset);
	}
}

struct soon__symbols *soon__symbols_borrow(void)
{
	if (pthread_mutex_trylock(&symbols_lock) != 0)
		return NULL;
	soon__symbols_reset(&symbols); /* modules may have come and gone */
	return &symbols;
}

void soon__symbols_give_back(void)
{
	(void)pthread_mutex_unlock(&symbols_lock);
}

void soon__capture_write(pthread_t thread, char *buf, size_t size)
{
	struct soon__capture calls;
	struct soon__symbols *names = NULL;
	struct soon__text text;
	int rc = soon__capture_thread(thread, &calls);

	soon__text_init(&text, buf, size, SOON__TEXT_NO_FD);
	if (rc == 0)
		names = soon__symbols_borrow();
	if (!names) {
		soon__text_str(&text, "unknown, ");
		soon__text_errno(&text, rc < 0 ? rc : -EBUSY);
		return;
	}
	soon__text_capture(&text, names, &calls);
	soon__symbols_give_back();
}

void soon__capture_forget(void)
{
	/* A thread that is not here any more may hold them. */
	lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	symbols_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	atomic_store_explicit(&state, FREE, memory_order_relaxed);
}
