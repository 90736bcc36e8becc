// SPDX-License-Identifier: Apache-2.0
/*
 * proc_exec.h: from a description to a running program, private to net/.
 *
 * The child is cloned into the parent's memory (CLONE_VM), so that nothing is copied, however large
 * the parent is, and loads its program while the core goes on. Until then two processes use one
 * memory: the child has a stack of its own here, and touches nothing but this record, not even
 * errno, which would be the parent's. It therefore calls the kernel directly.
 *
 * The record stays as it is until the child is through with it: when `status_fd` was closed by the
 * exec, or, after a failure, when the child was reaped.
 */
#ifndef NET_PROC_EXEC_H
#define NET_PROC_EXEC_H

#include <soon/proc.h>

#include <limits.h>

#define SOON__EXEC_STACK_BYTES 16384
#define SOON__EXEC_CPUS_MAX    8192 /* processors; more than the kernel can be built for */
#define SOON__EXEC_FDS_MAX     (3 + SOON_PROC_FDS_MAX)

/* What the child was at when it failed. */
enum soon__exec_stage {
	SOON__EXEC_SESSION,
	SOON__EXEC_CWD,
	SOON__EXEC_FDS,
	SOON__EXEC_LIMITS,
	SOON__EXEC_PROGRAM,
};

/* What it writes to status_fd then. */
struct soon__exec_failure {
	int32_t stage;
	int32_t rc; /* a negative errno */
};

struct soon__exec {
	const char *const *argv;
	const char *const *env;
	const char *path;
	const char *search; /* the value of PATH, where `path` has no slash */
	const char *cwd;    /* or NULL */
	int fds[SOON__EXEC_FDS_MAX];
	int as[SOON__EXEC_FDS_MAX]; /* the numbers they get */
	unsigned fds_count;
	int fds_base;  /* above all of `as`, and at least 3 */
	int status_fd; /* close-on-exec */
	pid_t parent;  /* of whose thread's end it dies; 0: does not */
	bool new_session;
	bool new_group;
	bool no_new_privs;
	uint64_t address_max; /* 0: no limit */
	uint64_t cpu_max;

	/* Instead of the one that our core is bound to; 0 bytes: they are inherited. */
	size_t cpus_bytes;
	unsigned long cpus[SOON__EXEC_CPUS_MAX / (8 * sizeof(unsigned long))];

	char found[PATH_MAX]; /* the child's */
	_Alignas(64) char stack[SOON__EXEC_STACK_BYTES];
};

/*
 * Clones a child that carries the record out. Suspends: never.
 * Errors: -EAGAIN, -ENOMEM and others of clone(2).
 */
SOON_NODISCARD int soon__exec_start(struct soon__exec *exec, pid_t *ret_pid, int *ret_pidfd);

#endif
