// SPDX-License-Identifier: Apache-2.0
/*
 * The programs of docs/guide/names-and-connecting.md. The names come from a file of its own, so
 * that it prints the same everywhere.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char hosts_path[] = "/tmp/soon-names-XXXXXX";

/* Connects, and gives up after three seconds, however many addresses there are. */
static int connect_in_time(const char *where, soon_stream **ret_stream)
{
	int rc = (int)soon_within(SOON_S(3), soon_dial(where, NULL, ret_stream));

	if (rc < 0)
		printf("%s\n", soon_fail_message());
	return rc;
}

/* All addresses of a name, the best one first. */
static int show_addresses(const char *where, const soon_resolve_opts *opts)
{
	soon_addr addrs[8];
	int count = soon_resolve(where, opts, addrs, 8);

	for (int i = 0; i < count; i++) {
		char text[SOON_ADDR_TEXT_BYTES];

		printf("%s is %s\n", where, soon_addr_format(&addrs[i], text));
	}
	return count < 0 ? count : 0;
}

/* Asks name servers of one's own, and the second one sooner than /etc/resolv.conf would have it. */
static int ask_the_registry(const char *where)
{
	static const soon_resolve_opts registry = {
		.servers = "127.0.0.1:8600,10.0.0.2",
		.timeout = SOON_MS(500),
		.tries = 2,
	};

	return show_addresses(where, &registry);
}

/* Connects to an address that is written down: nobody is asked, nothing is raced. */
static int connect_pinned(const soon_addr *addr, soon_stream **ret_stream)
{
	char where[SOON_ADDR_TEXT_BYTES];

	return soon_dial(soon_addr_format(addr, where), NULL, ret_stream);
}

/* Nobody listens at either address of "db": the message has both. */
static int show_failure(const soon_resolve_opts *opts)
{
	soon_stream *stream;
	int rc = soon_dial("db:1", &(soon_stream_opts){ .resolve = opts }, &stream);

	if (rc == 0)
		return (int)soon_stream_close(stream);
	printf("%s\n", soon_fail_message());
	return rc == -ECONNREFUSED ? 0 : rc;
}

/* The first address of "web" refuses, the second one listens: only the caller's patience counts. */
static int show_race(const soon_resolve_opts *opts)
{
	char where[32], text[SOON_ADDR_TEXT_BYTES];
	soon_listener *listener;
	soon_stream *stream;
	soon_addr addr;
	int rc = soon_listen("127.0.0.3:0", NULL, &listener);

	if (rc < 0)
		return rc;
	soon_listener_addr(listener, &addr);
	(void)snprintf(where, sizeof where, "web:%u", soon_addr_port(&addr));
	rc = soon_dial(where, &(soon_stream_opts){ .resolve = opts }, &stream);
	if (rc == 0 && (rc = soon_stream_peer(stream, &addr)) == 0) {
		(void)soon_addr_format(&addr, text);
		*strrchr(text, ':') = '\0';
		printf("web answers at %s\n", text);
	}
	if (rc == 0)
		rc = (int)soon_stream_close(stream);
	if (rc == 0)
		rc = connect_pinned(&addr, &stream);
	if (rc == 0)
		rc = (int)soon_stream_close(stream);
	soon_listener_close(listener);
	return rc;
}

static int app(void *unused)
{
	static const char hosts[] = "127.0.0.2 db web\n127.0.0.3 db web\n::1 six\n";
	soon_resolve_opts opts = { .hosts = hosts_path };
	soon_stream *stream;
	int fd = mkstemp(hosts_path);
	int rc = fd < 0 || write(fd, hosts, sizeof hosts - 1) < 0 ? -EIO : 0;

	(void)unused;
	if (fd >= 0)
		(void)close(fd);
	if (rc == 0)
		rc = show_addresses("db:5432", &opts);
	if (rc == 0)
		rc = show_addresses("six:https", &opts);
	if (rc == 0)
		rc = show_failure(&opts);
	if (rc == 0)
		rc = show_race(&opts);
	if (rc == 0 && ask_the_registry("127.0.0.1:80") == 0)
		rc = connect_in_time("127.0.0.1:1", &stream) == -ECONNREFUSED ? 0 : -EPROTO;
	(void)unlink(hosts_path);
	return rc;
}

int main(void)
{
	return soon_run(app, NULL) < 0;
}
