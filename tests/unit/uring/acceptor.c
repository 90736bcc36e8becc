// SPDX-License-Identifier: Apache-2.0
/* Accepting against the real kernel: nothing lost, nothing missed, no spin. */
#include <soon/scope.h>

#include "kit_backend.h"

#include <sys/resource.h>

#define MANY 100

/* The peer of an accepted connection, as its port. */
static in_port_t peer_port(int fd)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	cr_assert_eq(getpeername(fd, (struct sockaddr *)&addr, &len), 0);
	return addr.sin_port;
}

static in_port_t own_port(int fd)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	return addr.sin_port;
}

static ssize_t next_soon(soon_acceptor *acceptor)
{
	return soon_within(KIT_LONG, soon_acceptor_next(acceptor));
}

SOON_TEST(acceptor, gives_connections)
{
	struct sockaddr_in addr;
	int listener = kit_listen(8, &addr);
	soon_acceptor acceptor;

	soon_acceptor_init(&acceptor, listener);
	for (int i = 0; i < 3; i++) {
		int client = kit_connect(&addr);
		int fd = (int)next_soon(&acceptor);

		cr_assert_geq(fd, 0);
		cr_assert_eq(peer_port(fd), own_port(client));
		cr_assert_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		cr_assert_eq(soon_close(fd), 0);
		cr_assert_eq(soon_close(client), 0);
	}
	soon_acceptor_fini(&acceptor);
	soon_acceptor_fini(&acceptor);
	soon_acceptor_fini(NULL);
	cr_assert_eq(soon_close(listener), 0);
}

SOON_TEST(acceptor, cancel_loses_nothing)
{
	struct sockaddr_in addr;
	int listener = kit_listen(8, &addr);
	soon_acceptor acceptor;
	int client, fd;

	soon_acceptor_init(&acceptor, listener);
	cr_assert_eq(soon_within(KIT_SHORT, soon_acceptor_next(&acceptor)), -ETIMEDOUT);
	client = kit_connect(&addr);
	kit_settle(); /* accepted while nobody waits */
	fd = (int)next_soon(&acceptor);
	cr_assert_eq(peer_port(fd), own_port(client));
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_close(client), 0);
	soon_acceptor_fini(&acceptor);
	cr_assert_eq(soon_close(listener), 0);
}

/* Many clients before the first accept, and more accepted ahead than the limit. */
static int many_app(int client_count)
{
	unsigned before = kit_fd_count();
	struct sockaddr_in addr;
	int listener = kit_listen(client_count, &addr);
	int clients[MANY];
	soon_acceptor acceptor;

	cr_assert_leq(client_count, MANY);
	for (int i = 0; i < client_count; i++)
		clients[i] = kit_connect(&addr);
	soon_acceptor_init(&acceptor, listener);
	for (int i = 0; i < client_count; i++) {
		int fd = (int)next_soon(&acceptor);

		cr_assert_geq(fd, 0, "client %d: %d", i, fd);
		cr_assert_eq(peer_port(fd), own_port(clients[i]), "out of order at %d", i);
		cr_assert_eq(soon_close(fd), 0);
	}
	soon_acceptor_fini(&acceptor);
	for (int i = 0; i < client_count; i++)
		cr_assert_eq(soon_close(clients[i]), 0);
	cr_assert_eq(soon_close(listener), 0);
	cr_assert_eq(kit_fd_count(), before);
	return 0;
}

SOON_TEST(acceptor, many_at_once_in_order)
{
	(void)many_app(MANY);
}

/* With two completions' room the kernel ends the request after a success. */
static int many_on_a_tiny_ring(int client_count)
{
	(void)many_app(client_count);
	if (kit_is_on_ring())
		cr_assert_gt(soon__ring_self()->stats.overflow_count, 0);
	return 0;
}

SOON_TEST_PLAIN(acceptor, success_without_more_does_not_end_it)
{
	soon__ring_tuning = (struct soon__ring_tuning){ .sq_count = 1, .cq_count = 2 };
	cr_assert_eq(soon_run(many_on_a_tiny_ring, 8), 0);
	cr_assert_eq(soon_run(many_on_a_tiny_ring, MANY), 0);
}

SOON_TEST(acceptor, fini_closes_what_nobody_took)
{
	unsigned before = kit_fd_count();
	struct sockaddr_in addr;
	int listener = kit_listen(MANY, &addr);
	int clients[MANY];
	soon_acceptor acceptor;

	soon_acceptor_init(&acceptor, listener);
	cr_assert_eq(soon_within(KIT_SHORT, soon_acceptor_next(&acceptor)), -ETIMEDOUT);
	for (int i = 0; i < MANY; i++)
		clients[i] = kit_connect(&addr);
	kit_settle();
	cr_assert_gt(kit_fd_count(), before + 1 + MANY, "none was accepted ahead");
	soon_acceptor_fini(&acceptor);
	cr_assert_eq(soon_close(listener), 0);
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(soon_close(clients[i]), 0);
	cr_assert_eq(kit_fd_count(), before);
}

SOON_TEST(acceptor, accepted_ahead_come_in_order)
{
	struct sockaddr_in addr;
	int listener = kit_listen(MANY, &addr);
	int clients[MANY];
	soon_acceptor acceptor;

	soon_acceptor_init(&acceptor, listener);
	for (int round = 0; round < 3; round++) {
		cr_assert_eq(soon_within(KIT_SHORT, soon_acceptor_next(&acceptor)), -ETIMEDOUT);
		for (int i = 0; i < MANY; i++)
			clients[i] = kit_connect(&addr);
		kit_settle();
		for (int i = 0; i < MANY; i++) {
			int fd = (int)next_soon(&acceptor);

			cr_assert_eq(peer_port(fd), own_port(clients[i]), "out of order at %d", i);
			cr_assert_eq(soon_close(fd), 0);
			cr_assert_eq(soon_close(clients[i]), 0);
		}
	}
	soon_acceptor_fini(&acceptor);
	cr_assert_eq(soon_close(listener), 0);
}

SOON_TEST(acceptor, stop_gives_what_was_accepted)
{
	struct sockaddr_in addr;
	int listener = kit_listen(8, &addr);
	soon_acceptor acceptor;
	int client, fd;

	soon_acceptor_init(&acceptor, listener);
	cr_assert_eq(soon_within(KIT_SHORT, soon_acceptor_next(&acceptor)), -ETIMEDOUT);
	client = kit_connect(&addr);
	kit_settle();
	soon_acceptor_stop(&acceptor);
	soon_acceptor_stop(&acceptor);
	fd = soon_acceptor_next(&acceptor);
	cr_assert_geq(fd, 0);
	cr_assert_eq(soon_acceptor_next(&acceptor), -ESHUTDOWN);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_close(client), 0);
	soon_acceptor_fini(&acceptor);
	cr_assert_eq(soon_close(listener), 0);
}

static int take_one(soon_acceptor *acceptor)
{
	return soon_acceptor_next(acceptor);
}

SOON_TEST(acceptor, one_taker_at_a_time)
{
	struct sockaddr_in addr;
	int listener = kit_listen(8, &addr);
	soon_acceptor acceptor;
	SOON_GROUP(g);

	soon_acceptor_init(&acceptor, listener);
	cr_assert_eq(soon_spawn(&g, take_one, &acceptor), 0);
	kit_settle();
	cr_assert_eq(soon_acceptor_next(&acceptor), -EBUSY);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_acceptor_fini(&acceptor);
	cr_assert_eq(soon_close(listener), 0);
}

SOON_TEST(acceptor, close_by_another_task)
{
	struct sockaddr_in addr;
	int listener = kit_listen(8, &addr);
	soon_acceptor acceptor;
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	soon_acceptor_init(&acceptor, listener);
	cr_assert_eq(soon_spawn(&g, take_one, &acceptor), 0);
	kit_settle();
	cr_assert_eq(soon_close(listener), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EBADF);
	cr_assert_eq(soon_acceptor_next(&acceptor), -EBADF);
	soon_acceptor_fini(&acceptor);
}

SOON_TEST(acceptor, failures_that_stay)
{
	soon_acceptor acceptor;
	int fds[2];

	kit_pair(fds);
	soon_acceptor_init(&acceptor, fds[0]);
	cr_assert_eq(next_soon(&acceptor), -EINVAL);
	cr_assert_eq(next_soon(&acceptor), -EINVAL);
	soon_acceptor_fini(&acceptor);
	soon_acceptor_init(&acceptor, 999);
	cr_assert_eq(next_soon(&acceptor), -EBADF);
	soon_acceptor_fini(&acceptor);
	kit_close_both(fds);
	kit_pipe(fds);
	soon_acceptor_init(&acceptor, fds[0]);
	cr_assert_eq(next_soon(&acceptor), -ENOTSOCK);
	soon_acceptor_fini(&acceptor);
	kit_close_both(fds);
}

/* From here on no descriptor can be opened. Returns the limit to go back to. */
static struct rlimit run_out_of_descriptors(void)
{
	struct rlimit old, now;
	int lowest = dup(0);

	cr_assert_geq(lowest, 0);
	(void)close(lowest);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	now = old;
	now.rlim_cur = (rlim_t)lowest;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
	return old;
}

SOON_TEST(acceptor, out_of_descriptors_waits_without_a_spin)
{
	struct kit_reports reports;
	struct sockaddr_in addr;
	int listener = kit_listen(8, &addr);
	int client = kit_connect(&addr);
	soon_acceptor acceptor;
	struct rlimit limit;
	uint64_t enters;

	kit_reports_keep(&reports);
	limit = run_out_of_descriptors();
	soon_acceptor_init(&acceptor, listener);
	enters = kit_enters();
	cr_assert_eq(soon_within(SOON_MS(100), soon_acceptor_next(&acceptor)), -ETIMEDOUT);
	enters = kit_enters() - enters;
	cr_assert_lt(enters, 30, "entered the kernel %ju times", (uintmax_t)enters);
	cr_assert_eq(reports.count, 1, "one report an episode");
	cr_assert_eq(reports.rc, -EMFILE);

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	int fd = (int)next_soon(&acceptor);
	cr_assert_eq(peer_port(fd), own_port(client));
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_close(client), 0);
	soon_acceptor_fini(&acceptor);
	cr_assert_eq(soon_close(listener), 0);
}

static int take_and_note(void **both)
{
	*(int *)both[1] = soon_acceptor_next(both[0]);
	return 0;
}

SOON_TEST(acceptor, closing_a_descriptor_lets_the_next_one_in)
{
	struct kit_reports reports;
	struct sockaddr_in addr;
	int listener = kit_listen(8, &addr);
	int client = kit_connect(&addr);
	int spare = dup(client);
	int fd = -1;
	soon_acceptor acceptor;
	void *both[] = { &acceptor, &fd };
	struct rlimit limit;
	SOON_GROUP(g);

	kit_reports_keep(&reports);
	limit = run_out_of_descriptors();
	soon_acceptor_init(&acceptor, listener);
	cr_assert_eq(soon_spawn(&g, take_and_note, both), 0);
	kit_settle();
	cr_assert_eq(fd, -1);
	cr_assert_eq(soon_close(spare), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_geq(fd, 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_close(client), 0);
	soon_acceptor_fini(&acceptor);
	cr_assert_eq(soon_close(listener), 0);
}

/* Its number is another listener's by the time the pause is over. */
SOON_TEST(acceptor, closed_while_it_pauses_does_not_accept_for_another)
{
	struct kit_reports reports;
	struct sockaddr_in addr, other;
	int listener = kit_listen(8, &addr);
	int client = kit_connect(&addr);
	int fd = -1, again, stranger;
	soon_acceptor acceptor;
	void *both[] = { &acceptor, &fd };
	struct rlimit limit;
	SOON_GROUP(g);

	kit_reports_keep(&reports);
	limit = run_out_of_descriptors();
	soon_acceptor_init(&acceptor, listener);
	cr_assert_eq(soon_spawn(&g, take_and_note, both), 0);
	while (reports.count == 0)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_yield(), 0); /* it has heard of it and pauses */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(soon_close(listener), 0);
	again = kit_listen(8, &other);
	cr_assert_eq(again, listener);
	stranger = kit_connect(&other);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(fd, -EBADF);
	soon_acceptor_fini(&acceptor);
	cr_assert_eq(soon_close(stranger), 0);
	cr_assert_eq(soon_close(again), 0);
	cr_assert_eq(soon_close(client), 0);
}

/* An acceptor that nobody stopped outlives the tasks. */

static soon_acceptor forgotten;
static int forgotten_fd;

static int forget_acceptor(void *unused)
{
	struct sockaddr_in addr;
	int rc;

	(void)unused;
	forgotten_fd = kit_listen(8, &addr);
	soon_acceptor_init(&forgotten, forgotten_fd);
	rc = (int)soon_within(SOON_MS(1), soon_acceptor_next(&forgotten));
	return rc == -ETIMEDOUT ? 0 : rc;
}

SOON_TEST_PLAIN(acceptor, left_open_is_named_at_the_end_of_the_run)
{
	struct kit_reports reports;
	char expected[128];

	kit_reports_keep(&reports);
	cr_assert_eq(soon_run(forget_acceptor, NULL), 0);
	cr_assert_eq(reports.count, 1, "%s", reports.text);
	(void)snprintf(expected, sizeof expected,
		"1 I/O operations were left in flight at the end of the run: accept (listener) fd "
		"%d",
		forgotten_fd);
	cr_assert_not_null(strstr(reports.text, expected), "%s", reports.text);
	(void)close(forgotten_fd);
	soon_test_reports_expected = 1;
}

SOON_TEST_PLAIN(acceptor, an_operation_that_the_kernel_does_not_end_is_told_of_again_and_again)
{
	static const char expected[] = "the kernel has not ended them; the run waits on, for their "
				       "memory is lent: accept (listener) fd ";
	const soon_opts opts = { .io = SOON_IO_URING, .grace = SOON_MS(1) };
	struct kit_reports reports;
	int rc;

	kit_reports_keep(&reports);
	soon__ring_tuning = (struct soon__ring_tuning){ .cancels_after_reports = 2 };
	rc = soon_run_with(&opts, forget_acceptor, NULL);
	soon__ring_tuning = (struct soon__ring_tuning){ 0 };
	if (rc == -EPERM)
		cr_skip("io_uring is refused here");
	cr_assert_eq(rc, 0);
	cr_assert_geq(reports.count, 3, "%s", reports.text);
	cr_assert_not_null(strstr(reports.text, expected), "%s", reports.text);
	(void)close(forgotten_fd);
	soon_test_reports_expected = reports.count;
}

/* As another process may have made it that has the same socket. */
SOON_TEST(acceptor, a_socket_that_is_not_to_wait_is_waited_for)
{
	struct sockaddr_in addr;
	int listener = kit_listen(8, &addr);
	soon_acceptor acceptor;
	uint64_t enters;

	cr_assert_eq(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	soon_acceptor_init(&acceptor, listener);
	enters = kit_enters();
	cr_assert_eq(soon_within(SOON_MS(50), soon_acceptor_next(&acceptor)), -ETIMEDOUT);
	cr_assert_lt(kit_enters() - enters, 10, "it does not ask over and over");
	for (int round = 0; round < 3; round++) {
		int clients[2] = { kit_connect(&addr), kit_connect(&addr) };

		for (int i = 0; i < 2; i++) {
			int fd = (int)next_soon(&acceptor);

			cr_assert_geq(fd, 0, "%d", fd);
			cr_assert_eq(peer_port(fd), own_port(clients[i]));
			cr_assert_eq(soon_close(fd), 0);
		}
		cr_assert_eq(soon_within(KIT_SHORT, soon_acceptor_next(&acceptor)), -ETIMEDOUT);
		for (int i = 0; i < 2; i++)
			cr_assert_eq(soon_close(clients[i]), 0);
	}
	soon_acceptor_fini(&acceptor);
	cr_assert_eq(soon_close(listener), 0);
}

/* ---- joined ------------------------------------------------------------------------------ */

/* Two listeners whose connections one taker gets. */
struct joined {
	int listeners[2];
	struct sockaddr_in addrs[2];
	soon_acceptor acceptors[2];
};

static void joined_open(struct joined *j)
{
	for (int i = 0; i < 2; i++) {
		j->listeners[i] = kit_listen(64, &j->addrs[i]);
		soon_acceptor_init(&j->acceptors[i], j->listeners[i]);
	}
	soon_acceptor_join(&j->acceptors[1], &j->acceptors[0]);
}

static void joined_close(struct joined *j)
{
	for (int i = 2; i-- > 0;) {
		soon_acceptor_fini(&j->acceptors[i]);
		cr_assert_eq(soon_close(j->listeners[i]), 0);
	}
}

/* Takes one and says whose it is: the listener's by its own port. */
static int joined_next(struct joined *j)
{
	int fd = (int)next_soon(&j->acceptors[0]);
	in_port_t port;

	cr_assert_geq(fd, 0, "%d", fd);
	port = own_port(fd);
	cr_assert_eq(soon_close(fd), 0);
	return port == j->addrs[0].sin_port ? 0 : 1;
}

SOON_TEST(acceptor, joined_ones_give_to_one_taker_in_turn)
{
	struct joined j;
	int clients[8];
	int last;

	joined_open(&j);
	for (int i = 0; i < 8; i++)
		clients[i] = kit_connect(&j.addrs[i % 2]);
	last = joined_next(&j);
	kit_settle();
	for (int i = 1; i < 8; i++) {
		int now = joined_next(&j);

		cr_expect_neq(now, last, "the same one twice while the other has some");
		last = now;
	}
	for (int i = 0; i < 8; i++)
		cr_assert_eq(soon_close(clients[i]), 0);
	joined_close(&j);
}

/* Only one of the two has clients, and pauses; the other's clients are not kept waiting by that. */
SOON_TEST(acceptor, joined_ones_pause_and_go_on_together)
{
	struct kit_reports reports;
	struct joined j;
	int clients[2];
	struct rlimit limit;
	uint64_t enters;

	kit_reports_keep(&reports);
	joined_open(&j);
	for (int i = 0; i < 2; i++)
		clients[i] = kit_connect(&j.addrs[i]);
	limit = run_out_of_descriptors();
	enters = kit_enters();
	cr_assert_eq(soon_within(SOON_MS(60), soon_acceptor_next(&j.acceptors[0])), -ETIMEDOUT);
	enters = kit_enters() - enters;
	cr_assert_lt(enters, 40, "entered the kernel %ju times", (uintmax_t)enters);
	cr_assert_geq(reports.count, 1);
	cr_assert_leq(reports.count, 2, "one report an episode, and at most one of each");
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(joined_next(&j) + joined_next(&j), 1, "one of each");
	for (int i = 0; i < 2; i++)
		cr_assert_eq(soon_close(clients[i]), 0);
	joined_close(&j);
}

static int take_joined(struct joined *j)
{
	return soon_acceptor_next(&j->acceptors[0]);
}

SOON_TEST(acceptor, a_joined_one_that_is_closed_ends_the_wait)
{
	struct joined j;
	SOON_GROUP(g);

	joined_open(&j);
	cr_assert_eq(soon_spawn(&g, take_joined, &j), 0);
	kit_settle();
	cr_assert_eq(soon_close(j.listeners[1]), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EBADF);
	soon_acceptor_fini(&j.acceptors[1]);
	soon_acceptor_fini(&j.acceptors[0]);
	cr_assert_eq(soon_close(j.listeners[0]), 0);
}
