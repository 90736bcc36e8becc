// SPDX-License-Identifier: Apache-2.0
/*
 * What soon's benchmark servers share: run, listen, announce, serve until SIGTERM, drain. With
 * several cores each serves, bound to a processor that the program may use: taskset says which.
 */
#ifndef PERF_SERVICE_H
#define PERF_SERVICE_H

#include <soon/listener.h>
#include <soon/tls.h>

#include "../common/server.h"

struct service {
	const struct server_opts *opts;
	soon_tls *tls; /* NULL: in clear */

	/* Serves one core's listener until its scope is drained; `service` is for all cores. */
	int (*serve)(soon_listener *listener, const struct service *service);
};

/* Returns the process's exit status. */
int service_main(struct service *service);

#endif
