// SPDX-License-Identifier: Apache-2.0
/*
 * dump.h: what all tasks of a core are doing, as text.
 *
 * A dump is the tree of groups and tasks: each task with its number, its state, what it waits for
 * and since when, its age and where it was spawned, its scopes with their deadlines and cancels;
 * then circles of tasks that wait for each other; then the stacks of the parked tasks, equal ones
 * once. The same run gives the same text, but for the thread's number in the first line and for
 * times.
 *
 * SIGQUIT (Ctrl-\) writes one to stderr for each core of the process, and the run goes on, unless
 * the program handles the signal itself or sets soon_opts.no_dump_signal.
 *
 *	if (rc == -ETIMEDOUT)
 *		(void)soon_dump(STDERR_FILENO, SOON_DUMP_CANCELLED);
 */
#ifndef SOON_DUMP_H
#define SOON_DUMP_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum soon_dump_flags {
	SOON_DUMP_NO_STACKS = 1u << 0, /* the tree only */
	SOON_DUMP_UNFOLDED = 1u << 1,  /* each task's stack below it, equal ones again */
	SOON_DUMP_CANCELLED = 1u << 2, /* only tasks that are cancelled and have not ended */
	SOON_DUMP_ALL = 1u << 3,       /* every task, beyond SOON_DUMP_TASKS_MAX */
};

#define SOON_DUMP_TASKS_MAX  1000 /* listed; stacks and circles are those of all tasks */
#define SOON_DUMP_SCOPES_MAX 32   /* listed of one task; of its groups, all */
#define SOON_DUMP_FRAMES_MAX 32   /* of one stack, the innermost */
#define SOON_DUMP_STACKS_MAX 128  /* different ones; the tasks with further ones are counted */

/*
 * Writes a dump of the calling thread's core to `fd`.
 * Affinity: core; signal-safe. Suspends: never; it blocks the thread until `fd` has taken it all.
 * Errors: -EPERM this thread runs no core. -EINVAL unknown flags. -EBUSY this core is writing one
 * already, and was interrupted in it. Those of write(2), -EPIPE without the signal.
 * Limits: above. Beyond a function that was built without frame pointers a stack may end or leave
 * out others; -fno-omit-frame-pointer gives all.
 */
SOON_API SOON_NODISCARD int soon_dump(int fd, unsigned flags) SOON_ON_CORE;

#ifdef __cplusplus
}
#endif

#endif
