// SPDX-License-Identifier: Apache-2.0
#include "run.h"

#include <soon/cores.h>
#include <soon/group.h>
#include <soon/io.h>
#include <soon/resolve.h>
#include <soon/scope.h>
#include <soon/signal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRS_MAX 3  /* that are tried */
#define LINE      64 /* of a cache: workers do not share one */

int outcome_init(struct outcome *outcome)
{
	*outcome = (struct outcome){ .io = "" };
	return tally_init(&outcome->tally);
}

void outcome_fini(struct outcome *outcome)
{
	tally_fini(&outcome->tally);
}

/* Of the addresses of a name, the first that can be connected to. */
static int choose(struct run *run, const soon_addr *addrs, int count)
{
	int rc = -ENOENT;

	for (int i = 0; i < count; i++) {
		soon_ns connected, shaken;
		soon_stream *stream;

		run->addr = addrs[i];
		if (count == 1 || run->plan->url.scheme == URL_UDP)
			return 0;
		rc = (int)soon_within(
			run->plan->timeout, dial(run, 0, &connected, &shaken, &stream));
		if (rc == 0)
			(void)soon_stream_close(stream);
		if (rc == 0 || rc == -ECANCELED)
			return rc;
	}
	return rc;
}

static int find_server(struct run *run)
{
	const struct url *url = &run->plan->url;
	soon_addr addrs[ADDRS_MAX];
	int count;

	if (url->is_unix)
		return soon_addr_parse(url->where, &run->addr);
	count = (int)soon_within(
		run->plan->timeout, soon_resolve(url->where, NULL, addrs, ADDRS_MAX));
	if (count == -ETIMEDOUT)
		return soon_fail(count, "%s was not found in time", url->host);
	return count < 0 ? count : choose(run, addrs, count);
}

static void worker_destroy(struct worker *worker)
{
	if (worker == NULL)
		return;
	for (unsigned i = 0; worker->conns != NULL && i < worker->conn_count; i++) {
		free(worker->conns[i].ring);
		free(worker->conns[i].buffer);
	}
	free(worker->conns);
	free(worker->pattern);
	tally_fini(&worker->tally);
	free(worker);
}

static const struct protocol *protocol_of(const struct plan *plan)
{
	switch (plan->url.scheme) {
	case URL_ECHO:
		return &protocol_echo;
	case URL_UDP:
		return &protocol_udp;
	case URL_HTTP:
	case URL_HTTPS:
		break;
	}
	return &protocol_http;
}

static int conn_init(struct worker *worker, struct conn *conn, unsigned id)
{
	const struct plan *plan = worker->plan;

	*conn = (struct conn){
		.worker = worker,
		.plan = plan,
		.protocol = protocol_of(plan),
		.id = id,
		.fd = -1,
		.ring = calloc(plan->pipeline, sizeof *conn->ring),
	};
	if (conn->protocol->is_datagram)
		conn->buffer = malloc(2 * plan->echo_bytes + 1);
	return conn->ring == NULL || (conn->protocol->is_datagram && conn->buffer == NULL) ? -ENOMEM
											   : 0;
}

/* Bytes that look like nothing that a server makes up. */
static int make_pattern(struct worker *worker)
{
	uint32_t state = 2463534242;

	worker->pattern = malloc(worker->plan->echo_bytes + 1);
	if (worker->pattern == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < worker->plan->echo_bytes; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		worker->pattern[i] = (char)state;
	}
	return 0;
}

/* The part of `all` that the worker has of something that is shared evenly. */
static uint64_t share_of(uint64_t all, unsigned index, unsigned count)
{
	return all / count + (index < all % count);
}

static int worker_create(struct run *run, unsigned index, struct worker **ret_worker)
{
	const struct plan *plan = run->plan;
	unsigned before = 0;
	struct worker *worker;
	int rc;

	worker = aligned_alloc(LINE, (sizeof *worker + LINE - 1) / LINE * LINE);
	if (worker == NULL)
		return -ENOMEM;
	memset(worker, 0, sizeof *worker);
	*ret_worker = worker;
	worker->run = run;
	worker->plan = plan;
	worker->index = index;
	for (unsigned i = 0; i < index; i++)
		before += (unsigned)share_of(plan->connections, i, run->worker_count);
	worker->first_conn = before;
	worker->conn_count = (unsigned)share_of(plan->connections, index, run->worker_count);
	worker->quota = plan->requests == 0 ? UINT64_MAX
					    : share_of(plan->requests, index, run->worker_count);
	worker->next_target = share_of(plan->targets.count, index, run->worker_count);
	if (worker->next_target >= plan->targets.count)
		worker->next_target = 0;
	worker->conns = calloc(worker->conn_count, sizeof *worker->conns);
	if (worker->conns == NULL)
		return -ENOMEM;
	rc = tally_init(&worker->tally);
	if (rc == 0)
		rc = make_pattern(worker);
	for (unsigned i = 0; rc == 0 && i < worker->conn_count; i++)
		rc = conn_init(worker, &worker->conns[i], before + i);
	return rc;
}

static int run_core(struct run *run)
{
	return worker_run(run->workers[soon_core_index(NULL)]);
}

/* Ends the run like Ctrl-C does; see soon_opts.sigint. */
static int wait_for_sigterm(soon_scope *load)
{
	int rc = soon_signal_wait(SIGTERM, 0);

	if (rc > 0)
		soon_scope_cancel(load, "SIGTERM");
	return rc < 0 ? rc : 0;
}

static int load_on_all(struct run *run)
{
	bool is_terminated;
	int rc = 0;

	SOON_GROUP(watchers, .name = "watchers");
	SOON_SCOPE(load);
	if (!run->plan->is_quiet && isatty(STDERR_FILENO) == 1)
		rc = soon_spawn(&watchers, progress_show, run);
	if (rc == 0)
		rc = soon_spawn(&watchers, wait_for_sigterm, &load);
	if (rc == 0)
		rc = soon_on_each_core(run_core, run);
	is_terminated = rc == -ECANCELED;
	rc = (int)soon_scope_close(&load, rc);
	soon_group_cancel(&watchers, "the end");
	rc = (int)soon_group_close(&watchers, rc);
	return rc == 0 && is_terminated ? -ECANCELED : rc;
}

static int prepare(struct run *run, struct plan *plan)
{
	int rc = find_server(run);

	if (rc == 0 && plan->url.scheme == URL_HTTPS)
		rc = soon_tls_client(&plan->tls, &run->tls);
	if (rc == 0 && plan->is_same_body)
		rc = probe_bodies(run, &plan->targets);
	for (unsigned i = 0; rc == 0 && i < run->worker_count; i++)
		rc = worker_create(run, i, &run->workers[i]);
	return rc;
}

static void collect(const struct run *run, struct outcome *outcome)
{
	(void)soon_addr_format(&run->addr, outcome->address);
	outcome->io = soon_io_backend(NULL) == SOON_IO_EPOLL ? "epoll" : "io_uring";
	for (unsigned i = 0; i < run->worker_count; i++) {
		const struct worker *worker = run->workers[i];

		if (worker == NULL || worker->tally.lag == NULL)
			continue;
		tally_add(&outcome->tally, &worker->tally);
		outcome->has_begun |= worker->tally.length_ns > 0;
	}
}

int run_plan(struct plan *plan, struct outcome *outcome)
{
	struct run run = { .plan = plan, .worker_count = plan->cores };
	int rc;

	atomic_init(&run.opening, plan->connections);
	atomic_init(&run.start, 0);
	run.workers = calloc(plan->cores, sizeof *run.workers);
	if (run.workers == NULL)
		return -ENOMEM;
	rc = prepare(&run, plan);
	if (rc == 0)
		rc = load_on_all(&run);
	if (rc < 0 && rc != -ECANCELED)
		(void)snprintf(outcome->message, sizeof outcome->message, "%s",
			soon_fail_message() != NULL ? soon_fail_message() : strerrordesc_np(-rc));
	collect(&run, outcome);
	for (unsigned i = 0; i < run.worker_count; i++)
		worker_destroy(run.workers[i]);
	free(run.workers);
	soon_tls_free(run.tls);
	return rc;
}
