// SPDX-License-Identifier: Apache-2.0
/*
 * proc.h: other programs, as processes under this one.
 *
 * A process is started, talked to through streams, waited for and reaped; there are no zombies, and
 * a signal never hits a stranger, because the kernel's handle of the process (a pidfd) is used and
 * not its number. Nothing is ever inherited by accident: the program gets the descriptors named
 * here and no others, all signals are as the kernel sets them, and none is blocked; and where the
 * core is bound to a processor, the program has all that the run began with.
 *
 * For "run it and give me its output" there is one call:
 *
 *	soon_proc_result r;
 *	int rc = soon_proc_run(SOON_ARGV("git", "log", "-1"), NULL, &r);
 *	if (rc == 0 && r.status.code == 0)
 *		use(r.out, r.out_len);
 *	soon_proc_result_fini(&r);
 *
 * Arguments may be secret: no message, report or dump of soon ever shows one. It shows argv[0].
 *
 * All calls: Affinity: core, in a task; the core that started the process (-EPERM elsewhere, after
 * a report). In the child of a fork they give -EOWNERDEAD.
 */
#ifndef SOON_PROC_H
#define SOON_PROC_H

#include <soon/scope.h>
#include <soon/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A process that was started, until soon_proc_close(). */
typedef struct soon_proc soon_proc;

/* A list of arguments in place: SOON_ARGV("ls", "-l"). The first names the program. */
#define SOON_ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The most descriptors of soon_proc_opts.fds. */
#define SOON_PROC_FDS_MAX 128

/* What becomes of one of the three standard descriptors. */
typedef enum soon_proc_io {
	SOON_PROC_INHERIT, /* the same as ours */
	SOON_PROC_NULL,    /* /dev/null */
	SOON_PROC_PIPE,    /* a pipe, whose other end is soon_proc_in, _out or _err */
	SOON_PROC_FD,      /* the descriptor in in_fd, out_fd or err_fd, which stays the caller's */
	SOON_PROC_STDOUT,  /* for err only: where out goes */
} soon_proc_io;

/* A further descriptor for the program: ours, and the number it has there, 3 or more. */
typedef struct soon_proc_fd {
	int fd;
	int as;
} soon_proc_fd;

/* Zero means the default in every field. All of it is lent until soon_proc_spawn() returns. */
typedef struct soon_proc_opts {
	soon_proc_io in, out, err; /* default: inherited */
	int in_fd, out_fd, err_fd; /* with SOON_PROC_FD */
	const soon_proc_fd *fds;   /* further descriptors */
	unsigned fds_count;

	const char *path;       /* the program; default argv[0]. Without a slash: found by PATH */
	const char *const *env; /* "NAME=value", ended by NULL; default our environment */
	const char *cwd;        /* default ours; a relative path starts here */

	bool new_session; /* setsid(2): no terminal, and a process group of its own */
	bool new_group;   /* setpgid(2): a process group of its own */

	bool die_with_us;     /* SIGKILL when the core's thread ends, however it ends */
	bool no_new_privs;    /* see prctl(2): set-user-ID programs give nothing */
	uint64_t address_max; /* RLIMIT_AS, bytes */
	uint64_t cpu_max;     /* RLIMIT_CPU, seconds */

	soon_ns grace; /* between SIGTERM and SIGKILL, see soon_proc_close(); default 5 s */
	soon_stream_opts streams; /* of pipes */
} soon_proc_opts;

/* How a process ended. */
typedef struct soon_proc_status {
	int code;      /* what it exited with, 0 to 255; -1 when a signal ended it */
	int signal;    /* that signal, or 0 */
	bool has_core; /* and it left a core dump */
} soon_proc_status;

/*
 * Starts a program. Returning 0 means that it runs: what stands between the fork and the program's
 * first instruction (no such file, no permission, not a program, no such directory) is told here.
 * The message of a failure names the program.
 * Suspends: until the kernel has loaded the program; the core goes on meanwhile. Cancel:
 * cancellation point on entry; afterwards a cancel is remembered, and the next call fails.
 * Null: `opts` for defaults. Ownership: `argv`, ended by NULL, is lent until the return; returns
 * owned, to be given to soon_proc_close().
 * Errors: -ENOENT no such program or directory. -EACCES it may not be run. -ENOEXEC it is not a
 * program, nor begins with #!. -E2BIG too long arguments and environment. -EAGAIN too many
 * processes (RLIMIT_NPROC, or the cgroup's pids.max). -EMFILE, -ENFILE no descriptors for pipes.
 * -ECHILD this process ignores SIGCHLD, so the kernel would throw away how children end. -EBADF,
 * -EINVAL a descriptor of `opts` is none, or `opts` make no sense. -ENOMEM. -ECANCELED. Others of
 * execve(2).
 * Cost: 2 descriptors while it starts, then 1 and one a pipe.
 */
SOON_API SOON_NODISCARD int soon_proc_spawn(const char *const *argv,
	const soon_proc_opts *SOON_NULLABLE opts, soon_proc **ret_proc) SOON_SUSPENDS;

/*
 * Waits until the process ends, and reaps it; others that it started may live on, and hold its
 * pipes. May be called by several tasks and again: each gets the same answer.
 * Suspends: until it ends. Cancel: cancellation point; the process goes on.
 * Null: `ret_status`.
 * Errors: -ECANCELED. -ECHILD somebody else took its status, by waitpid(-1) or the like; it has
 * ended.
 */
SOON_API SOON_NODISCARD int soon_proc_wait(
	soon_proc *proc, soon_proc_status *SOON_NULLABLE ret_status) SOON_SUSPENDS;

/*
 * Sends it a signal; 0 only looks whether it is there.
 * Suspends: never. Errors: -ESRCH it has ended and was reaped. -EINVAL not a signal. -EPERM it
 * belongs to another user by now.
 */
SOON_API SOON_NODISCARD int soon_proc_kill(soon_proc *proc, int sig) SOON_ON_CORE;

/*
 * Ends it: closes our ends of its pipes, sends SIGTERM (to its process group where it was given
 * one), after opts.grace SIGKILL with a warning, and reaps it.
 * Suspends: until it ended. Cancel: not a cancellation point.
 * Null: `ret_status`. Errors: -ECHILD as in soon_proc_wait.
 */
SOON_API SOON_NODISCARD int soon_proc_terminate(
	soon_proc *proc, soon_proc_status *SOON_NULLABLE ret_status) SOON_SUSPENDS;

/*
 * Return our ends of its pipes; NULL for what is none. soon_stream_shutdown() on `in` is the end of
 * its input. A stream over a pipe reads or writes only; what the pipe does not take is sent on by
 * the next write or flush.
 * Suspends: never. Ownership: returns borrowed: they are closed with the process.
 */
SOON_API soon_stream *soon_proc_in(const soon_proc *proc);
SOON_API soon_stream *soon_proc_out(const soon_proc *proc);
SOON_API soon_stream *soon_proc_err(const soon_proc *proc);

/* Returns its number, for messages: after the end it may be another's. Suspends: never. */
SOON_API pid_t soon_proc_pid(const soon_proc *proc);

/*
 * Ends what runs, as soon_proc_terminate(), and frees all. What was written to `in` and not
 * flushed is lost. No task may be in a call of it or of its streams.
 * Suspends: may. Cancel: not a cancellation point. Ownership: takes `proc`. Null: nothing happens.
 */
SOON_API void soon_proc_close(soon_proc *SOON_NULLABLE proc) SOON_SUSPENDS;

/* Closes `proc` on every way out of the block. */
#define SOON_PROC_OWN(proc)                                                                        \
	soon_proc *soon__own_##proc __attribute__((cleanup(soon__proc_left), unused)) = (proc)
SOON_API void soon__proc_left(soon_proc **proc) SOON_SUSPENDS;

/* Zero means the default in every field. */
typedef struct soon_proc_run_opts {
	soon_proc_opts spawn; /* in, out and err are pipes where they say INHERIT; no input: null */
	soon_slice input;     /* what it reads, then the end */
	size_t out_max;       /* bytes of out, and as many of err; default 1 MiB */
} soon_proc_run_opts;

typedef struct soon_proc_result {
	soon_proc_status status;
	char *out; /* with a zero behind it that does not count; never NULL on success */
	size_t out_len;
	char *err;
	size_t err_len;
} soon_proc_result;

/*
 * Runs a program to its end: feeds it, collects what it writes. That it fails is no failure of the
 * call: look at `status`. What it leaves running in the background is not waited for.
 * Suspends: until it ends. Cancel: cancellation point; it is ended as by soon_proc_terminate()
 * before the return, and its output is lost.
 * Null: `opts` for defaults. Ownership: `argv` and `opts` are lent until the return; the result is
 * to be given to soon_proc_result_fini(), which after a failure has nothing to do.
 * Errors: those of soon_proc_spawn. -EMSGSIZE it wrote more than out_max, and was ended. -ECHILD.
 */
SOON_API SOON_NODISCARD int soon_proc_run(const char *const *argv,
	const soon_proc_run_opts *SOON_NULLABLE opts, soon_proc_result *ret_result) SOON_SUSPENDS;

/* Frees the memory of a result. Affinity: any. Suspends: never. Null: nothing happens. */
SOON_API void soon_proc_result_fini(soon_proc_result *SOON_NULLABLE result);

/* The longest text of soon_proc_status_format(), its end included. */
#define SOON_PROC_STATUS_BYTES 64

/*
 * Says how a process ended: "exit status 3", "killed by SIGSEGV, core dumped".
 * Affinity: any. Suspends: never. Returns: `ret_text`.
 */
SOON_API const char *soon_proc_status_format(
	const soon_proc_status *status, char ret_text[SOON_PROC_STATUS_BYTES]);

#ifdef __cplusplus
}
#endif

#endif
