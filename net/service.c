// SPDX-License-Identifier: Apache-2.0
/*
 * service.c: the accept loop and its connections.
 *
 * The connections' group waits for all and minds no failure: what becomes of one connection is
 * counted and told here, and the group sees every task succeed. The accept loop waits only inside
 * SOON_IDLE, so a drain ends it at once; connections learn of the same drain by themselves,
 * because their group lies in the scope that is drained.
 */
#include <soon/assert.h>
#include <soon/io.h>
#include <soon/service.h>

#include "balance.h"
#include "errtext.h"
#include "listener.h"
#include "stream.h"

#include <sys/resource.h>

#define CONNS_MAX      10000
#define CONNS_PERCENT  80 /* of the descriptors, which others need too */
#define LINGER         SOON_S(10)
#define STARVED_PAUSE  SOON_MS(100)
#define REPORT_MIN_GAP SOON_S(1)

struct serving {
	const soon_service *service;
	soon_service_stats *stats;
	soon_group *conns;
	soon_scope *wait;        /* of the accept loop, while it waits for anything */
	bool is_full;            /* and that is for a connection to end */
	struct soon__seat *seat; /* counts the connections, and those on their way to us */
	soon_stream *arrived, **arrived_end; /* from other cores, the oldest first */
	uint32_t conns_max;
	soon_ns reported_at; /* 0: never */
	uint64_t unreported; /* troubles since then */
};

static uint32_t conns_max_default(void)
{
	struct rlimit limit;
	rlim_t share;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return CONNS_MAX;
	share = limit.rlim_cur / 100 * CONNS_PERCENT + limit.rlim_cur % 100 * CONNS_PERCENT / 100;
	if (share > CONNS_MAX)
		return CONNS_MAX;
	return share > 0 ? (uint32_t)share : 1;
}

static const char *service_name(const struct serving *sv)
{
	return sv->service->name != NULL ? sv->service->name : "connection";
}

/* Tells of trouble, but not of each: a thousand peers can cause it every second. */
static void trouble_report(struct serving *sv, int rc, const char *what, const char *detail)
	SOON_ON_CORE
{
	soon_ns now = soon_now();

	sv->unreported++;
	if (sv->reported_at != 0 && now - sv->reported_at < REPORT_MIN_GAP)
		return;
	soon_report_file(SOON_REPORT_WARNING, rc, "%s: %s: %s (%ju since the last report)",
		service_name(sv), what, detail != NULL ? detail : soon__error_text(rc),
		(uintmax_t)sv->unreported);
	sv->reported_at = now;
	sv->unreported = 0;
}

/* What happens to every service that talks to the world. */
static bool is_peers_doing(int rc)
{
	return rc == -ECONNRESET || rc == -ECONNABORTED || rc == -EPIPE || rc == -ETIMEDOUT;
}

static void conn_ended(struct serving *sv, int rc) SOON_ON_CORE
{
	SOON_ASSERT(sv->stats->live > 0);
	soon__seat_leave(sv->seat);
	sv->stats->live--;
	if (rc < 0 && rc != -ECANCELED) {
		sv->stats->failed++;
		if (!is_peers_doing(rc))
			trouble_report(sv, rc, "a connection failed", soon_fail_message());
	}
	if (sv->is_full && soon__seat_load(sv->seat) < sv->conns_max)
		soon_scope_cancel(sv->wait, "a connection ended");
}

/* A peer that cannot begin is counted like one that breaks off. */
static int conn_talk(struct serving *sv, soon_stream *conn) SOON_SUSPENDS
{
	int rc = sv->service->tls != NULL ? soon_tls_accept(conn, sv->service->tls) : 0;

	return rc < 0 ? rc : sv->service->handle(conn, sv->service->arg);
}

static int conn_main(soon_stream *conn) SOON_SUSPENDS
{
	struct serving *sv = conn->owner;
	soon_ns linger = sv->service->linger != 0 ? sv->service->linger : LINGER;
	int rc = conn_talk(sv, conn);
	int closed = (int)soon_within(linger, soon_stream_close(conn));

	conn_ended(sv, rc < 0 ? rc : closed);
	return 0;
}

static void conn_refuse(struct serving *sv, soon_stream *conn, int rc) SOON_SUSPENDS
{
	sv->stats->refused++;
	soon__seat_leave(sv->seat);
	soon_stream_abort(conn);
	trouble_report(sv, rc, "a connection was refused", NULL);
}

/* Begins one that the seat counts. */
static void conn_start(struct serving *sv, soon_stream *conn) SOON_SUSPENDS
{
	soon_task_opts opts = {
		.name = service_name(sv),
		.stack_bytes = sv->service->stack_bytes,
	};
	int rc;

	sv->stats->accepted++;
	soon__stream_init(conn, conn->fd, &sv->service->listener->opts.stream);
	conn->owner = sv;
	rc = soon_spawn_with(sv->conns, &opts, conn_main, conn);
	if (rc < 0)
		conn_refuse(sv, conn, rc);
	else
		sv->stats->live++;
}

/* On the core that it was handed to. */
static void conn_arrived(soon_callback *passing)
{
	soon_stream *conn = SOON_CONTAINER_OF(passing, soon_stream, passing);
	const struct soon__seat *seat = conn->owner;
	struct serving *sv = seat->owner;

	*sv->arrived_end = conn;
	sv->arrived_end = &conn->next_arrived;
	if (sv->wait != NULL)
		soon_scope_cancel(sv->wait, "a connection came from another core");
}

/* Hands it to the core that should have it, if that is another one. */
static bool conn_give(struct serving *sv, soon_stream *conn) SOON_ON_CORE
{
	struct soon__seat *seat = soon__seat_better(sv->seat);

	if (SOON_LIKELY(seat == NULL))
		return false;
	conn->owner = seat;
	conn->passing.fn = conn_arrived;
	if (soon_post(seat->core, &conn->passing) < 0) {
		soon__seat_leave(seat); /* its core has closed: nobody there waits for it */
		return false;
	}
	sv->stats->given++;
	return true;
}

static void conn_accepted(struct serving *sv, soon_stream *conn) SOON_SUSPENDS
{
	if (conn_give(sv, conn))
		return;
	soon__seat_enter(sv->seat);
	conn_start(sv, conn);
}

/* Begins those that other cores have handed here and counted. */
static void start_arrived(struct serving *sv) SOON_SUSPENDS
{
	soon_stream *conn;

	while ((conn = sv->arrived) != NULL) {
		sv->arrived = conn->next_arrived;
		if (sv->arrived == NULL)
			sv->arrived_end = &sv->arrived;
		soon_fd_track(conn->fd, "connection"); /* ours now */
		sv->stats->got++;
		conn_start(sv, conn);
	}
}

/* Waits for the next connection, or until one arrives from another core, which gives 0. */
static int accept_next(struct serving *sv, soon_stream **ret_conn) SOON_SUSPENDS
{
	int rc = -ECANCELED;

	SOON_SCOPE(until_arrival, .timeout = 0);
	sv->wait = &until_arrival;
	SOON_IDLE {
		rc = soon__listener_take(sv->service->listener, ret_conn);
	}
	sv->wait = NULL;
	return (int)soon_scope_close(&until_arrival, rc);
}

/* Sleeps until then, or until something changes, which gives 0. */
static int wait_until(struct serving *sv, soon_ns deadline) SOON_SUSPENDS
{
	int rc = -ECANCELED;

	SOON_SCOPE(until_change, .timeout = 0);
	sv->wait = &until_change;
	SOON_IDLE {
		rc = soon_sleep_until(deadline);
	}
	sv->wait = NULL;
	return (int)soon_scope_close(&until_change, rc);
}

static int full_wait(struct serving *sv) SOON_SUSPENDS
{
	int rc;

	sv->stats->paused++;
	sv->is_full = true;
	rc = wait_until(sv, SOON_NEVER);
	sv->is_full = false;
	return rc;
}

static int starved_wait(struct serving *sv, int why) SOON_SUSPENDS
{
	sv->stats->starved++;
	trouble_report(sv, why, "cannot accept", NULL);
	return wait_until(sv, soon_now() + STARVED_PAUSE);
}

/* Accepts until that fails. Returns: why; -ECANCELED may be a drain. */
static int accept_loop(struct serving *sv) SOON_SUSPENDS
{
	for (;;) {
		soon_stream *conn = NULL;
		int rc;

		start_arrived(sv);
		if (soon__seat_load(sv->seat) >= sv->conns_max)
			rc = full_wait(sv);
		else
			rc = accept_next(sv, &conn);
		if (conn != NULL)
			conn_accepted(sv, conn);
		else if (rc == -ENOMEM)
			rc = starved_wait(sv, rc);
		if (rc < 0)
			return rc;
	}
}

/* Serves those who are connected already, and closes the door behind them. */
static void accept_late(struct serving *sv) SOON_SUSPENDS
{
	soon_listener *listener = sv->service->listener;
	soon_stream *conn;

	while (soon__listener_take(listener, &conn) == 0) {
		bool has_room = soon__seat_load(sv->seat) < sv->conns_max;
		bool is_handed = soon__listener_is_handed_over(listener);

		soon__seat_enter(sv->seat);
		/* A hand-over refuses nobody; but those that nobody has taken are not for us. */
		if (!has_room && is_handed)
			listener->late_left = 0;
		if (has_room || is_handed) {
			conn_start(sv, conn);
			continue;
		}
		sv->stats->accepted++;
		soon__stream_init(conn, conn->fd, &listener->opts.stream);
		conn_refuse(sv, conn, -EMFILE);
	}
}

/* Is handed nothing more, and begins what is on its way: another core has counted and posted it. */
static void arrivals_end(struct serving *sv) SOON_SUSPENDS
{
	soon__seat_close(sv->seat);
	start_arrived(sv);
	while (soon__seat_load(sv->seat) > sv->stats->live) {
		SOON_SCOPE(until_arrival, .deadline = SOON_NEVER, .shield = true);
		sv->wait = &until_arrival;
		(void)!soon_sleep_until(SOON_NEVER); /* ended by the arrival only */
		sv->wait = NULL;
		(void)!soon_scope_close(&until_arrival, -ECANCELED);
		start_arrived(sv);
	}
}

int soon_serve(const soon_service *service)
{
	soon_service_stats own_stats;
	struct soon__seat own_seat = { .load = SOON__SEAT_CLOSED };
	struct serving sv = { .service = service, .stats = &own_stats, .seat = &own_seat };
	int rc;

	SOON_ASSERT(service != NULL);
	SOON_ASSERT(service->listener != NULL);
	SOON_ASSERT(service->handle != NULL);
	if (service->stats != NULL)
		sv.stats = service->stats;
	*sv.stats = (soon_service_stats){ 0 };
	sv.conns_max = service->conns_max != 0 ? service->conns_max : conns_max_default();
	sv.arrived_end = &sv.arrived;
	/*
	 * A second service on this core's listener keeps out of the balance while the first one
	 * serves, also those connections that are left when it accepts no more.
	 */
	if (service->listener->seat != NULL && soon__seat_is_free(service->listener->seat))
		sv.seat = service->listener->seat;
	/* One place is kept for who comes here while others hand theirs on. */
	soon__seat_open(sv.seat, sv.conns_max - 1, &sv);

	SOON_GROUP(conns, .policy = SOON_WAIT_ALL);
	sv.conns = &conns;
	rc = accept_loop(&sv);
	arrivals_end(&sv);
	soon_listener_stop(service->listener);
	if (rc == -ECANCELED && !soon_cancelled()) {
		accept_late(&sv);
		rc = 0;
	}
	return (int)soon_group_close(&conns, rc);
}
