// SPDX-License-Identifier: Apache-2.0
/*
 * task.h: running the runtime, and what a task can ask and do.
 *
 * A task is a plain function on a stack of its own. It runs on one core from its first
 * instruction to its last, gives way only inside calls marked SOON_SUSPENDS, and ends by
 * returning. soon_run() starts the runtime on the calling thread, runs one function as the first
 * task, and returns when that task and everything under it has ended.
 *
 *	static int app(void *unused)
 *	{
 *		return soon_sleep(SOON_MS(10));
 *	}
 *	int main(void) { return soon_run(app, NULL) < 0; }
 */
#ifndef SOON_TASK_H
#define SOON_TASK_H

#include <soon/call.h>
#include <soon/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One running function, by its handle: valid until the group it was spawned in is closed. A later
 * use is told by -ESHUTDOWN and a report, but for one time in 64, when it finds a newer task.
 */
typedef struct soon_task soon_task;

typedef enum soon_io {
	/*
	 * As the environment's SOON_IO says: auto, uring or epoll. Without it, or with auto,
	 * io_uring where the kernel grants it, and epoll where it is refused, which the process
	 * finds out once. A shortage of memory or descriptors is no refusal but an error.
	 */
	SOON_IO_AUTO,
	SOON_IO_URING, /* io_uring or an error */
	SOON_IO_EPOLL,
} soon_io;

/* What SIGINT does to a run in whose process it has its default meaning. */
typedef enum soon_sigint {
	/*
	 * The first cancels the main task, with the reason SIGINT; soon_run() returns what that
	 * made of it. One more, or one after main has ended, does not wait any longer: a dump,
	 * and the process exits with 130.
	 */
	SOON_SIGINT_CANCEL,
	SOON_SIGINT_LEAVE, /* it keeps its default meaning */
} soon_sigint;

/* Zero means the default in every field. */
typedef struct soon_opts {
	size_t stack_bytes; /* of each task; default 256 KiB of address space */
	unsigned tasks_max; /* live tasks on a core; default 2 Mi */
	soon_io io;         /* which back end */
	int debug;          /* 1 on, -1 off, 0 as SOON_DEBUG says: see debug.h */
	soon_ns spin;  /* how long a core looks before it sleeps: 0 as its hits tell, up to 25 us,
			     * positive always, both only where a CPU is to spare; negative never */
	soon_ns grace; /* how long cancelled tasks may take to end before a report, and each stage
			* of the run's end before a report that shows what is left; 30 s */
	unsigned offload_threads; /* default max(8, 2 * cpus) */
	bool keep_running;        /* when a background task fails, the main task is not cancelled */
	bool no_dump_signal;      /* SIGQUIT is not taken for a dump of this run, see dump.h */
	soon_sigint sigint;       /* what SIGINT does */

	/* While slow steps are debugged, see debug.h. */
	soon_ns slow_step; /* what takes as long is reported; default 100 ms; negative: nothing */

	/* The cores of the run, see cores.h. */
	unsigned cores; /* started before main; 0: as many as there are processors, at first use */
	bool no_pin;    /* several cores are not bound to a processor each */
} soon_opts;

/* Zero means the default in every field. */
typedef struct soon_task_opts {
	const char *name;     /* static or outliving the task; default the function's name */
	size_t stack_bytes;   /* default the run's; rounded up to a size class, at most 8 MiB */
	soon_task **ret_task; /* where the handle goes, NULL for none */
} soon_task_opts;

SOON_API SOON_NODISCARD int soon__run(
	const soon_opts *opts, soon__fn fn, uint64_t arg, const soon_site *site) SOON_ANY_THREAD;

/*
 * Runs `fn(arg)` as the first task of a new runtime on the calling thread until it and all
 * that it left in the background has ended.
 * Affinity: any thread that runs no core. Suspends: blocks the thread. Null: `opts` for defaults.
 * Returns: what `fn` returned, 0 or positive; when `fn` succeeded, or was only cancelled, but a
 * background task failed, that failure.
 * Errors: what `fn` returned; -EDEADLK the tasks waited for each other and nothing else could
 * happen: a report shows who waits for whom, everything is cancelled and the run ends; -EBUSY
 * inside a task; -ENOMEM, -EMFILE, -EPERM, -ENOSYS and others when the runtime cannot be set up,
 * after a report that says what to change.
 */
#define soon_run_with(opts, fn, arg)                                                               \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__run((opts), SOON__CALL(fn, arg), &soon__site);                               \
	}))
#define soon_run(fn, arg) soon_run_with(NULL, fn, arg)

/*
 * Returns the running task, NULL outside a task.
 * Affinity: any. Suspends: never. Ownership: returns borrowed.
 */
SOON_API soon_task *soon_self(void) SOON_ANY_THREAD;

/*
 * Returns the name of a task, NULL for the running one; "(none)" outside a task.
 * Affinity: core. Suspends: never. Ownership: returns borrowed (valid as long as the task).
 */
SOON_API const char *soon_task_name(const soon_task *SOON_NULLABLE task);

/*
 * Returns how many bytes of the running task's stack are left below the caller's frame; 0 outside a
 * task. Affinity: any. Suspends: never.
 */
SOON_API size_t soon_stack_left(void) SOON_ANY_THREAD;

/*
 * Lets every other task that is ready run, and I/O be polled, before the caller goes on.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point.
 * Errors: -ECANCELED the scope is cancelled (the others ran all the same). -EPERM not in a task.
 */
SOON_API SOON_NODISCARD int soon_yield(void) SOON_SUSPENDS;

/*
 * Waits for a task's end and reads its result.
 * Affinity: core, in a task. Suspends: may, until `task` ends. Cancel: cancellation point; the
 * target is not cancelled by it.
 * Null: `ret_rc` when the result is not wanted.
 * Errors: -ECANCELED the caller's scope is cancelled. -EDEADLK joining oneself. -EPERM not in a
 * task, or another core's task. -ESHUTDOWN the task's group is closed, after a report.
 */
SOON_API SOON_NODISCARD int soon_join(soon_task *task, int *SOON_NULLABLE ret_rc) SOON_SUSPENDS;

/* A task that has always been there, has ended, and gave 0: stands for "no task". */
SOON_API extern soon_task soon__task_none;
#define SOON_TASK_NONE (&soon__task_none)

SOON_API void soon__task_cancel(soon_task *task, const char *why, const soon_site *site);

/*
 * Cancels one task with everything it opened; its group goes on, and does not count it as failed.
 * It will not be restarted. Nothing happens to one that has ended.
 * Affinity: core. Suspends: never. `why` is a static text for dumps.
 */
#define soon_task_cancel(task, why)                                                                \
	__extension__({                                                                            \
		SOON__SITE("cancel");                                                              \
		soon__task_cancel((task), (why), &soon__site);                                     \
	})

SOON_API SOON_NODISCARD int soon__cancel_join(soon_task *task, const soon_site *site) SOON_SUSPENDS;

/*
 * Cancels a task and waits until it has really ended, whatever happens to the caller meanwhile.
 * Affinity: core, in a task. Suspends: may, until `task` ends. Cancel: a cancellation point at the
 * end only: never before `task` has ended.
 * Returns: 0 when it had ended before, or ended because it was cancelled.
 * Errors: -EALREADY it finished normally (soon_join reads the result). -ECANCELED the caller's
 * scope is cancelled; `task` has ended. -EDEADLK oneself, or a task that waits for the caller;
 * -EPERM not in a task, or another core's task; -ESHUTDOWN the task's group is closed: each after
 * a report. Otherwise what `task` failed with.
 */
#define soon_cancel_join(task)                                                                     \
	soon__used(__extension__({                                                                 \
		SOON__SITE("cancel_join");                                                         \
		soon__cancel_join((task), &soon__site);                                            \
	}))

/*
 * Notes a message for the failure `rc` and gives `rc` back: `return soon_fail(-EINVAL, "...")`.
 * The group that the task ends in keeps the message with the failure.
 * Affinity: any; outside a task only `rc` is given back. Suspends: never.
 * Limits: 159 bytes, cut beyond.
 */
SOON_API SOON_NODISCARD int soon_fail(int rc, const char *fmt, ...) SOON_PRINTF(2, 3);

/*
 * Returns what the running task's last soon_fail(), or a group that it closed, noted; NULL if
 * nothing.
 * Affinity: any; NULL outside a task. Suspends: never. Ownership: returns borrowed (valid until
 * the next soon_fail or the end of the task).
 */
SOON_API const char *soon_fail_message(void);

#ifdef __cplusplus
}
#endif

#endif
