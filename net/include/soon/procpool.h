// SPDX-License-Identifier: Apache-2.0
/*
 * procpool.h: work that may crash, or that nobody trusts, in processes of its own.
 *
 * A worker is this very program, executed anew: no memory of the parent, none of its threads and
 * descriptors. It has a table of functions, by name; a call sends bytes to one of them and gets
 * bytes back. What a function does to its process (a signal, an exit, an endless loop, garbage
 * written to our socket) costs that call and that worker, and nothing else. For work that merely
 * blocks, soon_offload() is a hundred times cheaper.
 *
 *	static int parse(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
 *	{
 *		...					// in a worker: plain C, no soon_* call
 *	}
 *
 *	static const soon_procpool_entry table[] = { { "parse", parse }, { NULL, NULL } };
 *
 *	int main(int argc, char **argv)
 *	{
 *		soon_procpool_worker(argc, argv, table);	// first; never returns in a worker
 *		return soon_run(app, NULL) < 0;
 *	}
 *
 * In a task of app: soon_procpool_open(NULL, &pool), then
 *
 *	rc = soon_within(SOON_S(2), soon_proc_offload(pool, "parse", in, len, out, cap, &out_len));
 *
 * All calls but soon_procpool_worker: Affinity: core, in a task; the core that opened the pool
 * (-EPERM elsewhere, after a report).
 */
#ifndef SOON_PROCPOOL_H
#define SOON_PROCPOOL_H

#include <soon/proc.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a worker runs: reads `in`, behind which is a zero that does not count, writes at most
 * `out_cap` bytes to `out`, and their number to `*ret_len`, which is 0 before. Its result, 0 or
 * positive or a negative errno, is that of the call.
 */
typedef int (*soon_procpool_fn)(
	const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len);

/* A table ends with a NULL for the name. */
typedef struct soon_procpool_entry {
	const char *name;
	soon_procpool_fn fn;
} soon_procpool_entry;

/* Zero means the default in every field. Texts are lent for the life of the pool. */
typedef struct soon_procpool_opts {
	const char *name; /* in messages, and of the processes; default "soon-worker" */
	unsigned
		workers_max; /* processes; default as many as there are CPUs. Started when needed */
	unsigned queue_max;  /* calls that wait for a worker; more are -EAGAIN; default: no limit */
	size_t message_max;  /* bytes of an input or output; default 1 MiB, at most 1 GiB */
	uint64_t calls_max;  /* of a worker, then it is replaced; default: no limit */
	soon_ns start_timeout; /* for a worker to say that it is ready; default 10 s */
	soon_ns backoff;       /* before a worker that failed is replaced; doubles; default 50 ms */
	soon_ns backoff_max;   /* up to this; default 5 s */

	const char *path; /* another program than this one, with the same table */
	const char *const *env;
	bool no_new_privs;    /* as in soon_proc_opts, for each worker */
	uint64_t address_max; /* bytes */
	uint64_t cpu_max;     /* seconds in its life: give calls_max, too */
} soon_procpool_opts;

typedef struct soon_procpool soon_procpool;

/* What a pool has come to. */
typedef struct soon_procpool_stats {
	unsigned workers;  /* processes now, those starting among them */
	unsigned busy;     /* with a call */
	unsigned waiting;  /* calls that wait for a worker */
	uint64_t calls;    /* that a worker answered */
	uint64_t started;  /* workers that said they were ready */
	uint64_t recycled; /* after calls_max */
	uint64_t crashed;  /* ended by themselves, or broke the protocol */
	uint64_t killed;   /* by a cancel or deadline of their call */
} soon_procpool_stats;

/*
 * Makes this process a worker if it was started as one, and then never returns; otherwise only
 * notes that main can do this, without which soon_procpool_open() refuses: a program that would
 * start itself over and over. To be called first in main: before threads, files, output.
 * Affinity: setup. Ownership: `table` is lent for ever.
 */
SOON_API void soon_procpool_worker(int argc, char **argv, const soon_procpool_entry *table);

/*
 * Makes a pool; no process is started yet. Several pools, say for different limits, may be open.
 * Suspends: never. Null: `opts` for defaults. Ownership: returns owned, to be given to
 * soon_procpool_close().
 * Errors: -EINVAL soon_procpool_worker() was not called, or `opts` make no sense. -ENOMEM. -EPERM
 * not on a core, after a report.
 */
SOON_API SOON_NODISCARD int soon_procpool_open(
	const soon_procpool_opts *SOON_NULLABLE opts, soon_procpool **ret_pool) SOON_ON_CORE;

/*
 * Calls the function `name` in a worker.
 * Suspends: until it answers. Cancel: cancellation point; while the call waits for a worker it
 * never ran; afterwards its worker is killed (SIGKILL), and reaped before the return. The time
 * limit of a call is its scope's: soon_within().
 * Ownership: `in` and `out` are lent until the return; after a failure `out` may be half written.
 * Null: `in` with no bytes, `out` with no room, `ret_out_len`.
 * Returns: what the function returned.
 * Errors: -ENOENT there is no such function. -EMSGSIZE `in_len` or `out_cap` is more than
 * message_max. -EAGAIN queue_max calls wait already. -ECONNRESET the worker died of this call; the
 * message says how: "killed by SIGSEGV". -EBADMSG it broke the protocol, and was killed.
 * -ECANCELED. -ESHUTDOWN the pool is being closed. When no worker could be started: those of
 * soon_proc_spawn; -EBADMSG it is built from another table or version, or is no worker at all;
 * -ECONNRESET it ended before it was ready, or was not ready in time. The message says so. What
 * the function returned may be any of these.
 * Limits: message_max. Calls are served in the order they came.
 */
SOON_API SOON_NODISCARD int soon_proc_offload(soon_procpool *pool, const char *name, const void *in,
	size_t in_len, void *out, size_t out_cap, size_t *SOON_NULLABLE ret_out_len) SOON_SUSPENDS;

/* Returns what the pool has come to. Affinity: core. Suspends: never. */
SOON_API soon_procpool_stats soon_procpool_stat(const soon_procpool *pool);

/*
 * Refuses new calls and those that wait for a worker (-ESHUTDOWN), waits for those that have one,
 * then ends the workers. Once the caller's scope is cancelled, nobody is waited for: the workers
 * are killed, and their calls fail with -ESHUTDOWN, too.
 * Suspends: may. Cancel: not a cancellation point. Ownership: takes `pool`. Null: nothing happens.
 */
SOON_API void soon_procpool_close(soon_procpool *SOON_NULLABLE pool) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
