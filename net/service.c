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
#include <soon/service.h>

#include "errtext.h"
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
	soon_scope *pause; /* of the accept loop while it waits for a connection to end */
	uint64_t conns_max;
	soon_ns reported_at; /* 0: never */
	uint64_t unreported; /* troubles since then */
};

static uint64_t conns_max_default(void)
{
	struct rlimit limit;
	rlim_t share;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return CONNS_MAX;
	share = limit.rlim_cur / 100 * CONNS_PERCENT + limit.rlim_cur % 100 * CONNS_PERCENT / 100;
	if (share > CONNS_MAX)
		return CONNS_MAX;
	return share > 0 ? share : 1;
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
	return rc == -ECONNRESET || rc == -EPIPE || rc == -ETIMEDOUT;
}

static void conn_ended(struct serving *sv, int rc) SOON_ON_CORE
{
	SOON_ASSERT(sv->stats->live > 0);
	sv->stats->live--;
	if (rc < 0 && rc != -ECANCELED) {
		sv->stats->failed++;
		if (!is_peers_doing(rc))
			trouble_report(sv, rc, "a handler failed", soon_fail_message());
	}
	if (sv->pause != NULL && sv->stats->live < sv->conns_max)
		soon_scope_cancel(sv->pause, "a connection ended");
}

static int conn_main(soon_stream *conn) SOON_SUSPENDS
{
	struct serving *sv = conn->owner;
	soon_ns linger = sv->service->linger != 0 ? sv->service->linger : LINGER;
	int rc = sv->service->handle(conn, sv->service->arg);
	int closed = (int)soon_within(linger, soon_stream_close(conn));

	conn_ended(sv, rc < 0 ? rc : closed);
	return 0;
}

static void conn_refuse(struct serving *sv, soon_stream *conn, int rc) SOON_SUSPENDS
{
	sv->stats->refused++;
	soon_stream_abort(conn);
	trouble_report(sv, rc, "a connection was refused", NULL);
}

static void conn_start(struct serving *sv, soon_stream *conn) SOON_SUSPENDS
{
	soon_task_opts opts = {
		.name = service_name(sv),
		.stack_bytes = sv->service->stack_bytes,
	};
	int rc;

	sv->stats->accepted++;
	conn->owner = sv;
	rc = soon_spawn_with(sv->conns, &opts, conn_main, conn);
	if (rc < 0)
		conn_refuse(sv, conn, rc);
	else
		sv->stats->live++;
}

/* Waits until a connection ends. */
static int pause_wait(struct serving *sv) SOON_SUSPENDS
{
	int rc = -ECANCELED;

	SOON_SCOPE(until_one_ends, .timeout = 0);
	sv->stats->paused++;
	sv->pause = &until_one_ends;
	SOON_IDLE {
		rc = soon_sleep_until(SOON_NEVER);
	}
	sv->pause = NULL;
	return (int)soon_scope_close(&until_one_ends, rc);
}

static int starved_wait(struct serving *sv, int why) SOON_SUSPENDS
{
	int rc = -ECANCELED;

	sv->stats->starved++;
	trouble_report(sv, why, "cannot accept", NULL);
	SOON_IDLE {
		rc = soon_sleep(STARVED_PAUSE);
	}
	return rc;
}

/* Accepts until that fails. Returns: why; -ECANCELED may be a drain. */
static int accept_loop(struct serving *sv) SOON_SUSPENDS
{
	for (;;) {
		soon_stream *conn = NULL;
		int rc = -ECANCELED;

		if (sv->stats->live >= sv->conns_max) {
			rc = pause_wait(sv);
		} else {
			SOON_IDLE {
				rc = soon_listener_accept(sv->service->listener, &conn);
			}
			if (rc == 0)
				conn_start(sv, conn);
			else if (rc == -ENOMEM)
				rc = starved_wait(sv, rc);
		}
		if (rc < 0)
			return rc;
	}
}

/* Serves those who are connected already, and closes the door behind them. */
static void accept_late(struct serving *sv) SOON_SUSPENDS
{
	soon_stream *conn;

	while (soon_listener_accept(sv->service->listener, &conn) == 0) {
		if (sv->stats->live < sv->conns_max) {
			conn_start(sv, conn);
			continue;
		}
		sv->stats->accepted++;
		conn_refuse(sv, conn, -EMFILE);
	}
}

int soon_serve(const soon_service *service)
{
	soon_service_stats own_stats;
	struct serving sv = { .service = service, .stats = &own_stats };
	int rc;

	SOON_ASSERT(service != NULL);
	SOON_ASSERT(service->listener != NULL);
	SOON_ASSERT(service->handle != NULL);
	if (service->stats != NULL)
		sv.stats = service->stats;
	*sv.stats = (soon_service_stats){ 0 };
	sv.conns_max = service->conns_max != 0 ? service->conns_max : conns_max_default();

	SOON_GROUP(conns, .policy = SOON_WAIT_ALL);
	sv.conns = &conns;
	rc = accept_loop(&sv);
	soon_listener_stop(service->listener);
	if (rc == -ECANCELED && !soon_cancelled()) {
		accept_late(&sv);
		rc = 0;
	}
	return (int)soon_group_close(&conns, rc);
}
