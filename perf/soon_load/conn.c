// SPDX-License-Identifier: Apache-2.0
/* Opening a connection, going on after it was lost, and accounting for what was under way. */
#include "conn.h"

#include <soon/io.h>
#include <soon/scope.h>

#include "worker.h"

#include <string.h>

#define PAUSE_MIN     SOON_MS(1)
#define PAUSE_DOUBLED 7 /* times: 128 ms at most */
#define GOODBYE       SOON_MS(50)

struct pending *conn_pending(const struct conn *conn, unsigned place)
{
	unsigned at = conn->head + place;

	return &conn->ring[at < conn->plan->pipeline ? at : at - conn->plan->pipeline];
}

static void pop_finished(struct conn *conn)
{
	while (conn->count > 0 && conn_oldest(conn)->is_finished) {
		conn->head = conn->head + 1 < conn->plan->pipeline ? conn->head + 1 : 0;
		conn->count--;
	}
}

void conn_good(struct conn *conn, struct pending *pending, soon_ns now)
{
	struct worker *worker = conn->worker;
	struct tally *tally = &worker->tally;

	if (pending->first == 0)
		pending->first = now;
	if (pending->is_counted)
		tally_good(tally, (uint64_t)(now - pending->due),
			(uint64_t)(pending->first - pending->sent));
	if (worker_measures(worker, now)) {
		tally_completed(tally, now - worker->start, (uint64_t)(now - pending->due));
		worker->last = now;
	}
	atomic_store_explicit(&tally->seen_completed,
		atomic_load_explicit(&tally->seen_completed, memory_order_relaxed) + 1,
		memory_order_relaxed);
	conn->good_count++;
	pending->is_finished = true;
	pop_finished(conn);
}

static void count_failed(struct worker *worker, enum fault fault, soon_ns now)
{
	tally_failed(&worker->tally, fault);
	if (worker_measures(worker, now))
		tally_failed_at(&worker->tally, now - worker->start);
	worker->last = now;
}

void conn_failed(struct conn *conn, struct pending *pending, enum fault fault)
{
	if (pending->is_counted)
		count_failed(conn->worker, fault, soon_now());
	pending->is_finished = true;
	pop_finished(conn);
}

void conn_lose(struct conn *conn, enum fault fault)
{
	while (conn->count > 0)
		conn_failed(conn, conn_oldest(conn), fault);
}

void conn_refuse(struct conn *conn, enum fault fault)
{
	soon_ns now = soon_now();

	if (conn->count > 0)
		conn_lose(conn, fault);
	else if (worker_measures(conn->worker, now))
		count_failed(conn->worker, fault, now);
}

int conn_open(struct conn *conn)
{
	struct worker *worker = conn->worker;
	soon_ns begin = soon_now(), connected = 0, shaken = 0;
	int rc;

	conn->is_last_sent = false;
	conn->sent_count = 0;
	conn->good_count = 0;
	conn->want = 1;
	conn->body_at = 0;
	conn->is_body_wrong = false;
	reply_begin(&conn->reply, false);
	if (conn->protocol->is_datagram)
		return dial_udp(worker->run, conn->id, &conn->fd);

	rc = (int)soon_within(conn->plan->timeout,
		dial(worker->run, conn->id, &connected, &shaken, &conn->stream));
	/* Those of the first opening count as well: in most runs there are no more. */
	if (connected != 0)
		soon_hist_record(
			worker->tally.phases[PHASE_CONNECT], (uint64_t)(connected - begin));
	if (shaken != 0)
		soon_hist_record(worker->tally.phases[PHASE_TLS], (uint64_t)(shaken - connected));
	worker->tally.opened += rc == 0;
	return rc;
}

void conn_close(struct conn *conn, bool is_orderly)
{
	soon_slice rest;
	ssize_t n = is_orderly && conn->count == 0 ? 0 : -ECONNABORTED;

	/* Whoever closes first keeps the port: the server was asked to. */
	if (conn->stream != NULL && conn->is_last_sent && n == 0)
		n = soon_within(GOODBYE, soon_stream_peek(conn->stream, 1, &rest));
	if (n < 0)
		soon_stream_abort(conn->stream);
	else
		(void)soon_stream_close(conn->stream); /* what it could say has been said */
	conn->stream = NULL;
	if (conn->fd >= 0)
		(void)soon_close(conn->fd);
	conn->fd = -1;
}

bool conn_next_due(struct conn *conn, soon_ns now, soon_ns *ret_due)
{
	struct worker *worker = conn->worker;

	if (conn->has_claim) {
		*ret_due = conn->claim;
		return true;
	}
	if (worker->quota == 0 || worker->is_exhausted)
		return false;
	if (conn->plan->is_open) {
		soon_ns offset = arrivals_next(&worker->arrivals);

		if (offset >= worker->end - worker->start) {
			worker->is_exhausted = true;
			return false;
		}
		conn->claim = worker->start + offset;
		conn->has_claim = true;
		conn->is_claim_early = conn->claim > now;
		if (offset >= 0)
			tally_due(&worker->tally, offset);
		*ret_due = conn->claim;
	} else {
		if (now >= worker->end)
			return false;
		*ret_due = conn->opening_since != 0 ? conn->opening_since : now;
	}
	if (*ret_due >= worker->start && worker->quota != UINT64_MAX)
		worker->quota--;
	return true;
}

/* A request that could not be made, because there was no connection. */
static void fail_unsent(struct conn *conn, enum fault fault, soon_ns now)
{
	soon_ns due;

	if (!conn_next_due(conn, now, &due) || due > now)
		return;
	conn->has_claim = false;
	if (worker_measures(conn->worker, due))
		count_failed(conn->worker, fault, now);
}

/* A pause that doubles, so that a server that is down is not asked all the time. */
static int pause_after(struct conn *conn)
{
	unsigned doubled = conn->failures < PAUSE_DOUBLED ? conn->failures : PAUSE_DOUBLED;

	conn->failures++;
	return soon_sleep(PAUSE_MIN << doubled);
}

static int open_failed(struct conn *conn, int rc)
{
	enum fault fault = rc == -ETIMEDOUT ? FAULT_CONNECT : fault_of_connect(rc);
	const char *advice;

	if (rc == -ECANCELED)
		return rc;
	if (fault_is_ours(rc, &advice))
		return soon_fail(rc, "%s", advice);
	if (conn->plan->url.scheme == URL_HTTPS && rc != -ECONNREFUSED)
		fault = FAULT_TLS;
	tally_message(&conn->worker->tally, fault, "connection %u could not be opened again: %s",
		conn->id, soon_fail_message() != NULL ? soon_fail_message() : strerrordesc_np(-rc));
	fail_unsent(conn, fault, soon_now());
	return pause_after(conn);
}

/* In a churning open loop a connection is opened for a request, when that is due. */
static int wait_until_due(struct conn *conn)
{
	soon_ns due;

	if (!conn_next_due(conn, soon_now(), &due))
		return 0;
	return soon_sleep_until(due);
}

/* Whether there is anything to send; a claim may be taken for it. */
static bool has_more(struct conn *conn)
{
	if (conn->plan->is_open)
		return conn->has_claim || !(conn->worker->is_exhausted || conn->worker->quota == 0);
	return conn->worker->quota > 0 && soon_now() < conn->worker->end;
}

static int reopen(struct conn *conn)
{
	int rc = 0;

	if (conn->plan->is_open && conn->plan->requests_per_connection > 0) {
		rc = wait_until_due(conn);
		if (rc < 0 || !conn->has_claim)
			return rc < 0 ? rc : CONN_BROKEN;
	}
	if (!conn->plan->is_open)
		conn->opening_since = soon_now();
	rc = conn_open(conn);
	if (rc == 0)
		return 0;
	rc = open_failed(conn, rc);
	return rc < 0 ? rc : CONN_BROKEN;
}

static int go_on(struct conn *conn)
{
	int rc = 0;

	while (has_more(conn)) {
		if (conn->stream == NULL && conn->fd < 0) {
			rc = reopen(conn);
			if (rc == CONN_BROKEN)
				continue;
			if (rc < 0)
				return rc;
		}
		rc = conn_talk(conn);
		conn_close(conn, rc == 0);
		if (conn->good_count > 0)
			conn->failures = 0;
		else if (rc == CONN_BROKEN)
			rc = pause_after(conn);
		if (rc < 0 && rc != CONN_BROKEN)
			return rc;
	}
	return 0;
}

static int open_first(struct conn *conn)
{
	struct worker *worker = conn->worker;
	const char *advice;
	int rc;

	/* Of a server's backlog, some at a time. */
	rc = soon_sem_acquire(&worker->dialing, 1);
	if (rc < 0)
		return rc;
	rc = conn_open(conn);
	(void)soon_sem_release(&worker->dialing, 1);
	if (rc < 0 && rc != -ECANCELED && fault_is_ours(rc, &advice))
		return soon_fail(rc, "connection %u of %u: %s", conn->id + 1,
			conn->plan->connections, advice);
	/* A churning run opens its own; one shows that there is a server. */
	if (rc == 0 && conn->plan->requests_per_connection > 0)
		conn_close(conn, true);
	return rc;
}

/* What was under way, or claimed, when the run ended. */
static void account(struct conn *conn, soon_ns now)
{
	struct tally *tally = &conn->worker->tally;

	for (unsigned i = 0; i < conn->count; i++) {
		struct pending *pending = conn_pending(conn, i);

		tally->unfinished += pending->is_counted && !pending->is_finished;
	}
	if (!conn->has_claim || conn->claim < conn->worker->start)
		return;
	if (conn->claim <= now)
		tally->unsent++;
	else
		tally_not_due(tally, conn->claim - conn->worker->start);
}

int conn_run(struct conn *conn)
{
	bool is_opened =
		conn->plan->requests_per_connection == 0 || conn->id == conn->worker->first_conn;
	int rc = is_opened ? open_first(conn) : 0;

	if (rc == 0) {
		worker_opened(conn->worker);
		rc = soon_event_wait(&conn->worker->begun);
		/* The schedule of an open loop says by itself when it begins. */
		if (rc == 0 && !conn->plan->is_open)
			rc = soon_sleep_until(conn->worker->begin);
	}
	if (rc == 0)
		rc = go_on(conn);
	account(conn, soon_now());
	conn_close(conn, rc == 0);
	return rc;
}
