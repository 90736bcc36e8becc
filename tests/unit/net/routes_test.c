// SPDX-License-Identifier: Apache-2.0
/*
 * routes_test.c: the race for a connection and the wait for name servers, over routes that lose
 * packets, hold them, or refuse. See lane.h. Where no such network is to be had, all is skipped.
 */
#include "lane.h"
#include "liar.h"
#include "net_kit.h"

#include <fcntl.h>
#include <sys/mman.h>

#define NEVER_MIND SOON_S(1000) /* a pause that no test would sit through */
#define NOWHERE    "/nonexistent/soon"

static struct lane lane;

static void lane_setup(void)
{
	lane_open(&lane);
}

static void lane_teardown(void)
{
	lane_close(&lane);
}

#define ROUTES_TEST(name) NET_TEST(routes, name, .init = lane_setup, .fini = lane_teardown)

#define LANE_OR_SKIP()                                                                             \
	do {                                                                                       \
		if (lane.refused != NULL) {                                                        \
			cr_skip_test("%s", lane.refused);                                          \
			return;                                                                    \
		}                                                                                  \
	} while (0)

/* Both families of two hosts; IPv6 comes first by RFC 6724, and the families take turns. */
#define TWO LANE_V6("2") " two\n" LANE_V6("3") " two\n" LANE_V4("2") " two\n" LANE_V4("3") " two\n"

struct service {
	soon_listener *listener; /* what all connections over the lane reach */
	char where[32];          /* "two" and its port */
	uint16_t port;
	int hosts;
	char hosts_path[32];
	soon_resolve_opts resolve;
};

/* The addresses of "two" come from a file, so that all of them are known at once. */
static void service_start(struct service *service, const char *hosts)
{
	soon_addr addr;

	*service = (struct service){ .hosts = memfd_create("hosts", MFD_CLOEXEC) };
	cr_assert_geq(service->hosts, 0);
	cr_assert_eq(write(service->hosts, hosts, strlen(hosts)), (ssize_t)strlen(hosts));
	(void)snprintf(service->hosts_path, sizeof service->hosts_path, "/proc/self/fd/%d",
		service->hosts);
	service->resolve = (soon_resolve_opts){ .hosts = service->hosts_path };
	cr_assert_eq(soon_listen("*:0", NULL, &service->listener), 0, "%s", soon_fail_message());
	soon_listener_addr(service->listener, &addr);
	service->port = soon_addr_port(&addr);
	(void)snprintf(service->where, sizeof service->where, "two:%u", service->port);
}

static void service_stop(struct service *service)
{
	soon_listener_close(service->listener);
	(void)close(service->hosts);
}

static void expect_order(const char *want)
{
	char order[LANE_ORDER_BYTES];

	lane_order(&lane, order);
	/* A machine that stops for a moment may make further ones be asked. */
	cr_expect_eq(strncmp(order, want, strlen(want)), 0, "%s, not %s", order, want);
}

/* Who is reached at "two", when attempts begin so far apart, and who was asked until then. */
static void expect_reached(const char *want, soon_ns attempt_delay, const char *order)
{
	struct service service;
	const char *is;

	service_start(&service, TWO);
	is = dialled("two", service.port,
		&(soon_stream_opts){ .resolve = &service.resolve, .attempt_delay = attempt_delay });
	cr_expect_str_eq(is, want, "%s, not %s", is, want);
	expect_order(order);
	service_stop(&service);
}

ROUTES_TEST(the_first_address_wins_where_all_is_well)
{
	LANE_OR_SKIP();
	expect_reached("[" LANE_V6("2") "]", NEVER_MIND, "6.2");
}

ROUTES_TEST(a_lost_family_costs_one_delay)
{
	soon_ns begun = soon_now();

	LANE_OR_SKIP();
	lane_rule(&lane, 6, 2, LANE_LOST);
	lane_rule(&lane, 6, 3, LANE_LOST);
	expect_reached(LANE_V4("2"), 0, "6.2 4.2");
	/* By the default: not before 250 ms, and not after the kernel's second try at 1 s. */
	cr_expect_geq(soon_now() - begun, SOON_MS(250));
}

ROUTES_TEST(families_take_turns)
{
	LANE_OR_SKIP();
	lane_rule(&lane, 6, 2, LANE_LOST);
	lane_rule(&lane, 6, 3, LANE_LOST);
	lane_rule(&lane, 4, 2, LANE_LOST);
	expect_reached(LANE_V4("3"), SOON_MS(20), "6.2 4.2 6.3 4.3");
}

ROUTES_TEST(a_refusal_begins_the_next_at_once)
{
	LANE_OR_SKIP();
	lane_rule(&lane, 6, 2, LANE_REFUSED);
	lane_rule(&lane, 4, 2, LANE_REFUSED);
	expect_reached("[" LANE_V6("3") "]", NEVER_MIND, "6.2 4.2 6.3");
}

ROUTES_TEST(a_slow_route_survives_refusals_of_the_others)
{
	LANE_OR_SKIP();
	lane_rule(&lane, 6, 2, 200);
	lane_rule(&lane, 4, 2, LANE_REFUSED);
	lane_rule(&lane, 6, 3, LANE_REFUSED);
	lane_rule(&lane, 4, 3, LANE_REFUSED);
	expect_reached("[" LANE_V6("2") "]", SOON_MS(10), "6.2 4.2 6.3 4.3");
}

ROUTES_TEST(a_slow_route_survives_losses_of_the_others)
{
	LANE_OR_SKIP();
	lane_rule(&lane, 6, 2, 200);
	lane_rule(&lane, 4, 2, LANE_LOST);
	lane_rule(&lane, 6, 3, LANE_LOST);
	lane_rule(&lane, 4, 3, LANE_LOST);
	expect_reached("[" LANE_V6("2") "]", SOON_MS(10), "6.2 4.2 6.3 4.3");
}

ROUTES_TEST(the_last_one_is_found_behind_refusals_and_losses)
{
	LANE_OR_SKIP();
	lane_rule(&lane, 6, 2, LANE_LOST);
	lane_rule(&lane, 4, 2, LANE_REFUSED);
	lane_rule(&lane, 6, 3, LANE_REFUSED);
	lane_rule(&lane, 4, 3, 20);
	expect_reached(LANE_V4("3"), SOON_MS(50), "6.2 4.2 6.3 4.3");
}

/* Fails to dial "two", with that message behind the name. */
static void expect_failed(const char *hosts, int want, soon_ns timeout, const char *message)
{
	struct service service;
	soon_stream *stream = NULL;
	unsigned fds;
	char text[256];
	int rc;

	service_start(&service, hosts);
	fds = fds_open();
	(void)snprintf(text, sizeof text, "cannot connect to %s: %s", service.where, message);
	rc = (int)soon_within(timeout,
		soon_dial(service.where,
			&(soon_stream_opts){
				.resolve = &service.resolve, .attempt_delay = SOON_MS(10) },
			&stream));
	cr_expect_eq(rc, want, "%d", rc);
	cr_expect_null(stream);
	cr_expect_eq(fds_open(), fds);
	cr_assert_not_null(soon_fail_message());
	cr_expect_str_eq(soon_fail_message(), text, "%s, not %s", soon_fail_message(), text);
	service_stop(&service);
}

static void all_lost(void)
{
	for (int host = 2; host <= 3; host++) {
		lane_rule(&lane, 4, host, LANE_LOST);
		lane_rule(&lane, 6, host, LANE_LOST);
	}
}

ROUTES_TEST(where_all_are_lost_the_kernel_gives_up)
{
	int fd;

	LANE_OR_SKIP();
	fd = open("/proc/sys/net/ipv4/tcp_syn_retries", O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		cr_skip_test("the kernel's tries cannot be made fewer here");
		return;
	}
	cr_assert_eq(write(fd, "1", 1), 1);
	(void)close(fd);
	all_lost();
	expect_failed(TWO, -ETIMEDOUT, SOON_S(20),
		"ETIMEDOUT from " LANE_V6("2") ", " LANE_V4("2") ", " LANE_V6("3") ", " LANE_V4(
			"3"));
}

ROUTES_TEST(a_deadline_tells_who_has_not_answered)
{
	LANE_OR_SKIP();
	all_lost();
	lane_rule(&lane, 4, 2, LANE_REFUSED);
	expect_failed(TWO, -ETIMEDOUT, SOON_MS(500),
		"no answer from " LANE_V6("2") ", " LANE_V6("3") ", " LANE_V4(
			"3") "; ECONNREFUSED from " LANE_V4("2"));
}

ROUTES_TEST(a_deadline_tells_of_the_only_one)
{
	soon_stream *stream = NULL;

	LANE_OR_SKIP();
	all_lost();
	cr_expect_eq(
		soon_within(SOON_MS(50), soon_dial(LANE_V4("2") ":80", NULL, &stream)), -ETIMEDOUT);
	cr_expect_str_eq(soon_fail_message(), "cannot connect to " LANE_V4("2") ":80: no answer");
}

ROUTES_TEST(a_refusal_tells_more_than_no_route)
{
	LANE_OR_SKIP();
	lane_rule(&lane, 4, 2, LANE_REFUSED);
	expect_failed("2001:db9::1 two\n" LANE_V4("2") " two\n", -ECONNREFUSED, SOON_S(20),
		"ECONNREFUSED from " LANE_V4("2") "; ENETUNREACH from 2001:db9::1");
}

ROUTES_TEST(a_cancel_at_any_moment_leaves_nothing)
{
	unsigned reached = 0, fds;
	struct service service;

	LANE_OR_SKIP();
	lane_rule(&lane, 6, 2, 4);
	lane_rule(&lane, 4, 2, 5);
	lane_rule(&lane, 6, 3, LANE_REFUSED);
	lane_rule(&lane, 4, 3, LANE_LOST);
	service_start(&service, TWO);
	fds = fds_open();
	for (int i = 0; i < 40; i++) {
		soon_stream *stream = NULL;
		int rc = (int)soon_within(SOON_US(500) * i + 1,
			soon_dial(service.where,
				&(soon_stream_opts){
					.resolve = &service.resolve, .attempt_delay = SOON_MS(10) },
				&stream));

		cr_expect(rc == 0 || rc == -ETIMEDOUT, "%d: %s", rc, soon_fail_message());
		cr_expect_eq(rc == 0, stream != NULL);
		reached += rc == 0;
		if (rc == 0)
			soon_stream_abort(stream);
		cr_assert_eq(fds_open(), fds, "after %d half milliseconds", i);
	}
	(void)printf("%u of 40 were reached in time\n", reached);
	service_stop(&service);
}

/* Name servers over the same routes. */

static struct liar liar = { .records = { { "two.test", LANE_V6("2") }, { "two.test", LANE_V6("3") },
				    { "two.test", LANE_V4("2") }, { "two.test", LANE_V4("3") } },
	.is_everywhere = true };

static int resolve_at(const char *servers, const char *name)
{
	soon_addr addrs[4];
	char where[64];

	(void)snprintf(where, sizeof where, "%s:80", name);
	return soon_resolve(where,
		&(soon_resolve_opts){ .servers = servers,
			.resolv_conf = NOWHERE,
			.hosts = NOWHERE,
			.timeout = SOON_MS(50),
			.tries = 2 },
		addrs, 4);
}

static void lanes_to_liar(char servers[128], const char *first, const char *second)
{
	liar_start(&liar);
	(void)snprintf(servers, 128, "%s:%u,%s:%u", first, liar.port, second, liar.port);
}

ROUTES_TEST(a_lost_name_server_costs_its_timeout)
{
	char servers[128];
	soon_ns begun = soon_now();

	LANE_OR_SKIP();
	lane_rule(&lane, 4, 8, LANE_LOST);
	lanes_to_liar(servers, LANE_V4("8"), LANE_V4("9"));
	cr_expect_eq(resolve_at(servers, "two.test"), 4);
	cr_expect_geq(soon_now() - begun, SOON_MS(50));
	liar_stop(&liar);
}

ROUTES_TEST(lost_name_servers_are_given_up)
{
	char servers[128];
	unsigned fds;

	LANE_OR_SKIP();
	lane_rule(&lane, 4, 8, LANE_LOST);
	lane_rule(&lane, 4, 9, LANE_LOST);
	lanes_to_liar(servers, LANE_V4("8"), LANE_V4("9"));
	fds = fds_open();
	cr_expect_eq(resolve_at(servers, "two.test"), -EAGAIN);
	cr_expect_not_null(strstr(soon_fail_message(), LANE_V4("8")), "%s", soon_fail_message());
	cr_expect_eq(fds_open(), fds);
	cr_expect_eq(atomic_load(&liar.queries), 0);
	liar_stop(&liar);
}

ROUTES_TEST(a_name_server_whose_tcp_is_lost_is_given_up)
{
	char servers[128];
	unsigned fds;

	LANE_OR_SKIP();
	lane_rule(&lane, 4, 8, LANE_LOST_TCP);
	lane_rule(&lane, 4, 9, LANE_LOST_TCP);
	lanes_to_liar(servers, LANE_V4("8"), LANE_V4("9"));
	fds = fds_open();
	cr_expect_eq(resolve_at(servers, "cut.test"), -EAGAIN, "%s", soon_fail_message());
	cr_expect_eq(fds_open(), fds);
	liar_stop(&liar);
}

ROUTES_TEST(the_next_name_server_has_what_the_first_cannot_send)
{
	char servers[128];

	LANE_OR_SKIP();
	lane_rule(&lane, 4, 8, LANE_LOST_TCP);
	lanes_to_liar(servers, LANE_V4("8"), LANE_V4("9"));
	cr_expect_eq(resolve_at(servers, "cut.test"), 1, "%s", soon_fail_message());
	liar_stop(&liar);
}

ROUTES_TEST(a_deadline_ends_the_wait_for_a_name)
{
	const soon_resolve_opts opts = { .servers = LANE_V4("8"),
		.resolv_conf = NOWHERE,
		.hosts = NOWHERE,
		.timeout = NEVER_MIND };
	soon_addr addr;
	unsigned fds;

	LANE_OR_SKIP();
	lane_rule(&lane, 4, 8, LANE_LOST);
	fds = fds_open();
	cr_expect_eq(
		soon_within(SOON_MS(200), soon_resolve("two.test:1", &opts, &addr, 1)), -ETIMEDOUT);
	cr_expect_eq(fds_open(), fds);
	cr_assert_not_null(soon_fail_message());
	cr_expect_str_eq(soon_fail_message(),
		"no answer yet about \"two.test\" from the name server " LANE_V4("8") ":53");
}
