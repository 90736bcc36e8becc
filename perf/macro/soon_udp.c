// SPDX-License-Identifier: Apache-2.0
/*
 * The UDP echo server as a user of soon would write it: one task, as many datagrams at a time as
 * are there.
 */
#include <soon/dgram.h>
#include <soon/group.h>
#include <soon/signal.h>

#include "../common/server.h"

#include <signal.h>
#include <stdio.h>

#define BATCH_COUNT 32

static int echo(soon_dgram *dgram)
{
	static soon_packet packets[BATCH_COUNT]; /* too large for a frame; one task uses it */
	int count;

	while ((count = soon_dgram_next_batch(dgram, packets, BATCH_COUNT)) > 0) {
		count = soon_dgram_send_batch(dgram, packets, (unsigned)count);
		if (count < 0)
			break;
	}
	return count;
}

static int app(const struct server_opts *opts)
{
	const soon_dgram_opts dgram_opts = { .in_bytes = SERVER_UDP_QUEUE_BYTES };
	soon_dgram *dgram;
	soon_addr addr;
	char where[32];
	int rc;

	SOON_GROUP(group, .name = "echo");
	(void)snprintf(where, sizeof(where), "127.0.0.1:%u", (unsigned)opts->port);
	rc = soon_dgram_bind(where, &dgram_opts, &dgram);
	if (rc < 0)
		return (int)soon_group_close(&group, rc);
	soon_dgram_addr(dgram, &addr);
	server_announce(soon_addr_port(&addr));
	rc = soon_spawn(&group, echo, dgram);
	if (rc == 0)
		rc = soon_signal_wait(SIGTERM, SIGINT, 0);
	soon_group_cancel(&group, "the end");
	rc = (int)soon_group_close(&group, rc < 0 ? rc : 0);
	soon_dgram_close(dgram);
	return rc;
}

int main(int argc, char **argv)
{
	struct server_opts opts;
	int rc;

	server_parse(argc, argv, &opts);
	rc = soon_run(app, &opts);
	if (rc < 0)
		server_die("soon_run", rc);
	return 0;
}
