// SPDX-License-Identifier: Apache-2.0
/*
 * balance.c: services on several cores that hand connections on to each other, and end while some
 * are on their way: by a drain, by a cancel, by a part that fails or returns. All come to one core.
 * Threads connect without pause; each connection is answered or ended, and none is left over.
 */
#include <soon/cores.h>
#include <soon/group.h>
#include <soon/report.h>
#include <soon/scope.h>
#include <soon/service.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <support/one_socket.h>
#include <support/program.h>
#include <unistd.h>

enum {
	CORES = 3,
	CLIENTS = 4,
	ROUNDS = 40,
	WAYS = 4, /* to end */
	PATIENCE_S = 60,
};

static struct {
	unsigned round;
	struct sockaddr_in at;
	atomic_bool is_over;  /* clients stop */
	atomic_uint answered; /* in this round */
	soon_service_stats stats[CORES];
	uint64_t given, served;
} state;

/* Says one byte when it is asked. */
static int answer(soon_stream *conn, void *unused)
{
	char c;
	ssize_t n;

	(void)unused;
	n = soon_stream_read(conn, &c, 1);
	return (int)(n == 1 ? soon_stream_write(conn, &c, 1) : n);
}

/* One of the others ends by itself on some rounds, well or badly. */
static int serve(soon_listener *listener, void *unused)
{
	unsigned here = soon_core_index(NULL), way = state.round % WAYS;
	soon_service service = {
		.listener = listener,
		.handle = answer,
		.conns_max = 2 + state.round % 5, /* limits are met, too */
		.stats = &state.stats[here],
	};
	ssize_t rc;

	(void)unused;
	if (here == 0 || way < 2)
		return soon_serve(&service);
	rc = soon_within(SOON_MS(5), soon_serve(&service));
	CHECK(rc == -ETIMEDOUT || rc == -ECANCELED || rc == 0);
	return way == 2 ? 0 : -EIO;
}

static void ask_once(int fd)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	char c = 'x';

	CHECK(fd >= 0);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	if (connect(fd, (const struct sockaddr *)&state.at, sizeof state.at) == 0 &&
		send(fd, &c, 1, MSG_NOSIGNAL) == 1) {
		ssize_t n = recv(fd, &c, 1, 0);

		CHECK(n >= 0 || (errno != EAGAIN && errno != EINTR)); /* an end is one, too */
		if (n == 1)
			atomic_fetch_add_explicit(&state.answered, 1, memory_order_relaxed);
	}
	CHECK_EQ(close(fd), 0);
}

static void *ask(void *unused)
{
	(void)unused;
	while (!atomic_load_explicit(&state.is_over, memory_order_relaxed))
		ask_once(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	return NULL;
}

/* Ends the service in the way of the round, once it is at work. */
static int end(soon_group *g)
{
	unsigned way = state.round % WAYS;
	int rc = 0;

	while (rc == 0 && atomic_load_explicit(&state.answered, memory_order_relaxed) < 20)
		rc = soon_sleep(SOON_US(200));
	if (rc == 0 && way == 1)
		soon_group_cancel(g, "the round is over");
	else if (rc == 0)
		soon_group_drain(g, SOON_S(PATIENCE_S));
	return rc;
}

static int app(void *unused)
{
	soon_listen_opts opts = { .reuse_port = true };
	soon_cores_service service = { .serve = serve, .uneven_max = 1 };
	pthread_t clients[CLIENTS];
	soon_addr addr;
	int rc;
	SOON_GROUP(g);

	(void)unused;
	CHECK_EQ(soon_listen("127.0.0.1:0", &opts, &service.listener), 0);
	CHECK_EQ(one_socket_gets_all(service.listener), 0);
	soon_listener_addr(service.listener, &addr);
	memcpy(&state.at, &addr.storage, sizeof state.at);
	CHECK_EQ(soon_spawn(&g, soon_serve_on_cores, &service), 0);
	for (int i = 0; i < CLIENTS; i++)
		CHECK_EQ(pthread_create(&clients[i], NULL, ask, NULL), 0);
	rc = end(&g);
	rc = (int)soon_group_close(&g, rc);
	CHECK(rc == 0 || (rc == -EIO && state.round % WAYS == 3));
	soon_listener_close(service.listener);
	atomic_store(&state.is_over, true);
	for (int i = 0; i < CLIENTS; i++)
		CHECK_EQ(pthread_join(clients[i], NULL), 0);
	return 0;
}

/* Nothing that was handed on was lost, and nothing was answered that was not accepted. */
static void check_counts(void)
{
	uint64_t given = 0, got = 0, accepted = 0;

	for (unsigned i = 0; i < CORES; i++) {
		CHECK_EQ(state.stats[i].live, 0);
		given += state.stats[i].given;
		got += state.stats[i].got;
		accepted += state.stats[i].accepted;
	}
	CHECK_EQ(given, got);
	CHECK(accepted >= atomic_load(&state.answered));
	state.given += given;
	state.served += accepted;
}

int main(void)
{
	int before = dup(STDERR_FILENO), after;

	CHECK_EQ(close(before), 0);
	for (state.round = 0; state.round < ROUNDS; state.round++) {
		soon_opts opts = { .cores = CORES, .no_pin = true };

		atomic_store(&state.is_over, false);
		atomic_store(&state.answered, 0);
		memset(state.stats, 0, sizeof state.stats);
		CHECK_EQ(soon_run_with(&opts, app, NULL), 0);
		check_counts();
	}
	CHECK(state.given > 0);
	after = dup(STDERR_FILENO);
	CHECK_EQ(after, before); /* every descriptor was closed */
	CHECK_EQ(close(after), 0);
	printf("%ju connections, %ju of them handed on\n", (uintmax_t)state.served,
		(uintmax_t)state.given);
	return 0;
}
