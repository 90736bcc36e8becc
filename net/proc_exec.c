// SPDX-License-Identifier: Apache-2.0
/*
 * proc_exec.c: what happens between the clone and the program's first instruction. The upper half
 * runs in the child, in the parent's memory: see proc_exec.h. It is built without sanitizers and
 * stack protector, calls no function of the C library, and has no loop that a compiler could turn
 * into such a call.
 */
#include "proc_exec.h"

#include "rawcall.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* As the kernel has it; all zero is SIG_DFL. */
struct kernel_sigaction {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

static long call(long number, long a, long b, long c, long d)
{
	return soon__rawcall(number, a, b, c, d, 0); /* prctl(2) minds what is behind */
}

static long address(const void *ptr)
{
	return (long)(intptr_t)ptr;
}

__attribute__((noreturn)) static void leave(void)
{
	for (;;)
		(void)call(SYS_exit_group, 127, 0, 0, 0);
}

__attribute__((noreturn)) static void fail(
	const struct soon__exec *exec, enum soon__exec_stage stage, long rc)
{
	const struct soon__exec_failure failure = { .stage = (int32_t)stage, .rc = (int32_t)rc };

	(void)call(SYS_write, exec->status_fd, address(&failure), sizeof failure, 0);
	leave();
}

/* The parent's handlers are not here any more once the program is. */
static void reset_signals(void)
{
	const struct kernel_sigaction as_ever = { 0 };

	/* The kernel refuses for two of them. */
	for (int sig = 1; sig < NSIG; sig++)
		(void)call(SYS_rt_sigaction, sig, address(&as_ever), 0, sizeof as_ever.mask);
}

static long set_limit(int which, uint64_t soft, uint64_t hard)
{
	const struct rlimit limit = { .rlim_cur = soft, .rlim_max = hard };

	return call(SYS_prlimit64, 0, which, address(&limit), 0);
}

static long set_limits(const struct soon__exec *exec)
{
	long rc = 0;

	/* Slower, not wrong, if all of them were taken away meanwhile: it keeps the one. */
	if (exec->cpus_bytes > 0)
		(void)call(
			SYS_sched_setaffinity, 0, (long)exec->cpus_bytes, address(exec->cpus), 0);
	if (exec->parent != 0) {
		rc = call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
		/* It may have ended before we asked for that. */
		if (rc == 0 && call(SYS_getppid, 0, 0, 0, 0) != exec->parent)
			leave();
	}
	if (rc == 0 && exec->no_new_privs)
		rc = call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
	if (rc == 0 && exec->address_max != 0)
		rc = set_limit(RLIMIT_AS, exec->address_max, exec->address_max);
	/* SIGXCPU first, which tells what it was; SIGKILL a second later. */
	if (rc == 0 && exec->cpu_max != 0)
		rc = set_limit(RLIMIT_CPU, exec->cpu_max, exec->cpu_max + 1);
	return rc;
}

/*
 * Puts the descriptors where they belong: first all of them out of the way, so that none is
 * overwritten before it was taken; then everything is marked to be closed, and they are put down.
 */
static long place_fds(struct soon__exec *exec)
{
	long rc = call(SYS_fcntl, exec->status_fd, F_DUPFD_CLOEXEC, exec->fds_base, 0);

	if (rc < 0)
		return rc;
	exec->status_fd = (int)rc;
	for (unsigned i = 0; i < exec->fds_count; i++) {
		rc = call(SYS_fcntl, exec->fds[i], F_DUPFD_CLOEXEC, exec->fds_base, 0);
		if (rc < 0)
			return rc;
		exec->fds[i] = (int)rc;
	}
	rc = call(SYS_close_range, 3, -1, CLOSE_RANGE_CLOEXEC, 0);
	for (unsigned i = 0; rc >= 0 && i < exec->fds_count; i++)
		rc = call(SYS_dup3, exec->fds[i], exec->as[i], 0, 0);
	return rc < 0 ? rc : 0;
}

static long try_path(const struct soon__exec *exec, const char *path)
{
	return call(SYS_execve, address(path), address(exec->argv), address(exec->env), 0);
}

/* Puts one folder of PATH, and the name behind it, into `found`; false when that is too long. */
static bool join_path(struct soon__exec *exec, const char *folder, size_t folder_len)
{
	volatile char *to = exec->found;
	size_t len = 0;

	for (size_t i = 0; i < folder_len && len < sizeof exec->found - 2; i++)
		to[len++] = folder[i];
	if (folder_len > 0)
		to[len++] = '/';
	for (const char *from = exec->path; *from != '\0'; from++) {
		if (len >= sizeof exec->found - 1)
			return false;
		to[len++] = *from;
	}
	to[len] = '\0';
	return true;
}

static bool is_elsewhere(long rc)
{
	return rc == -ENOENT || rc == -ENOTDIR || rc == -EACCES || rc == -ESTALE || rc == -ENODEV ||
		rc == -ETIMEDOUT;
}

/* Tries each folder of PATH; that one may not be run is told only if there is no other. */
static long search_path(struct soon__exec *exec)
{
	const char *at = exec->search;
	long worst = -ENOENT;

	for (;;) {
		size_t len = 0;
		long rc = -ENAMETOOLONG;

		while (at[len] != ':' && at[len] != '\0')
			len++;
		if (join_path(exec, at, len))
			rc = try_path(exec, exec->found);
		if (rc == -EACCES)
			worst = rc;
		else if (!is_elsewhere(rc))
			return rc;
		if (at[len] == '\0')
			return worst;
		at += len + 1;
	}
}

__attribute__((noreturn)) static void child_main(void *arg)
{
	struct soon__exec *exec = arg;
	const uint64_t none = 0;
	long rc = 0;

	reset_signals();
	if (exec->new_session)
		rc = call(SYS_setsid, 0, 0, 0, 0);
	else if (exec->new_group)
		rc = call(SYS_setpgid, 0, 0, 0, 0);
	if (rc < 0)
		fail(exec, SOON__EXEC_SESSION, rc);
	if (exec->cwd != NULL && (rc = call(SYS_chdir, address(exec->cwd), 0, 0, 0)) < 0)
		fail(exec, SOON__EXEC_CWD, rc);
	rc = place_fds(exec);
	if (rc < 0)
		fail(exec, SOON__EXEC_FDS, rc);
	rc = set_limits(exec);
	if (rc < 0)
		fail(exec, SOON__EXEC_LIMITS, rc);
	(void)call(SYS_rt_sigprocmask, SIG_SETMASK, address(&none), 0, sizeof none);
	rc = exec->search != NULL ? search_path(exec) : try_path(exec, exec->path);
	fail(exec, SOON__EXEC_PROGRAM, rc);
}

/* ---- in the parent ----------------------------------------------------------------------- */

static int start(struct soon__exec *exec, unsigned long how, int *ret_pidfd)
{
	return (int)soon__rawclone(CLONE_VM | CLONE_PIDFD | SIGCHLD | how,
		exec->stack + sizeof exec->stack, ret_pidfd, child_main, exec);
}

int soon__exec_start(struct soon__exec *exec, pid_t *ret_pid, int *ret_pidfd)
{
	sigset_t all, before;
	int pid;

	/* No handler of ours may run in the child, whose memory is ours. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = start(exec, 0, ret_pidfd);
	/* Emulators (qemu's, for one) know the old way only, which holds this thread up. */
	if (pid == -EINVAL)
		pid = start(exec, CLONE_VFORK, ret_pidfd);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return pid;
	*ret_pid = pid;
	return 0;
}
