// SPDX-License-Identifier: Apache-2.0
/*
 * procpool.c: pools and calls.
 */
#include "procpool.h"

#include <soon/assert.h>
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/thread.h>

#include "procpool_wire.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_DEFAULT    "soon-worker"
#define MESSAGE_DEFAULT ((size_t)1024 * 1024)
#define MESSAGE_MAX     ((size_t)1024 * 1024 * 1024)
#define WORKERS_MAX     4096
#define START_TIMEOUT   SOON_S(10)
#define BACKOFF         SOON_MS(50)
#define BACKOFF_MAX     SOON_S(5)

/* ---- the pool ---------------------------------------------------------------------------- */

static int enter(const soon_procpool *pool, const char *what)
{
	SOON_ASSERT(pool != NULL);
	if (pthread_equal(pool->thread, pthread_self()) != 0)
		return 0;
	soon_report_file(SOON_REPORT_ERROR, -EPERM,
		"%s: pool '%s' was opened on another core than that of the caller, '%s'", what,
		pool->opts.name, soon_task_name(NULL));
	return -EPERM;
}

static unsigned cpus(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count > 0 ? (unsigned)count : 1;
}

static void opts_fill(soon_procpool_opts *opts)
{
	if (opts->name == NULL)
		opts->name = NAME_DEFAULT;
	if (opts->workers_max == 0)
		opts->workers_max = cpus();
	if (opts->message_max == 0)
		opts->message_max = MESSAGE_DEFAULT;
	if (opts->start_timeout == 0)
		opts->start_timeout = START_TIMEOUT;
	if (opts->backoff == 0)
		opts->backoff = BACKOFF;
	if (opts->backoff_max == 0)
		opts->backoff_max = BACKOFF_MAX;
}

int soon_procpool_open(const soon_procpool_opts *opts, soon_procpool **ret_pool)
{
	const soon_procpool_entry *table = soon__procpool_table();
	soon_procpool *pool;

	SOON_ASSERT(ret_pool != NULL);
	if (!soon_on_core()) {
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_procpool_open: must be called on a core's thread; this runs none");
		return -EPERM;
	}
	if (table == NULL)
		return soon_fail(-EINVAL,
			"main has to begin with soon_procpool_worker(): a worker is this program, "
			"executed anew");
	if (opts != NULL && (opts->message_max > MESSAGE_MAX || opts->workers_max > WORKERS_MAX))
		return soon_fail(-EINVAL, "a pool has at most %d workers and messages of 1 GiB",
			WORKERS_MAX);
	pool = soon_zalloc(sizeof *pool);
	if (pool == NULL)
		return -ENOMEM;
	if (opts != NULL)
		pool->opts = *opts;
	opts_fill(&pool->opts);
	pool->table = table;
	pool->table_hash = soon__procpool_table_hash(table);
	pool->thread = pthread_self();
	soon_sem_init(&pool->places, pool->opts.workers_max);
	soon_gate_init(&pool->gate);
	soon_event_init(&pool->is_killing);
	pool->tracked = soon_track("pool '%s' of processes", pool->opts.name);
	*ret_pool = pool;
	return 0;
}

soon_procpool_stats soon_procpool_stat(const soon_procpool *pool)
{
	SOON_ASSERT(pool != NULL);
	return pool->stats;
}

/* Those with calls: their tasks see the end, and give them up. */
static void kill_all(soon_procpool *pool) SOON_ON_CORE
{
	(void)soon_event_set(&pool->is_killing);
	for (struct soon__worker *w = pool->workers; w != NULL; w = w->next)
		if (w->proc != NULL && soon_proc_kill(w->proc, SIGKILL) == -EPERM)
			continue; /* of another user by now: its socket is closed with the pool */
}

void soon_procpool_close(soon_procpool *pool)
{
	int rc;

	if (pool == NULL || enter(pool, "soon_procpool_close") < 0)
		return;
	rc = soon_gate_close(&pool->gate);
	if (rc == -ECANCELED) {
		kill_all(pool);
		rc = (int)soon_shielded(SOON_NEVER, soon_gate_close(&pool->gate));
	}
	SOON_ASSERT(rc == 0);
	/* All are told before one is waited for. */
	for (struct soon__worker *w = pool->workers; w != NULL; w = w->next) {
		(void)soon_close(w->fd); /* nothing is under way */
		w->fd = -1;
	}
	while (pool->workers != NULL)
		soon__worker_end(pool, pool->workers, SOON__WORKER_DONE);
	soon_gate_fini(&pool->gate);
	soon_untrack(pool->tracked);
	soon_free(pool);
}

/* ---- a call ------------------------------------------------------------------------------ */

static int send_all(int fd, const void *bytes, size_t len) SOON_SUSPENDS
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = soon_send(fd, at, len, 0);

		if (n < 0)
			return n == -EPIPE ? -ECONNRESET : (int)n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int receive_all(int fd, char *into, size_t len) SOON_SUSPENDS
{
	while (len > 0) {
		ssize_t n = soon_recv(fd, into, len, 0);

		if (n <= 0)
			return n == 0 ? -ECONNRESET : (int)n;
		into += n;
		len -= (size_t)n;
	}
	return 0;
}

static int say(struct soon__worker *worker, struct soon__wire_head *head,
	const struct soon__offloaded *call) SOON_SUSPENDS
{
	int rc;

	soon__wire_seal(head, SOON__WIRE_CALL);
	memcpy(worker->buf, head, sizeof *head);
	if (call->in_len <= sizeof worker->buf - sizeof *head) {
		if (call->in_len > 0)
			memcpy(worker->buf + sizeof *head, call->in, call->in_len);
		return send_all(worker->fd, worker->buf, sizeof *head + call->in_len);
	}
	rc = send_all(worker->fd, worker->buf, sizeof *head);
	return rc < 0 ? rc : send_all(worker->fd, call->in, call->in_len);
}

static int exchange(soon_procpool *pool, struct soon__worker *worker, struct soon__offloaded *call)
	SOON_SUSPENDS
{
	struct soon__wire_head head = {
		.number = ++pool->numbers,
		.len = call->in_len,
		.room = call->out_cap,
		.index = call->index,
	};
	uint64_t number = head.number;
	size_t rest = 0;
	int rc = say(worker, &head, call);

	if (rc == 0)
		rc = soon__worker_hear(worker, SOON__WIRE_REPLY, &head, &rest);
	if (rc < 0)
		return rc;
	if (head.number != number || head.len > call->out_cap || rest > head.len)
		return -EBADMSG;
	if (rest > 0)
		memcpy(call->out, worker->buf + sizeof head, rest);
	if (head.len > rest)
		rc = receive_all(worker->fd, (char *)call->out + rest, head.len - rest);
	call->out_len = head.len;
	call->rc = head.rc;
	return rc;
}

/* The worker did not answer as it should, or nobody wants to know any more. */
static int give_up(soon_procpool *pool, struct soon__worker *worker,
	const struct soon__offloaded *call, int rc) SOON_SUSPENDS
{
	enum soon__worker_end why = SOON__WORKER_CRASHED;

	if (soon_event_is_set(&pool->is_killing)) {
		why = SOON__WORKER_CUT_SHORT;
		rc = rc == -ECANCELED ? rc : -ESHUTDOWN;
	} else if (rc == -ECANCELED) {
		why = SOON__WORKER_CUT_SHORT;
	} else if (rc == -ECONNRESET) {
		char what[64];

		(void)snprintf(what, sizeof what, "in '%.50s'", call->name);
		rc = soon__worker_died(pool, worker, what);
	} else if (rc == -EBADMSG) {
		rc = soon_fail(rc, "%s: worker %d broke the protocol in '%.50s'; it is killed",
			pool->opts.name, (int)soon_proc_pid(worker->proc), call->name);
	}
	soon__worker_end(pool, worker, why);
	return rc;
}

static int call_in_worker(soon_procpool *pool, struct soon__offloaded *call) SOON_SUSPENDS
{
	struct soon__worker *worker;
	int rc;

	if (soon_gate_is_closed(&pool->gate))
		return -ESHUTDOWN;
	rc = soon__worker_get(pool, &worker);
	if (rc < 0)
		return rc;
	pool->stats.busy++;
	rc = exchange(pool, worker, call);
	pool->stats.busy--;
	if (rc < 0)
		return give_up(pool, worker, call, rc);
	pool->stats.calls++;
	soon__worker_put(pool, worker);
	return call->rc;
}

/* As many calls as there may be workers go on at a time; the others wait in their order. */
static int call_in_turn(soon_procpool *pool, struct soon__offloaded *call) SOON_SUSPENDS
{
	int rc;

	if (pool->opts.queue_max != 0 && pool->stats.waiting >= pool->opts.queue_max &&
		soon_sem_count(&pool->places) == 0)
		return soon_fail(-EAGAIN, "%s: %u calls wait for a worker already", pool->opts.name,
			pool->stats.waiting);
	pool->stats.waiting++;
	rc = soon_sem_acquire(&pool->places, 1);
	pool->stats.waiting--;
	if (rc < 0)
		return rc;
	rc = call_in_worker(pool, call);
	(void)soon_sem_release(&pool->places, 1);
	return rc;
}

static int find(const soon_procpool *pool, struct soon__offloaded *call)
{
	for (uint32_t i = 0; pool->table[i].name != NULL; i++) {
		if (strcmp(pool->table[i].name, call->name) == 0) {
			call->index = i;
			return 0;
		}
	}
	return soon_fail(-ENOENT, "%s: there is no function '%.50s'", pool->opts.name, call->name);
}

int soon_proc_offload(soon_procpool *pool, const char *name, const void *in, size_t in_len,
	void *out, size_t out_cap, size_t *ret_out_len)
{
	struct soon__offloaded call = {
		.name = name,
		.in = in,
		.in_len = in_len,
		.out = out,
		.out_cap = out_cap,
	};
	int rc = enter(pool, "soon_proc_offload");

	SOON_ASSERT(name != NULL);
	SOON_ASSERT(in != NULL || in_len == 0);
	SOON_ASSERT(out != NULL || out_cap == 0);
	if (rc == 0)
		rc = soon_checkpoint();
	if (rc == 0)
		rc = find(pool, &call);
	if (rc < 0)
		return rc;
	if (in_len > pool->opts.message_max || out_cap > pool->opts.message_max)
		return soon_fail(-EMSGSIZE, "%s: '%.50s': more than %zu bytes", pool->opts.name,
			name, pool->opts.message_max);
	rc = soon_gate_enter(&pool->gate);
	if (rc < 0)
		return rc;
	rc = call_in_turn(pool, &call);
	(void)soon_gate_leave(&pool->gate);
	if (ret_out_len != NULL)
		*ret_out_len = call.out_len;
	return rc;
}
