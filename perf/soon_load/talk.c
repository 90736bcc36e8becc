// SPDX-License-Identifier: Apache-2.0
/* The life of an open connection: send what is due, wait, take what came. */
#include <soon/scope.h>

#include "worker.h"

#include <string.h>

static int broken(struct conn *conn, int rc)
{
	enum fault fault = fault_of_stream(rc);
	const char *advice;

	if (rc == -ECANCELED)
		return rc;
	if (fault_is_ours(rc, &advice))
		return soon_fail(rc, "%s", advice);
	tally_message(&conn->worker->tally, fault, "connection %u, %u under way: %s", conn->id,
		conn->count,
		soon_fail_message() != NULL && fault == FAULT_TLS ? soon_fail_message()
								  : strerrordesc_np(-rc));
	conn_lose(conn, fault);
	return CONN_BROKEN;
}

static int send_one(struct conn *conn, soon_ns due, soon_ns now)
{
	struct worker *worker = conn->worker;
	struct pending *pending = conn_pending(conn, conn->count++);
	bool is_counted = worker_measures(worker, due);

	*pending = (struct pending){ .due = due, .sent = now, .is_counted = is_counted };
	conn->number++;
	conn->sent_count++;
	if (conn->sent_count == conn->plan->requests_per_connection)
		conn->is_last_sent = true;
	if (worker_measures(worker, now))
		tally_sent(&worker->tally, now - worker->start);
	if (conn->has_claim && conn->is_claim_early && is_counted)
		soon_hist_record(worker->tally.lag, (uint64_t)(now - due));
	conn->has_claim = false;
	conn->opening_since = 0;
	return (int)soon_within(conn->plan->timeout, conn->protocol->send(conn, pending));
}

/* Sends all that is due. `ret_wake`: when the next one is; SOON_NEVER when none will be. */
static int fill(struct conn *conn, soon_ns now, soon_ns *ret_wake)
{
	*ret_wake = SOON_NEVER;
	while (conn->count < conn->plan->pipeline && !conn->is_last_sent) {
		soon_ns due;
		int rc;

		if (!conn_next_due(conn, now, &due))
			return 0;
		if (due > now) {
			/* The clock may have moved on since `now`. */
			now = soon_now();
			if (due > now) {
				*ret_wake = due;
				return 0;
			}
		}
		rc = send_one(conn, due, now);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static ssize_t await(struct conn *conn, soon_ns now, soon_ns wake, soon_slice *ret_data)
{
	soon_ns until = wake;

	if (conn->count > 0 && conn_oldest(conn)->sent + conn->plan->timeout < until)
		until = conn_oldest(conn)->sent + conn->plan->timeout;
	/* What is due already is looked at after what has come. */
	return soon_within(until > now ? until - now : 1, conn->protocol->wait(conn, ret_data));
}

/* The time of a wait is over: a request is due, or a reply is overdue. */
static int time_over(struct conn *conn, soon_ns now)
{
	struct pending *oldest = conn_oldest(conn);

	if (conn->count == 0 || now < oldest->sent + conn->plan->timeout)
		return 0;
	tally_message(&conn->worker->tally, FAULT_TIMEOUT,
		"connection %u: no whole reply within %.3g s (%s)", conn->id,
		(double)conn->plan->timeout / 1e9,
		oldest->first == 0 ? "nothing came" : "a part came");
	if (conn->protocol->is_datagram) {
		conn_failed(conn, oldest, FAULT_TIMEOUT);
		return 0;
	}
	conn_lose(conn, FAULT_TIMEOUT);
	return CONN_BROKEN;
}

/* The server sends no more. */
static int ended(struct conn *conn, soon_ns now)
{
	if (conn->protocol->end(conn, now) == 0 && conn->count == 0)
		return CONN_BROKEN;
	if (conn->count > 0) {
		tally_message(&conn->worker->tally, FAULT_CLOSED,
			"connection %u: closed by the server with %u under way, after %llu replies",
			conn->id, conn->count, (unsigned long long)conn->good_count);
		conn_lose(conn, FAULT_CLOSED);
	}
	return CONN_BROKEN;
}

static int take(struct conn *conn, soon_slice data, soon_ns now)
{
	ssize_t taken = conn->protocol->take(conn, data, now);

	if (taken < 0)
		return CONN_BROKEN;
	if (conn->stream != NULL && taken > 0)
		soon_stream_consume(conn->stream, (size_t)taken);
	conn->want = taken == 0 ? data.len + 1 : 1;
	if (worker_measures(conn->worker, now))
		conn->worker->tally.bytes_received += (uint64_t)taken;
	return 0;
}

int conn_talk(struct conn *conn)
{
	soon_ns now = soon_now();

	for (;;) {
		soon_slice data;
		soon_ns wake;
		ssize_t n;
		int rc = fill(conn, now, &wake);

		if (rc < 0)
			return broken(conn, rc);
		if (conn->count == 0 && wake == SOON_NEVER)
			return 0;
		n = await(conn, now, wake, &data);
		now = soon_now();
		if (n > 0)
			rc = take(conn, data, now);
		else if (n == 0)
			rc = ended(conn, now);
		else if (n == -ETIMEDOUT)
			rc = time_over(conn, now);
		else
			return broken(conn, (int)n);
		if (rc < 0)
			return rc;
	}
}
