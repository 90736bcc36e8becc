// SPDX-License-Identifier: Apache-2.0
/*
 * The load's connections and its loop: one thread, one epoll set, one read and one write for each
 * exchange. The clock is read once per turn; the server is sampled right before and right after the
 * window, and the exchanges of the warm-up are not counted.
 */
#include "../common/clock.h"
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENT_COUNT 256
#define TURN_MS     100 /* a silent server must not hold up the end of the window */
#define GREET_NS    (5 * NS_PER_S)

struct engine {
	const struct load_opts *opts;
	int epoll_fd;
	unsigned live_count;
	struct conn *conns;
	uint64_t completed; /* exchanges since the start, warm-up included */
	uint64_t errors;
	int first_error;
};

static void conn_fail(struct engine *engine, struct conn *conn, int err)
{
	if (conn->fd < 0)
		return;
	wire_end(conn);
	if (engine->errors++ == 0)
		engine->first_error = err;
	engine->live_count--;
}

static int watch_output(struct engine *engine, struct conn *conn, bool is_wanted)
{
	struct epoll_event event = {
		.events = is_wanted ? EPOLLIN | EPOLLOUT : EPOLLIN,
		.data.ptr = conn,
	};

	if (conn->is_watching_output == is_wanted)
		return 0;
	conn->is_watching_output = is_wanted;
	return epoll_ctl(engine->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event) == 0 ? 0 : -errno;
}

static int send_rest(struct engine *engine, struct conn *conn)
{
	ssize_t sent =
		wire_send(conn, conn->out + conn->out_sent, conn->out_bytes - conn->out_sent);

	if (sent < 0 && sent != -EAGAIN)
		return (int)sent;
	if (sent > 0)
		conn->out_sent += (size_t)sent;
	return watch_output(engine, conn, conn->out_sent < conn->out_bytes);
}

static int send_batch(struct engine *engine, struct conn *conn)
{
	conn->out_bytes = engine->opts->protocol->compose(engine->opts, conn);
	conn->out_sent = 0;
	return send_rest(engine, conn);
}

/* Reads and verifies; returns 1 when the batch is answered, 0 if not yet, or -errno. */
static int receive(struct engine *engine, struct conn *conn)
{
	const struct protocol *protocol = engine->opts->protocol;
	size_t capacity = protocol->in_capacity(engine->opts);
	ssize_t count;

	if (conn->in_bytes == capacity)
		return -EPROTO;
	count = wire_receive(conn, conn->in + conn->in_bytes, capacity - conn->in_bytes);
	if (count < 0)
		return count == -EAGAIN ? 0 : (int)count;
	if (count == 0)
		return -EPIPE;
	return protocol->verify(engine->opts, conn, (size_t)count);
}

static void on_event(struct engine *engine, struct conn *conn, uint32_t events, bool is_chained)
{
	int rc = 0;

	if (conn->fd < 0)
		return;
	if ((events & EPOLLOUT) != 0)
		rc = send_rest(engine, conn);
	if (rc == 0 && (events & ~(uint32_t)EPOLLOUT) != 0)
		rc = receive(engine, conn);
	if (rc == 1) {
		conn->is_served = true;
		engine->completed += engine->opts->protocol->exchanges_per_batch(engine->opts);
		rc = is_chained ? send_batch(engine, conn) : 0;
	}
	if (rc < 0)
		conn_fail(engine, conn, rc);
}

/* Turns the loop until the time or the number of exchanges is reached, or nobody is left. */
static int turn_until(
	struct engine *engine, int64_t end_ns, uint64_t completed_end, bool is_chained)
{
	static struct epoll_event events[EVENT_COUNT]; /* too large for a frame */

	while (engine->live_count > 0 && engine->completed < completed_end) {
		int64_t left_ns = end_ns - now_ns();
		int count;

		if (left_ns <= 0)
			return 0;
		count = epoll_wait(engine->epoll_fd, events, EVENT_COUNT,
			left_ns < TURN_MS * 1000000 ? (int)(left_ns / 1000000) + 1 : TURN_MS);
		if (count < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < count; i++)
			on_event(engine, events[i].data.ptr, events[i].events, is_chained);
	}
	return 0;
}

int conn_dial(uint16_t port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int on = 1;
	int fd, flags, err;

	/* Connecting blocks, so that a full accept queue paces us instead of losing connections. */
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0 &&
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
		(flags = fcntl(fd, F_GETFL)) >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
		return fd;
	err = -errno;
	(void)close(fd);
	return err;
}

/* Waits for the handshake of one connection. */
static int shake(struct conn *conn)
{
	struct pollfd readable = { .fd = conn->fd, .events = POLLIN };
	int rc;

	while ((rc = wire_shake(conn)) == -EAGAIN)
		if (poll(&readable, 1, (int)(GREET_NS / 1000000)) == 0)
			return -ETIMEDOUT;
	return rc == 1 ? 0 : -EPROTO;
}

static int conn_open(struct engine *engine, struct conn *conn)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };
	int err;

	conn->fd = conn_dial(engine->opts->port);
	if (conn->fd < 0)
		return conn->fd;
	engine->live_count++;
	err = wire_begin(conn);
	if (err == 0)
		err = shake(conn);
	if (err < 0)
		return err;
	return epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) == 0 ? 0 : -errno;
}

/* One verified exchange, before the next connection is opened. */
static int greet(struct engine *engine, struct conn *conn)
{
	unsigned exchanges = engine->opts->protocol->exchanges_per_batch(engine->opts);
	uint64_t completed_end = engine->completed + exchanges;
	int err = send_batch(engine, conn);

	if (err == 0)
		err = turn_until(engine, now_ns() + GREET_NS, completed_end, false);
	if (err == 0 && engine->completed < completed_end)
		err = -ETIMEDOUT;
	return err;
}

static int open_all(struct engine *engine)
{
	const struct load_opts *opts = engine->opts;

	for (unsigned i = 0; i < opts->connection_count; i++) {
		struct conn *conn = &engine->conns[i];
		int err;

		*conn = (struct conn){ .fd = -1, .id = i };
		conn->out = malloc(opts->protocol->out_capacity(opts));
		conn->in = malloc(opts->protocol->in_capacity(opts));
		if (conn->out == NULL || conn->in == NULL)
			return -ENOMEM;
		err = conn_open(engine, conn);
		if (err == 0 && opts->is_greeting)
			err = greet(engine, conn);
		if (err < 0)
			return err;
	}
	return 0;
}

static void close_all(struct engine *engine)
{
	for (unsigned i = 0; i < engine->opts->connection_count; i++) {
		struct conn *conn = &engine->conns[i];

		if (conn->fd >= 0 && conn->out != NULL)
			wire_end(conn);
		free(conn->out);
		free(conn->in);
	}
}

static uint64_t count_starved(const struct engine *engine)
{
	uint64_t starved = 0;

	for (unsigned i = 0; i < engine->opts->connection_count; i++)
		starved += !engine->conns[i].is_served;
	return starved;
}

/* Sets every connection going; one that cannot be written to counts as an error. */
static void start_all(struct engine *engine)
{
	for (unsigned i = 0; i < engine->opts->connection_count; i++) {
		int err = send_batch(engine, &engine->conns[i]);

		if (err < 0)
			conn_fail(engine, &engine->conns[i], err);
	}
}

static int measure(struct engine *engine, struct load_result *result)
{
	const struct load_opts *opts = engine->opts;
	uint64_t completed_end = UINT64_MAX;
	uint64_t completed_start;
	int64_t start_ns;
	int err;

	if (!opts->is_idle)
		start_all(engine);
	err = turn_until(engine, now_ns() + opts->warmup_ns, UINT64_MAX, true);
	if (err < 0)
		return err;
	completed_start = engine->completed;
	if (opts->exchange_limit > 0)
		completed_end = completed_start + opts->exchange_limit;

	err = watch_server(opts->server_pid, &result->before);
	start_ns = now_ns();
	result->load_cpu_ns = -clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (err == 0)
		err = turn_until(engine, start_ns + opts->window_ns, completed_end, true);
	result->load_cpu_ns += clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	result->window_ns = now_ns() - start_ns;
	if (err == 0)
		err = watch_server(opts->server_pid, &result->after);
	result->completed = engine->completed - completed_start;
	return err;
}

int engine_run(const struct load_opts *opts, struct load_result *ret_result)
{
	struct engine engine = { .opts = opts };
	struct load_result result = { 0 };
	int err;

	engine.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (engine.epoll_fd < 0)
		return -errno;
	engine.conns = calloc(opts->connection_count, sizeof(*engine.conns));
	err = engine.conns == NULL ? -ENOMEM : watch_server(opts->server_pid, &result.unopened);

	if (err == 0)
		err = wire_set_up(opts);
	if (err == 0)
		err = open_all(&engine);
	if (err == 0)
		err = measure(&engine, &result);
	if (err == 0)
		result.starved = count_starved(&engine);
	if (engine.conns != NULL)
		close_all(&engine);
	free(engine.conns);
	wire_clean_up();
	(void)close(engine.epoll_fd);
	result.errors = engine.errors;
	result.first_error = engine.first_error;
	if (err == 0)
		*ret_result = result;
	return err;
}
