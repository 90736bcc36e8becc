// SPDX-License-Identifier: Apache-2.0
/*
 * proc_spawn.c: starting a program: its descriptors, its record, and what went wrong.
 *
 * The child reports through a pipe that its exec closes: no byte is success. The core waits for
 * that as for any other input, so loading a program holds up nobody.
 */
#include <soon/assert.h>
#include <soon/cores.h>
#include <soon/io.h>
#include <soon/mem.h>

#include "errtext.h"
#include "pipe.h"
#include "proc.h"
#include "proc_exec.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_DEFAULT "/bin:/usr/bin"

/* What one call opens, and where it goes. */
struct start {
	soon_proc *proc;
	const soon_proc_opts *opts;
	struct soon__exec *exec;
	int ours[3];   /* of pipes; -1: none, or in a stream */
	int theirs[3]; /* to be closed here once the child has them; -1: none */
	bool has[3];   /* which of our standard ones were there: not a pipe that took the number */
	int status[2];
};

static void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void fds_close(int *fds, int count)
{
	for (int i = 0; i < count; i++)
		fd_close(&fds[i]);
}

/* ---- descriptors ------------------------------------------------------------------------- */

static void give(struct soon__exec *exec, int fd, int as)
{
	SOON_ASSERT(exec->fds_count < SOON__EXEC_FDS_MAX);
	exec->fds[exec->fds_count] = fd;
	exec->as[exec->fds_count] = as;
	exec->fds_count++;
	if (as >= exec->fds_base)
		exec->fds_base = as + 1;
}

/* Our end does not block, see pipe.c; theirs does, as programs expect. */
static int pipe_open(struct start *st, int as)
{
	bool is_writer = as == STDIN_FILENO;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	st->ours[as] = ends[is_writer];
	st->theirs[as] = ends[!is_writer];
	if (fcntl(st->ours[as], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	give(st->exec, st->theirs[as], as);
	return 0;
}

static int null_open(struct start *st, int as)
{
	int fd = open("/dev/null", (as == STDIN_FILENO ? O_RDONLY : O_WRONLY) | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	st->theirs[as] = fd;
	give(st->exec, fd, as);
	return 0;
}

static int standard_set_up(struct start *st, int as, soon_proc_io io, int fd)
{
	switch (io) {
	case SOON_PROC_INHERIT:
		/* Taken along if it is there: a program may well run without. */
		if (st->has[as])
			give(st->exec, as, as);
		return 0;
	case SOON_PROC_NULL:
		return null_open(st, as);
	case SOON_PROC_PIPE:
		return pipe_open(st, as);
	case SOON_PROC_FD:
		if (fcntl(fd, F_GETFD) < 0)
			return -errno;
		give(st->exec, fd, as);
		return 0;
	case SOON_PROC_STDOUT:
		break;
	default:
		return -EINVAL;
	}
	if (as != STDERR_FILENO)
		return -EINVAL;
	for (unsigned i = 0; i < st->exec->fds_count; i++)
		if (st->exec->as[i] == STDOUT_FILENO)
			give(st->exec, st->exec->fds[i], as);
	return 0;
}

static int further_set_up(struct start *st)
{
	if (st->opts->fds_count > SOON_PROC_FDS_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < st->opts->fds_count; i++) {
		const soon_proc_fd *fd = &st->opts->fds[i];

		if (fd->as < 3 || fd->as == INT_MAX)
			return -EINVAL;
		if (fcntl(fd->fd, F_GETFD) < 0)
			return -errno;
		give(st->exec, fd->fd, fd->as);
	}
	return 0;
}

static int fds_set_up(struct start *st)
{
	const soon_proc_opts *opts = st->opts;
	int rc;

	for (int fd = 0; fd < 3; fd++)
		st->has[fd] = fcntl(fd, F_GETFD) >= 0;
	rc = standard_set_up(st, STDIN_FILENO, opts->in, opts->in_fd);
	if (rc == 0)
		rc = standard_set_up(st, STDOUT_FILENO, opts->out, opts->out_fd);
	if (rc == 0)
		rc = standard_set_up(st, STDERR_FILENO, opts->err, opts->err_fd);
	if (rc == 0)
		rc = further_set_up(st);
	if (rc == 0 && pipe2(st->status, O_CLOEXEC) < 0)
		rc = -errno;
	return rc;
}

static int stream_make(struct start *st, int as, soon_stream **ret_stream) SOON_ON_CORE
{
	int rc;

	if (st->ours[as] < 0)
		return 0;
	rc = soon__pipe_stream(st->ours[as], as == STDIN_FILENO, &st->opts->streams, ret_stream);
	if (rc == 0)
		st->ours[as] = -1;
	return rc;
}

static int streams_make(struct start *st) SOON_ON_CORE
{
	int rc = stream_make(st, STDIN_FILENO, &st->proc->in);

	if (rc == 0)
		rc = stream_make(st, STDOUT_FILENO, &st->proc->out);
	if (rc == 0)
		rc = stream_make(st, STDERR_FILENO, &st->proc->err);
	return rc;
}

/* ---- the record of the exec -------------------------------------------------------------- */

static size_t list_count(char *const *list)
{
	size_t count = 0;

	while (list != NULL && list[count] != NULL)
		count++;
	return count;
}

/* The value of PATH in a list of variables, or NULL. */
static const char *path_in(const char *const *env)
{
	for (; *env != NULL; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	return NULL;
}

/*
 * Our environment is copied, though not its texts: another thread's setenv() may move the list
 * while the child reads it.
 */
static struct soon__exec *exec_make(const char *const *argv, const soon_proc_opts *opts)
{
	size_t count = opts->env == NULL ? list_count(environ) : 0;
	struct soon__exec *exec = soon_malloc(sizeof *exec + (count + 1) * sizeof(char *));
	const char **copied;
	int cpus;

	if (exec == NULL)
		return NULL;
	memset(exec, 0, offsetof(struct soon__exec, found));
	copied = (const char **)(exec + 1);
	for (size_t i = 0; i < count; i++)
		copied[i] = environ[i];
	copied[count] = NULL;

	exec->argv = argv;
	exec->env = opts->env != NULL ? opts->env : copied;
	exec->path = opts->path != NULL ? opts->path : argv[0];
	if (strchr(exec->path, '/') == NULL) {
		exec->search = path_in(exec->env);
		if (exec->search == NULL)
			exec->search = PATH_DEFAULT;
	}
	exec->cwd = opts->cwd;
	exec->fds_base = 3;
	exec->parent = opts->die_with_us ? getpid() : 0;
	exec->new_session = opts->new_session;
	exec->new_group = opts->new_group;
	exec->no_new_privs = opts->no_new_privs;
	exec->address_max = opts->address_max;
	exec->cpu_max = opts->cpu_max;
	cpus = soon_core_cpus(sizeof exec->cpus, exec->cpus);
	exec->cpus_bytes = cpus > 0 ? (size_t)cpus : 0;
	return exec;
}

/* ---- what went wrong --------------------------------------------------------------------- */

/* The kernel reaps by itself what nobody is to be told of: then there is nothing to wait for. */
static bool ignores_children(void)
{
	struct sigaction now;

	if (sigaction(SIGCHLD, NULL, &now) < 0)
		return false;
	return (now.sa_flags & SA_NOCLDWAIT) != 0 ||
		((now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_IGN);
}

static int no_process(const soon_proc *proc, int rc)
{
	if (rc == -EAGAIN)
		return soon_fail(rc,
			"cannot run %s: too many processes; look at RLIMIT_NPROC (ulimit -u) and "
			"the cgroup's pids.max",
			proc->name);
	return soon_fail(rc, "cannot run %s: no process: %s", proc->name, soon__error_text(rc));
}

static int failed_at(const struct start *st, const struct soon__exec_failure *failure)
{
	const char *name = st->proc->name;
	const char *why = soon__error_text(failure->rc);

	switch ((enum soon__exec_stage)failure->stage) {
	case SOON__EXEC_CWD:
		return soon_fail(failure->rc, "cannot run %s: its folder %.80s: %s", name,
			st->opts->cwd, why);
	case SOON__EXEC_SESSION:
		return soon_fail(failure->rc, "cannot run %s: no session or group: %s", name, why);
	case SOON__EXEC_FDS:
		return soon_fail(failure->rc, "cannot run %s: its descriptors: %s", name, why);
	case SOON__EXEC_LIMITS:
		return soon_fail(failure->rc, "cannot run %s: its limits: %s", name, why);
	case SOON__EXEC_PROGRAM:
		break;
	}
	return soon_fail(failure->rc, "cannot run %s: %s", name, why);
}

/* Waits until the child has become its program, or says why it has not and is reaped. */
static int exec_wait(struct start *st) SOON_SUSPENDS
{
	struct soon__exec_failure failure;
	ssize_t n = soon_shielded(
		SOON_NEVER, soon_read_full(st->status[0], &failure, sizeof failure, NULL));

	while (n < 0) {
		/* No operation to be had: rather hold the core up than lose the child. */
		n = read(st->status[0], &failure, sizeof failure);
		if (n < 0)
			n = -errno;
		if (n < 0 && n != -EINTR)
			break;
	}
	if (n == 0)
		return 0;
	soon__proc_reap(st->proc);
	return n == sizeof failure ? failed_at(st, &failure) : -EIO;
}

static int run(struct start *st) SOON_SUSPENDS
{
	soon_proc *proc = st->proc;
	int rc = fds_set_up(st);

	if (rc < 0)
		return soon_fail(
			rc, "cannot run %s: its descriptors: %s", proc->name, soon__error_text(rc));
	rc = streams_make(st);
	if (rc < 0)
		return rc;
	st->exec->status_fd = st->status[1];
	rc = soon__exec_start(st->exec, &proc->pid, &proc->pidfd);
	fds_close(st->theirs, 3);
	fd_close(&st->status[1]);
	return rc < 0 ? no_process(proc, rc) : exec_wait(st);
}

int soon__proc_start(soon_proc *proc, const char *const *argv, const soon_proc_opts *opts)
{
	struct start st = {
		.proc = proc,
		.opts = opts,
		.ours = { -1, -1, -1 },
		.theirs = { -1, -1, -1 },
		.status = { -1, -1 },
	};
	int rc;

	if (ignores_children())
		return soon_fail(-ECHILD,
			"cannot run %s: this process ignores SIGCHLD (SIG_IGN or SA_NOCLDWAIT), so "
			"nobody would learn how it ends; set it to SIG_DFL",
			proc->name);
	st.exec = exec_make(argv, opts);
	if (st.exec == NULL)
		return -ENOMEM;
	rc = run(&st);
	fds_close(st.ours, 3);
	fds_close(st.theirs, 3);
	fds_close(st.status, 2);
	soon_free(st.exec);
	return rc;
}
