// SPDX-License-Identifier: Apache-2.0
/* See service.h. */
#include "service.h"

#include <soon/addr.h>
#include <soon/group.h>
#include <soon/listener.h>
#include <soon/signal.h>
#include <soon/task.h>
#include <soon/time.h>

#include <signal.h>
#include <stdio.h>

#define GRACE SOON_S(2)

static int app(struct service *service)
{
	char where[32];
	soon_addr addr;
	int rc;

	SOON_GROUP(group, .name = "service");
	(void)snprintf(where, sizeof(where), "127.0.0.1:%u", (unsigned)service->opts->port);
	rc = soon_listen(where, NULL, &service->listener);
	if (rc == 0) {
		soon_listener_addr(service->listener, &addr);
		server_announce(soon_addr_port(&addr));
		rc = soon_spawn(&group, service->serve, service);
	}
	if (rc == 0)
		rc = soon_signal_wait(SIGTERM, SIGINT, 0);
	if (rc > 0) {
		soon_group_drain(&group, GRACE);
		rc = 0;
	}
	rc = (int)soon_group_close(&group, rc);
	soon_listener_close(service->listener);
	return rc;
}

int service_main(struct service *service)
{
	int rc = soon_run(app, service);

	if (rc < 0)
		server_die("soon_run", rc);
	return 0;
}
