// SPDX-License-Identifier: Apache-2.0
#include "overflow.h"

#include "core.h"
#include "log.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

enum { HANDLER_BYTES = 32768 }; /* on top of the signal frame */

static pthread_once_t install_once = PTHREAD_ONCE_INIT;
static struct sigaction previous_segv, previous_bus;

static void say(const char *text)
{
	ssize_t n = write(STDERR_FILENO, text, strlen(text));

	(void)n; /* nothing is left to be done about it */
}

/* Signal-safe: only reads the core's own records and writes to stderr. */
static void name_overflow(const void *addr)
{
	struct soon__stack stack;
	soon_task *task = soon__task_self();

	if (!soon__core || !soon__stacks_guard_hit(&soon__core->stacks, addr, &stack))
		return;
	say("soon: stack overflow in task '");
	if (task && task->stack_low == stack.low) {
		say(task->name);
		say("', spawned at ");
		say(task->site->file);
		say(" in ");
		say(task->site->func);
		say("(): spawn it with a larger .stack_bytes, or make its frames smaller\n");
	} else {
		say("(unknown)': an access far below the running task's stack\n");
	}
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
	const struct sigaction *previous = signo == SIGSEGV ? &previous_segv : &previous_bus;

	name_overflow(info->si_addr);
	soon__log_last();
	if (previous->sa_flags & SA_SIGINFO) {
		previous->sa_sigaction(signo, info, context);
		return;
	}
	if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN) {
		previous->sa_handler(signo);
		return;
	}
	/* Back to the default: the instruction faults again, and the kernel ends the process. */
	(void)signal(signo, SIG_DFL);
}

static void install(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_sigaction = on_fault;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGSEGV, &action, &previous_segv);
	(void)sigaction(SIGBUS, &action, &previous_bus);
}

int soon__overflow_init(struct soon__overflow *overflow)
{
	size_t bytes = (size_t)getauxval(AT_MINSIGSTKSZ) + HANDLER_BYTES;
	stack_t alternate, old;

	*overflow = (struct soon__overflow){ 0 };
	(void)pthread_once(&install_once, install);
	if (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE))
		return 0;
	bytes = (bytes + 4095) & ~(size_t)4095;
	alternate = (stack_t){
		.ss_sp = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0),
		.ss_size = bytes,
	};
	if (alternate.ss_sp == MAP_FAILED)
		return -ENOMEM;
	(void)sigaltstack(&alternate, NULL);
	overflow->stack = alternate.ss_sp;
	overflow->bytes = bytes;
	return 0;
}

void soon__overflow_fini(struct soon__overflow *overflow)
{
	stack_t none = { .ss_flags = SS_DISABLE };

	if (!overflow->stack)
		return;
	(void)sigaltstack(&none, NULL);
	(void)munmap(overflow->stack, overflow->bytes);
	overflow->stack = NULL;
}
