// SPDX-License-Identifier: Apache-2.0
/*
 * proc.c: the life of a process: waited for, signalled, ended, reaped.
 *
 * All goes by the pidfd: readiness says that it has ended, waitid() reaps it, and a signal cannot
 * reach another process that got its number. Whoever first finds it ended keeps the status for all.
 */
#include "proc.h"

#include <soon/assert.h>
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/thread.h>

#include "errtext.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between two looks at one that is ready and yet not to be reaped: somebody traces it. */
#define TRACED_PAUSE SOON_MS(10)

static const soon_proc_opts opts_default;

/* ---- whose it is ------------------------------------------------------------------------- */

static SOON_COLD int elsewhere(const soon_proc *proc, const char *what)
{
	soon_report_file(SOON_REPORT_ERROR, -EPERM,
		"%s: process %d (%s) was started on another core than that of the caller, '%s'",
		what, (int)proc->pid, proc->name, soon_task_name(NULL));
	return -EPERM;
}

static int enter(const soon_proc *proc, const char *what)
{
	SOON_ASSERT(proc != NULL);
	return pthread_equal(proc->thread, pthread_self()) != 0 ? 0 : elsewhere(proc, what);
}

/* The last part of a path, which is how people call programs. */
static void name_set(soon_proc *proc, const char *path)
{
	const char *slash = strrchr(path, '/');

	(void)snprintf(proc->name, sizeof proc->name, "%s",
		slash != NULL && slash[1] != '\0' ? slash + 1 : path);
}

int soon_proc_spawn(const char *const *argv, const soon_proc_opts *opts, soon_proc **ret_proc)
{
	soon_proc *proc;
	int rc;

	SOON_ASSERT(argv != NULL);
	SOON_ASSERT(argv[0] != NULL);
	SOON_ASSERT(ret_proc != NULL);
	rc = soon_checkpoint();
	if (rc < 0)
		return rc;
	if (opts == NULL)
		opts = &opts_default;
	proc = soon_zalloc(sizeof *proc);
	if (proc == NULL)
		return -ENOMEM;
	proc->pidfd = -1;
	proc->thread = pthread_self();
	proc->grace = opts->grace != 0 ? opts->grace : SOON__PROC_GRACE;
	proc->has_group = opts->new_session || opts->new_group;
	name_set(proc, argv[0]);

	rc = soon__proc_start(proc, argv, opts);
	if (rc < 0) {
		proc->is_reaped = true;
		soon_proc_close(proc);
		return rc;
	}
	proc->tracked = soon_track("process %d (%s)", (int)proc->pid, proc->name);
	*ret_proc = proc;
	return 0;
}

/* ---- waiting ----------------------------------------------------------------------------- */

static void status_take(soon_proc *proc, const siginfo_t *info)
{
	bool is_exit = info->si_code == CLD_EXITED;

	proc->status = (soon_proc_status){
		.code = is_exit ? info->si_status : -1,
		.signal = is_exit ? 0 : info->si_status,
		.has_core = info->si_code == CLD_DUMPED,
	};
	proc->is_reaped = true;
}

/* Reaps it if it has ended; `flags` may be WNOHANG. */
static void reap_now(soon_proc *proc, int flags)
{
	siginfo_t info;
	int rc;

	do {
		memset(&info, 0, sizeof info);
		rc = waitid(P_PIDFD, (id_t)proc->pidfd, &info, WEXITED | flags) < 0 ? -errno : 0;
	} while (rc == -EINTR);
	if (rc == 0 && info.si_pid != 0) {
		status_take(proc, &info);
	} else if (rc < 0) {
		proc->reap_rc = rc;
		proc->status = (soon_proc_status){ .code = -1 };
		proc->is_reaped = true;
	}
}

static int end_wait(soon_proc *proc) SOON_SUSPENDS
{
	int rc = 0;

	while (!proc->is_reaped && rc >= 0) {
		rc = soon_poll_fd(proc->pidfd, POLLIN);
		if (rc < 0 || proc->is_reaped)
			break;
		reap_now(proc, WNOHANG);
		if (!proc->is_reaped)
			rc = soon_sleep(TRACED_PAUSE);
	}
	return rc < 0 ? rc : 0;
}

/* What everybody gets who waits. */
static int end_tell(const soon_proc *proc, soon_proc_status *ret_status)
{
	if (ret_status != NULL)
		*ret_status = proc->status;
	if (proc->reap_rc < 0)
		return soon_fail(proc->reap_rc,
			"process %d (%s) has ended, but somebody else in this program took its "
			"status: waitpid(-1), or SIGCHLD was set to be ignored",
			(int)proc->pid, proc->name);
	return 0;
}

int soon_proc_wait(soon_proc *proc, soon_proc_status *ret_status)
{
	int rc = enter(proc, "soon_proc_wait");

	if (rc == 0)
		rc = soon_checkpoint();
	if (rc < 0)
		return rc;
	proc->waiting++;
	rc = end_wait(proc);
	proc->waiting--;
	return rc < 0 ? rc : end_tell(proc, ret_status);
}

void soon__proc_reap(soon_proc *proc)
{
	ssize_t rc = proc->is_reaped ? 0 : soon_shielded(SOON_NEVER, end_wait(proc));

	/* No operation to be had: rather hold the core up than leave a zombie. */
	if (rc < 0 && !proc->is_reaped)
		reap_now(proc, 0);
}

/* ---- signals ----------------------------------------------------------------------------- */

static int signal_send(const soon_proc *proc, int sig)
{
	if (proc->is_reaped)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, proc->pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int soon_proc_kill(soon_proc *proc, int sig)
{
	int rc = enter(proc, "soon_proc_kill");

	return rc < 0 ? rc : signal_send(proc, sig);
}

/* With its group where it has one: as long as it is not reaped, nobody else can have the number. */
static void end_ask(const soon_proc *proc, int sig)
{
	if (proc->is_reaped)
		return;
	if (!proc->has_group || kill(-proc->pid, sig) < 0)
		(void)signal_send(proc, sig);
}

static void terminate(soon_proc *proc) SOON_SUSPENDS
{
	if (proc->is_reaped)
		return;
	reap_now(proc, WNOHANG);
	if (!proc->is_reaped && proc->grace > 0) {
		ssize_t rc;

		end_ask(proc, SIGTERM);
		rc = soon_shielded(proc->grace, end_wait(proc));
		if (rc < 0 && !proc->is_reaped)
			soon_report_file(SOON_REPORT_WARNING, -ETIMEDOUT,
				"process %d (%s) did not end within %jd ms of SIGTERM; it gets "
				"SIGKILL",
				(int)proc->pid, proc->name, (intmax_t)(proc->grace / SOON_MS(1)));
	}
	end_ask(proc, SIGKILL);
	soon__proc_reap(proc);
}

int soon_proc_terminate(soon_proc *proc, soon_proc_status *ret_status)
{
	int rc = enter(proc, "soon_proc_terminate");

	if (rc < 0)
		return rc;
	terminate(proc);
	return end_tell(proc, ret_status);
}

/* ---- the rest ---------------------------------------------------------------------------- */

soon_stream *soon_proc_in(const soon_proc *proc)
{
	SOON_ASSERT(proc != NULL);
	return proc->in;
}

soon_stream *soon_proc_out(const soon_proc *proc)
{
	SOON_ASSERT(proc != NULL);
	return proc->out;
}

soon_stream *soon_proc_err(const soon_proc *proc)
{
	SOON_ASSERT(proc != NULL);
	return proc->err;
}

pid_t soon_proc_pid(const soon_proc *proc)
{
	SOON_ASSERT(proc != NULL);
	return proc->pid;
}

void soon__proc_close_pipes(soon_proc *proc)
{
	soon_stream_abort(proc->in);
	soon_stream_abort(proc->out);
	soon_stream_abort(proc->err);
	proc->in = proc->out = proc->err = NULL;
}

void soon_proc_close(soon_proc *proc)
{
	if (proc == NULL || enter(proc, "soon_proc_close") < 0)
		return;
	SOON_ASSERT(proc->waiting == 0);
	/* First: who writes to a full pipe, or reads from one, is to see that nobody is there. */
	soon__proc_close_pipes(proc);
	terminate(proc);
	soon__proc_release(proc);
}

void soon__proc_release(soon_proc *proc)
{
	SOON_ASSERT(proc->waiting == 0);
	soon__proc_close_pipes(proc);
	if (proc->pidfd >= 0)
		(void)soon_close(proc->pidfd); /* nothing can be lost with it */
	soon_untrack(proc->tracked);
	soon_free(proc);
}

void soon__proc_left(soon_proc **proc)
{
	soon_proc_close(*proc);
	*proc = NULL;
}

const char *soon_proc_status_format(
	const soon_proc_status *status, char ret_text[SOON_PROC_STATUS_BYTES])
{
	const char *name = sigabbrev_np(status->signal);
	const char *core = status->has_core ? ", core dumped" : "";

	if (status->signal == 0 && status->code < 0)
		(void)snprintf(ret_text, SOON_PROC_STATUS_BYTES, "nobody knows how");
	else if (status->signal == 0)
		(void)snprintf(ret_text, SOON_PROC_STATUS_BYTES, "exit status %d", status->code);
	else if (name != NULL)
		(void)snprintf(ret_text, SOON_PROC_STATUS_BYTES, "killed by SIG%s%s", name, core);
	else
		(void)snprintf(ret_text, SOON_PROC_STATUS_BYTES, "killed by signal %d%s",
			status->signal, core);
	return ret_text;
}
