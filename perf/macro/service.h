// SPDX-License-Identifier: Apache-2.0
/* What soon's benchmark servers share: run, listen, announce, serve until SIGTERM, drain. */
#ifndef PERF_SERVICE_H
#define PERF_SERVICE_H

#include <soon/listener.h>

#include "../common/server.h"

struct service {
	const struct server_opts *opts;
	int (*serve)(struct service *service); /* until its scope is drained; borrows `listener` */
	soon_listener *listener;
};

/* Returns the process's exit status. */
int service_main(struct service *service);

#endif
