// SPDX-License-Identifier: Apache-2.0
/*
 * procpool_start.c: the life of a worker: started, shaken hands with, used again, ended.
 *
 * A worker that failed is not replaced at once when those before it failed, too: a function that
 * crashes at each call would otherwise keep the machine busy with starting processes.
 */
#include <soon/assert.h>
#include <soon/io.h>
#include <soon/mem.h>

#include "procpool.h"
#include "procpool_wire.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SELF "/proc/self/exe"

/* For a worker that let go of its socket, or was told to go, to be gone. */
#define LEAVE_TIMEOUT SOON_S(1)

/* ---- ending ------------------------------------------------------------------------------ */

static void unlist(soon_procpool *pool, struct soon__worker *worker)
{
	struct soon__worker **at = &pool->workers;

	while (*at != worker)
		at = &(*at)->next;
	*at = worker->next;
	SOON_ASSERT(pool->stats.workers > 0);
	pool->stats.workers--;
}

static void failure_note(soon_procpool *pool) SOON_ON_CORE
{
	soon_ns pause = pool->opts.backoff;

	/* One may happen; from the second in a row on there is a pause. */
	if (pool->failures++ == 0)
		return;
	for (unsigned i = 2; i < pool->failures && pause < pool->opts.backoff_max; i++)
		pause *= 2;
	pool->retry_at =
		soon_now() + (pause < pool->opts.backoff_max ? pause : pool->opts.backoff_max);
}

static void socket_close(struct soon__worker *worker) SOON_SUSPENDS
{
	if (worker->fd >= 0)
		(void)soon_close(worker->fd); /* what was to be said has been */
	worker->fd = -1;
}

void soon__worker_end(soon_procpool *pool, struct soon__worker *worker, enum soon__worker_end why)
{
	if (why == SOON__WORKER_CRASHED) {
		pool->stats.crashed++;
		failure_note(pool);
	} else if (why == SOON__WORKER_CUT_SHORT) {
		pool->stats.killed++;
	}
	unlist(pool, worker);
	socket_close(worker);
	if (why == SOON__WORKER_DONE &&
		soon_shielded(LEAVE_TIMEOUT, soon_proc_wait(worker->proc, NULL)) < 0)
		soon_report_file(SOON_REPORT_WARNING, -ETIMEDOUT,
			"%s: worker %d, which has nothing to do, does not end; it gets SIGKILL",
			pool->opts.name, (int)soon_proc_pid(worker->proc));
	soon_proc_close(worker->proc); /* SIGKILL, if it is still there */
	soon_free(worker);
}

int soon__worker_died(soon_procpool *pool, struct soon__worker *worker, const char *what)
{
	soon_proc_status status = { .code = -1 };
	char how[SOON_PROC_STATUS_BYTES];
	ssize_t rc = soon_shielded(LEAVE_TIMEOUT, soon_proc_wait(worker->proc, &status));

	if (rc < 0 && rc != -ECHILD)
		return soon_fail(-ECONNRESET, "%s: worker %d closed its socket %s and did not end",
			pool->opts.name, (int)soon_proc_pid(worker->proc), what);
	return soon_fail(-ECONNRESET, "%s: worker %d ended %s: %s", pool->opts.name,
		(int)soon_proc_pid(worker->proc), what, soon_proc_status_format(&status, how));
}

/* ---- starting ---------------------------------------------------------------------------- */

static soon_proc_opts spawn_opts(const soon_procpool *pool, const soon_proc_fd *fd)
{
	return (soon_proc_opts){
		.in = SOON_PROC_NULL,
		.path = pool->opts.path != NULL ? pool->opts.path : SELF,
		.env = pool->opts.env,
		.fds = fd,
		.fds_count = 1,
		.new_group = true, /* Ctrl-C is for the parent, which ends its calls in order */
		.die_with_us = true,
		.no_new_privs = pool->opts.no_new_privs,
		.address_max = pool->opts.address_max,
		.cpu_max = pool->opts.cpu_max,
		.grace = -1, /* it has nothing to put in order */
	};
}

static int process_start(soon_procpool *pool, struct soon__worker *worker) SOON_SUSPENDS
{
	soon_proc_fd theirs = { .as = SOON__WORKER_FD };
	soon_proc_opts opts;
	int ends[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	worker->fd = ends[0];
	theirs.fd = ends[1];
	opts = spawn_opts(pool, &theirs);
	rc = soon_proc_spawn(SOON_ARGV(pool->opts.name, SOON__WORKER_MARK), &opts, &worker->proc);
	(void)close(ends[1]);
	return rc;
}

int soon__worker_hear(
	struct soon__worker *worker, int kind, struct soon__wire_head *ret_head, size_t *ret_rest)
{
	size_t got = 0;

	while (got < sizeof *ret_head) {
		ssize_t n = soon_recv(worker->fd, worker->buf + got, sizeof worker->buf - got, 0);

		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return (int)n;
		got += (size_t)n;
	}
	memcpy(ret_head, worker->buf, sizeof *ret_head);
	if (!soon__wire_is_sound(ret_head, (enum soon__wire_kind)kind))
		return -EBADMSG;
	*ret_rest = got - sizeof *ret_head;
	return 0;
}

static int hands_shake(soon_procpool *pool, struct soon__worker *worker) SOON_SUSPENDS
{
	struct soon__wire_head hello = { 0 };
	size_t rest = 0;
	ssize_t rc = soon_within(pool->opts.start_timeout,
		soon__worker_hear(worker, SOON__WIRE_HELLO, &hello, &rest));

	if (rc == -ECONNRESET)
		return soon__worker_died(pool, worker, "before it was ready");
	if (rc == -ETIMEDOUT)
		return soon_fail(-ECONNRESET, "%s: worker %d was not ready within %jd ms",
			pool->opts.name, (int)soon_proc_pid(worker->proc),
			(intmax_t)(pool->opts.start_timeout / SOON_MS(1)));
	if (rc == 0 && rest > 0)
		rc = -EBADMSG;
	if (rc == -EBADMSG)
		return soon_fail(-EBADMSG,
			"%s: worker %d does not speak our protocol; does its "
			"main begin with soon_procpool_worker()?",
			pool->opts.name, (int)soon_proc_pid(worker->proc));
	if (rc == 0 && hello.number != pool->table_hash)
		return soon_fail(-EBADMSG,
			"%s: worker %d has another table of functions: it is of "
			"another build",
			pool->opts.name, (int)soon_proc_pid(worker->proc));
	return (int)rc;
}

static int start(soon_procpool *pool, struct soon__worker **ret_worker) SOON_SUSPENDS
{
	struct soon__worker *worker = soon_malloc(sizeof *worker);
	int rc;

	if (worker == NULL)
		return -ENOMEM;
	memset(worker, 0, offsetof(struct soon__worker, buf));
	worker->fd = -1;
	worker->next = pool->workers;
	pool->workers = worker;
	pool->stats.workers++;
	rc = process_start(pool, worker);
	if (rc == 0)
		rc = hands_shake(pool, worker);
	if (rc != -ECANCELED && soon_event_is_set(&pool->is_killing))
		rc = -ESHUTDOWN;
	if (rc < 0) {
		bool is_cut = rc == -ECANCELED || rc == -ESHUTDOWN;

		soon__worker_end(
			pool, worker, is_cut ? SOON__WORKER_CUT_SHORT : SOON__WORKER_CRASHED);
		return rc;
	}
	pool->stats.started++;
	*ret_worker = worker;
	return 0;
}

/* ---- using ------------------------------------------------------------------------------- */

/* One that ended meanwhile, or says something unasked, is none. */
static bool is_usable(const struct soon__worker *worker)
{
	char c;
	ssize_t n = recv(worker->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	return n < 0 && -errno == -EAGAIN;
}

static int backoff_wait(soon_procpool *pool) SOON_SUSPENDS
{
	soon_ns pause = pool->retry_at - soon_now();
	ssize_t rc;

	if (pause <= 0)
		return 0;
	rc = soon_within(pause, soon_event_wait(&pool->is_killing));
	return rc == -ETIMEDOUT ? 0 : (int)rc;
}

int soon__worker_get(soon_procpool *pool, struct soon__worker **ret_worker)
{
	struct soon__worker *worker;
	int rc;

	while ((worker = pool->idle) != NULL) {
		pool->idle = worker->next_idle;
		if (is_usable(worker)) {
			*ret_worker = worker;
			return 0;
		}
		soon__worker_end(pool, worker, SOON__WORKER_CRASHED);
	}
	rc = backoff_wait(pool);
	if (rc < 0)
		return rc;
	if (soon_event_is_set(&pool->is_killing))
		return -ESHUTDOWN;
	return start(pool, ret_worker);
}

void soon__worker_put(soon_procpool *pool, struct soon__worker *worker)
{
	pool->failures = 0;
	if (pool->opts.calls_max != 0 && ++worker->calls >= pool->opts.calls_max) {
		pool->stats.recycled++;
		soon__worker_end(pool, worker, SOON__WORKER_DONE);
		return;
	}
	worker->next_idle = pool->idle;
	pool->idle = worker;
}
