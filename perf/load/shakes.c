// SPDX-License-Identifier: Apache-2.0
/*
 * Full handshakes: each connection is made, greeted by TLS, and closed with a close_notify; then it
 * is made again. No session is kept, so none is resumed.
 */
#include "../common/clock.h"
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENT_COUNT 64
#define TURN_MS     100

struct shakes {
	const struct load_opts *opts;
	int epoll_fd;
	struct conn *conns;
	uint64_t completed; /* since the start, warm-up included */
	uint64_t errors;
};

/* Opens one and greets. It has then to wait, unless the server was faster than we are: the next. */
static int begin(struct shakes *s, struct conn *conn)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };
	int rc;

	for (;;) {
		conn->fd = conn_dial(s->opts->port);
		if (conn->fd < 0)
			return conn->fd;
		rc = wire_begin(conn);
		if (rc == 0)
			rc = wire_shake(conn);
		if (rc != 1)
			break;
		wire_end(conn);
		s->completed++;
	}
	if (rc != -EAGAIN)
		return rc < 0 ? rc : -EPROTO;
	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) == 0 ? 0 : -errno;
}

/* A connection that has failed is not made again. */
static void on_event(struct shakes *s, struct conn *conn)
{
	int rc = wire_shake(conn);

	if (rc == -EAGAIN)
		return;
	wire_end(conn);
	if (rc == 1) {
		s->completed++;
		rc = begin(s, conn);
	}
	if (rc < 0)
		s->errors++;
}

static int turn_until(struct shakes *s, int64_t end_ns)
{
	static struct epoll_event events[EVENT_COUNT];

	while (now_ns() < end_ns) {
		int count = epoll_wait(s->epoll_fd, events, EVENT_COUNT, TURN_MS);

		if (count < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < count; i++)
			on_event(s, events[i].data.ptr);
	}
	return 0;
}

static int measure(struct shakes *s, struct load_result *result)
{
	const struct load_opts *opts = s->opts;
	uint64_t completed_start;
	int64_t start_ns;
	int err = turn_until(s, now_ns() + opts->warmup_ns);

	if (err == 0)
		err = watch_server(opts->server_pid, &result->before);
	if (err < 0)
		return err;
	completed_start = s->completed;
	start_ns = now_ns();
	result->load_cpu_ns = -clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	err = turn_until(s, start_ns + opts->window_ns);
	result->load_cpu_ns += clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	result->window_ns = now_ns() - start_ns;
	result->completed = s->completed - completed_start;
	return err == 0 ? watch_server(opts->server_pid, &result->after) : err;
}

int shakes_run(const struct load_opts *opts, struct load_result *ret_result)
{
	struct shakes s = { .opts = opts };
	struct load_result result = { 0 };
	int err = wire_set_up(opts);

	s.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s.conns = calloc(opts->connection_count, sizeof(*s.conns));
	if (err == 0 && (s.epoll_fd < 0 || s.conns == NULL))
		err = -ENOMEM;
	for (unsigned i = 0; err == 0 && i < opts->connection_count; i++)
		err = begin(&s, &s.conns[i]);
	if (err == 0)
		err = measure(&s, &result);
	for (unsigned i = 0; s.conns != NULL && i < opts->connection_count; i++)
		if (s.conns[i].fd > 0)
			wire_end(&s.conns[i]);
	free(s.conns);
	wire_clean_up();
	(void)close(s.epoll_fd);
	result.errors = s.errors;
	if (err == 0)
		*ret_result = result;
	return err;
}

const struct protocol protocol_shakes = { .name = "shakes", .is_tls = true };
