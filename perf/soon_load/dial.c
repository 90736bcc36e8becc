// SPDX-License-Identifier: Apache-2.0
/*
 * From an address to a stream. Not by soon_dial(): the address was looked up once, before anything
 * is measured, and a connection may have to come from an address of ours.
 */
#include <soon/io.h>

#include "worker.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define TLS_TEXT_BYTES 256

/* What may be the cause of a connection that was not made, and so what to look at. */
static const char *connect_advice(int rc)
{
	switch (rc) {
	case -ECONNREFUSED:
		return ": nobody listens there; is the server up, and is this its port?";
	case -ENOENT:
		return ": there is no such socket; is the server up?";
	case -EACCES:
		return ": the socket is not ours to connect to, see its permissions";
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		return ": no route leads there; is the address right?";
	default:
		return "";
	}
}

/* Binds to an address of --source, in turns. The port is chosen by connect(2), for each peer. */
static int bind_source(const struct sources *sources, unsigned id, int fd)
{
	const soon_addr *addr;
	const int on = 1;

	if (sources->count == 0)
		return 0;
	addr = &sources->addrs[id % sources->count];
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)&addr->storage, addr->len) != 0) {
		char text[SOON_ADDR_TEXT_BYTES];
		int rc = -errno;

		return soon_fail(rc == -EADDRNOTAVAIL ? -EINVAL : rc,
			"--source %s is no address of this machine (%s)",
			soon_addr_format(addr, text), strerrordesc_np(-rc));
	}
	return 0;
}

static int connect_from(const struct run *run, unsigned id, int type, int *ret_fd)
{
	const soon_addr *addr = &run->addr;
	int fd = socket(addr->storage.ss_family, type | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = bind_source(&run->plan->sources, id, fd);
	if (rc == 0) {
		rc = soon_connect(fd, (const struct sockaddr *)&addr->storage, addr->len);
		if (rc < 0 && rc != -ECANCELED) {
			char text[SOON_ADDR_TEXT_BYTES];

			rc = soon_fail(rc, "%s: %s%s", soon_addr_format(addr, text),
				strerrordesc_np(-rc), connect_advice(rc));
		}
	}
	if (rc < 0)
		(void)soon_close(fd);
	else
		*ret_fd = fd;
	return rc;
}

/* The library says which field of its options is meant; here these are options of a command. */
static int tell_of_tls(int rc)
{
	const char *message = soon_fail_message();
	char text[TLS_TEXT_BYTES], *field;

	if (rc != -EKEYREJECTED || message == NULL)
		return rc;
	(void)snprintf(text, sizeof text, "%s", message);
	field = strstr(text, ": see .");
	if (field != NULL)
		*field = '\0';
	return soon_fail(rc, "%s: see --cacert and --insecure", text);
}

int dial(const struct run *run, unsigned id, soon_ns *ret_connected, soon_ns *ret_shaken,
	soon_stream **ret_stream)
{
	soon_stream *stream;
	int fd = -1;
	int rc = connect_from(run, id, SOCK_STREAM, &fd);

	if (rc < 0)
		return rc;
	*ret_connected = soon_now();
	rc = soon_stream_adopt(fd, NULL, &stream);
	if (rc < 0) {
		(void)soon_close(fd);
		return rc;
	}
	if (run->tls != NULL) {
		rc = soon_tls_connect(stream, run->tls, run->plan->url.host);
		if (rc < 0) {
			soon_stream_abort(stream);
			return tell_of_tls(rc);
		}
		*ret_shaken = soon_now();
		/* HTTP/1.1 says by itself where a reply ends. */
		soon_tls_allow_truncation(stream);
	}
	*ret_stream = stream;
	return 0;
}

int dial_udp(const struct run *run, unsigned id, int *ret_fd)
{
	return connect_from(run, id, SOCK_DGRAM, ret_fd);
}
