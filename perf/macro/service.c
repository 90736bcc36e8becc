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

#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#define GRACE   SOON_S(2)
#define FDS_MAX 64 /* the listening socket is among the first */

static int serve_one(soon_listener *listener, void *service)
{
	const struct service *shared = service;

	return shared->serve(listener, shared);
}

/*
 * Makes the kernel choose the socket by the CPU that a connection is made on, which loopback
 * also receives on. The sockets are numbered as they begin to listen, so the first is that of the
 * first core, which stays on the CPU that the run began on; the others follow it. No service would
 * do this; it keeps what the load does out of what cores cost.
 */
static int choose_by_cpu(unsigned cores)
{
	uint32_t ahead = cores - (uint32_t)sched_getcpu() % cores;
	struct sock_filter by_cpu[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_CPU)),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, ahead),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, cores),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = { sizeof(by_cpu) / sizeof(by_cpu[0]), by_cpu };

	for (int fd = 0; fd < FDS_MAX; fd++) {
		int listens = 0;
		socklen_t bytes = sizeof(listens);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) != 0 || !listens)
			continue;
		if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
			    sizeof(program)) != 0)
			return -errno;
		return 0;
	}
	return -EBADF;
}

/* TLS 1.3 only, everything else as shipped. */
static int tls_begin(struct service *service)
{
	const soon_tls_cert cert = { service->opts->cert_file, service->opts->key_file };
	soon_tls_opts opts = { .certs = &cert, .certs_count = 1, .only_1_3 = true };

	if (cert.chain_file == NULL)
		return 0;
	return soon_tls_server(&opts, &service->tls);
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
	rc = tls_begin(service);
	if (rc == 0)
		rc = soon_listen(where, &opts, &cores.listener);
	if (rc == 0 && service->opts->is_by_cpu)
		rc = choose_by_cpu(service->opts->cores);
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
	soon_tls_free(service->tls);
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
