// SPDX-License-Identifier: Apache-2.0
/* See service.h. */
#include "service.h"

#include <soon/addr.h>
#include <soon/group.h>
#include <soon/listener.h>
#include <soon/service.h>
#include <soon/signal.h>
#include <soon/task.h>
#include <soon/time.h>

#include <signal.h>
#include <stdio.h>

#define GRACE SOON_S(2)

static int serve_one(soon_listener *listener, void *service)
{
	const struct service *shared = service;

	return shared->serve(listener, shared);
}

static int app(struct service *service)
{
	soon_listen_opts opts = { .reuse_port = service->opts->cores > 1 };
	soon_cores_service cores = { .serve = serve_one, .arg = service };
	char where[32];
	soon_addr addr;
	int rc;

	SOON_GROUP(group, .name = "service");
	(void)snprintf(where, sizeof(where), "127.0.0.1:%u", (unsigned)service->opts->port);
	rc = soon_listen(where, &opts, &cores.listener);
	if (rc == 0) {
		soon_listener_addr(cores.listener, &addr);
		server_announce(soon_addr_port(&addr));
		rc = soon_spawn(&group, soon_serve_on_cores, &cores);
	}
	if (rc == 0)
		rc = soon_signal_wait(SIGTERM, SIGINT, 0);
	if (rc > 0) {
		soon_group_drain(&group, GRACE);
		rc = 0;
	}
	rc = (int)soon_group_close(&group, rc);
	soon_listener_close(cores.listener);
	return rc;
}

int service_main(struct service *service)
{
	soon_opts opts = { .cores = service->opts->cores };
	int rc = soon_run_with(&opts, app, service);

	if (rc < 0)
		server_die("soon_run", rc);
	return 0;
}
