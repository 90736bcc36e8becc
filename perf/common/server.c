// SPDX-License-Identifier: Apache-2.0
/* Command line, listening socket and exit of the benchmark servers; see server.h. */
#include "server.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG_COUNT 4096

enum { KEY_NO_DEADLINE = 256, KEY_CORES, KEY_BY_CPU, KEY_IO, KEY_CERT, KEY_KEY };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct server_opts *opts = state->input;
	unsigned long port;
	char *end;

	switch (key) {
	case 'p':
		port = strtoul(arg, &end, 10);
		if (*arg == '\0' || *end != '\0' || port > UINT16_MAX)
			argp_error(state, "not a port: %s", arg);
		opts->port = (uint16_t)port;
		return 0;
	case KEY_CORES:
		opts->cores = (unsigned)strtoul(arg, &end, 10);
		if (*arg == '\0' || *end != '\0' || opts->cores == 0)
			argp_error(state, "not a number of cores: %s", arg);
		return 0;
	case KEY_BY_CPU:
		opts->is_by_cpu = true;
		return 0;
	case KEY_IO:
		if (setenv("SOON_IO", arg, 1) != 0)
			argp_error(state, "no memory");
		return 0;
	case KEY_CERT:
		opts->cert_file = arg;
		return 0;
	case KEY_KEY:
		opts->key_file = arg;
		return 0;
	case KEY_NO_DEADLINE:
		opts->is_deadline_off = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void server_parse(int argc, char **argv, struct server_opts *ret_opts)
{
	static const struct argp_option options[] = {
		{ "port", 'p', "N", 0, "listen on 127.0.0.1:N; 0, the default, picks a port", 0 },
		{ "no-deadline", KEY_NO_DEADLINE, NULL, 0, "no deadline around reads", 0 },
		{ "io", KEY_IO, "NAME", 0, "the back end: auto, uring or epoll", 0 },
		{ "cert", KEY_CERT, "FILE", 0, "TLS with this certificate", 0 },
		{ "key", KEY_KEY, "FILE", 0, "and its key", 0 },
		{ "cores", KEY_CORES, "N", 0, "serve on N cores; 1, the default", 0 },
		{ "by-cpu", KEY_BY_CPU, NULL, 0,
			"a core serves the connections made on its CPU; for the first N CPUs", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "A benchmark server. Prints `port N` when it listens; SIGTERM ends it.",
	};

	*ret_opts = (struct server_opts){ .cores = 1 };
	argp_parse(&argp, argc, argv, 0, NULL, ret_opts);
}

void server_die(const char *what, int err)
{
	(void)fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

void server_announce(uint16_t port)
{
	printf("port %u\n", (unsigned)port);
	if (fflush(stdout) != 0)
		server_die("stdout", -errno);
}

/* Leaves at once: the loops measured here have nothing to save. */
static void on_term(int signal_number)
{
	(void)signal_number;
	_exit(0);
}

/* A socket bound to 127.0.0.1, and the port that it got. */
static int bind_socket(const struct server_opts *opts, int type, uint16_t *ret_port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(opts->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t addr_bytes = sizeof(addr);
	const int on = 1;
	int fd;

	if (signal(SIGTERM, on_term) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		server_die("signal", -errno);
	fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		server_die("socket", -errno);
	if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		server_die("SO_REUSEADDR", -errno);
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0)
		server_die("bind", -errno);
	if (getsockname(fd, (struct sockaddr *)&addr, &addr_bytes) != 0)
		server_die("getsockname", -errno);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

int server_listen(const struct server_opts *opts)
{
	uint16_t port;
	int fd = bind_socket(opts, SOCK_STREAM, &port);

	if (listen(fd, BACKLOG_COUNT) != 0)
		server_die("listen", -errno);
	server_announce(port);
	return fd;
}

int server_bind_udp(const struct server_opts *opts)
{
	const int bytes = SERVER_UDP_QUEUE_BYTES;
	uint16_t port;
	int fd = bind_socket(opts, SOCK_DGRAM, &port);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) != 0)
		server_die("SO_RCVBUF", -errno);
	server_announce(port);
	return fd;
}
