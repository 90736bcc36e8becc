// SPDX-License-Identifier: Apache-2.0
/*
 * The load program's parts: load.c (command line, result), engine.c (connections and the loop),
 * echo.c and http.c (what is said and how it is verified), udp.c (echo by datagrams) and shakes.c
 * (handshakes), with loops of their own, wire_*.c (bytes in clear or by TLS), watch.c (the server
 * as the operating system accounts for it).
 */
#ifndef PERF_LOAD_H
#define PERF_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOAD_SIZE_MAX  (64u * 1024u) /* largest echo message, and largest batch of responses */
#define LOAD_DEPTH_MAX 64u

struct protocol;
struct ssl_st;

struct load_opts {
	const struct protocol *protocol;
	bool is_idle;     /* hold the connections instead of loading them */
	bool is_greeting; /* idle: one verified exchange on each connection first */
	uint16_t port;
	pid_t server_pid; /* 0: the server is not watched */
	unsigned connection_count;
	unsigned size_bytes;  /* echo: one message */
	unsigned depth_count; /* http: requests written at once; udp: datagrams in flight */
	const char *path;     /* http: what is asked for */
	const char *body;     /* http: what must come back */
	int64_t warmup_ns;
	int64_t window_ns;
	uint64_t exchange_limit; /* ends the window early; 0: only time does */
};

/* One connection: a batch is written, its whole answer verified, then the next is written. */
struct conn {
	int fd;             /* -1 once it has failed */
	struct ssl_st *ssl; /* NULL: in clear */
	bool is_watching_output;
	bool is_served; /* a batch was answered in full */
	unsigned id;
	uint64_t batch;    /* which batch this is, so that each one can differ */
	size_t out_bytes;  /* the batch... */
	size_t out_sent;   /* ...and how much of it is out */
	size_t in_bytes;   /* answer bytes held (http) or verified (echo) */
	unsigned answered; /* http: responses verified of this batch */
	char *out;
	char *in;
};

/* What is said on a connection. */
struct protocol {
	const char *name;
	bool is_tls;
	size_t (*out_capacity)(const struct load_opts *opts);
	size_t (*in_capacity)(const struct load_opts *opts);
	unsigned (*exchanges_per_batch)(const struct load_opts *opts);
	/* Writes the connection's next batch into conn->out; returns its bytes. */
	size_t (*compose)(const struct load_opts *opts, struct conn *conn);
	/*
	 * Verifies `count` new bytes that stand at conn->in + conn->in_bytes. Returns 1 when the
	 * batch is answered in full, 0 for "more to come", -EPROTO for a wrong byte.
	 */
	int (*verify)(const struct load_opts *opts, struct conn *conn, size_t count);
};

extern const struct protocol protocol_echo;
extern const struct protocol protocol_http;
extern const struct protocol protocol_https;
extern const struct protocol protocol_shakes; /* its name only */
extern const struct protocol protocol_udp;    /* its name only */

/*
 * The wire. wire_begin() is for a connected socket; wire_shake() gives 1 once the handshake is
 * done, and -EAGAIN before. Sends and receives give what they took, 0 at the peer's end, or -errno.
 */
int wire_set_up(const struct load_opts *opts);
void wire_clean_up(void);
int wire_begin(struct conn *conn);
int wire_shake(struct conn *conn);
void wire_end(struct conn *conn);
ssize_t wire_send(struct conn *conn, const void *buf, size_t bytes);
ssize_t wire_receive(struct conn *conn, void *buf, size_t bytes);

/* A connected non-blocking socket, or -errno. */
int conn_dial(uint16_t port);

/* The server, as the operating system accounts for it, over all its threads. */
struct server_sample {
	int64_t cpu_ns;
	uint64_t switches_voluntary;
	uint64_t switches_forced;
	uint64_t rss_kib;
	uint64_t page_table_kib;
};

/* Zeroes for pid 0. Returns -errno when the process cannot be read, -ESRCH when it is gone. */
int watch_server(pid_t pid, struct server_sample *ret_sample);

struct load_result {
	uint64_t completed; /* exchanges verified within the window */
	uint64_t errors;    /* connections lost or answered wrongly, over the whole run */
	int first_error;    /* of these; http and echo only */
	uint64_t starved;   /* connections that never got an answer; http and echo only */
	int64_t window_ns;
	int64_t load_cpu_ns;
	struct server_sample unopened; /* before the first connection */
	struct server_sample before;
	struct server_sample after;
};

/* Opens the connections, warms up, measures, closes. Returns -errno if it could not measure. */
int engine_run(const struct load_opts *opts, struct load_result *ret_result);

/* The same by datagrams: `depth_count` in flight on each of `connection_count` sockets. */
int udp_run(const struct load_opts *opts, struct load_result *ret_result);
/* The same with full handshakes: a connection is closed when its own is done, and opened again. */
int shakes_run(const struct load_opts *opts, struct load_result *ret_result);

#endif
