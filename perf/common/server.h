// SPDX-License-Identifier: Apache-2.0
/*
 * What every benchmark server has in common, so that the harness can treat a hand-written loop,
 * one of soon's servers and a future peer alike:
 *
 *	PROGRAM [--port=N] [--no-deadline] [--cores=N [--by-cpu]]
 *		[--cert=FILE --key=FILE]
 *
 * It listens on 127.0.0.1, port 0 picks a free one; the first line on stdout is `port N`, written
 * once the socket listens. SIGTERM ends it with status 0. Nothing else is printed on stdout.
 */
#ifndef PERF_SERVER_H
#define PERF_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct server_opts {
	uint16_t port;         /* 0: the kernel picks one */
	bool is_deadline_off;  /* servers without deadlines ignore it */
	unsigned cores;        /* 1 at least; servers with one core ignore it */
	bool is_by_cpu;        /* a core serves what comes from its CPU, not what a hash gives it */
	const char *cert_file; /* PEM, for TLS; servers without it ignore it */
	const char *key_file;
};

/* Parses the command line; prints usage and exits on a bad one. */
void server_parse(int argc, char **argv, struct server_opts *ret_opts);

/*
 * A non-blocking listening socket on 127.0.0.1, announced on stdout; SIGTERM will end the process.
 * Returns the descriptor; prints the reason and exits if it cannot.
 */
int server_listen(const struct server_opts *opts);

/* What servers of datagrams ask for as their queue. */
#define SERVER_UDP_QUEUE_BYTES (1 << 20)

/* The same for UDP: a socket bound to 127.0.0.1. */
int server_bind_udp(const struct server_opts *opts);

/* Prints the line `port N` that the harness waits for. */
void server_announce(uint16_t port);

/* Prints `what: reason` on stderr and exits with status 1. `err` is a negative errno. */
void server_die(const char *what, int err) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
