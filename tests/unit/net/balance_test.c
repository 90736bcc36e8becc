// SPDX-License-Identifier: Apache-2.0
/* balance_test.c: connections that all come to one core, and which one serves them. */
#include "net_kit.h"
#include "support/one_socket.h"

#include <inttypes.h>
#include <stdatomic.h>

enum { CORES_MAX = 3, CLIENTS_MAX = 40 };

static struct {
	unsigned cores, uneven_max;
	unsigned conns_max[CORES_MAX]; /* of each core; 0: the default */
	bool is_absent[CORES_MAX];     /* its part returns at once */
	bool is_hash;                  /* the kernel's choice is left alone */
	soon_service_stats stats[CORES_MAX];
	atomic_uint begun;
} made;

static soon_stream *clients[CLIENTS_MAX];

/* Answers each byte with the core it is served on. */
static int tell_core(soon_stream *conn, void *unused)
{
	char c = (char)('0' + soon_core_index(NULL));
	ssize_t n = 0;

	(void)unused;
	do {
		char any;

		SOON_IDLE {
			n = soon_stream_read(conn, &any, 1);
		}
	} while (n > 0 && (n = soon_stream_write(conn, &c, 1)) > 0);
	return (int)n;
}

static int serve(soon_listener *listener, void *unused)
{
	unsigned here = soon_core_index(NULL);

	(void)unused;
	atomic_fetch_add(&made.begun, 1);
	if (made.is_absent[here])
		return 0;
	return soon_serve(&(soon_service){
		.listener = listener,
		.handle = tell_core,
		.conns_max = made.conns_max[here],
		.stats = &made.stats[here],
	});
}

/* Who serves the connection; it stays open. */
static unsigned core_of(soon_stream *client)
{
	char c = 0;

	cr_assert_eq(soon_stream_write(client, "?", 1), 1);
	cr_assert_eq(soon_within(SOON_S(20), soon_stream_read_exact(client, &c, 1, NULL)), 1);
	return (unsigned)(c - '0');
}

/* One after the other, each served before the next comes; counts who has them. */
static void dial_all(const char *where, unsigned from, unsigned to, unsigned served[CORES_MAX])
{
	for (unsigned i = from; i < to; i++) {
		cr_assert_eq(soon_dial(where, NULL, &clients[i]), 0);
		served[core_of(clients[i])]++;
	}
}

static void abort_all(void)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		soon_stream_abort(clients[i]);
}

static int stats_copy(soon_service_stats *ret)
{
	*ret = made.stats[soon_core_index(NULL)];
	return 0;
}

/* They are read on their core. */
static soon_service_stats stats_of(unsigned index)
{
	soon_service_stats stats = { 0 };
	soon_core *core;

	cr_assert_eq(soon_core_at(index, &core), 0);
	cr_assert_eq(soon_call_on(core, stats_copy, &stats), 0);
	return stats;
}

typedef void script(const char *where);

/* Runs a script beside a service on all cores, whose first one gets every connection. */
static int run_script(script *const *play)
{
	soon_listen_opts opts = { .reuse_port = true };
	soon_cores_service service = { .serve = serve, .uneven_max = made.uneven_max };
	char where[SOON_ADDR_TEXT_BYTES];
	soon_addr addr;
	SOON_GROUP(g);

	cr_assert_eq(soon_listen("127.0.0.1:0", &opts, &service.listener), 0);
	if (!made.is_hash)
		cr_assert_eq(one_socket_gets_all(service.listener), 0);
	soon_listener_addr(service.listener, &addr);
	soon_addr_format(&addr, where);
	cr_assert_eq(soon_spawn(&g, soon_serve_on_cores, &service), 0);
	while (atomic_load(&made.begun) < made.cores)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	(*play)(where);
	soon_group_drain(&g, SOON_S(20));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_listener_close(service.listener);
	for (unsigned i = 0; i < made.cores; i++)
		cr_expect_eq(made.stats[i].live, 0);
	return 0;
}

static void run(unsigned cores, unsigned uneven_max, script *play)
{
	soon_opts opts = { .cores = cores, .no_pin = true };

	made.cores = cores;
	made.uneven_max = uneven_max;
	cr_assert_eq(soon_run_with(&opts, run_script, (script *const *)&play), 0);
}

static void stay(const char *where)
{
	unsigned served[CORES_MAX] = { 0 };

	dial_all(where, 0, CLIENTS_MAX, served);
	cr_expect_eq(served[0], CLIENTS_MAX);
	cr_expect_eq(made.stats[0].given, 0);
	abort_all();
}

SOON_TEST_PLAIN(balance, without_it_they_stay_where_the_kernel_put_them)
{
	run(2, 0, stay);
}

static void even(const char *where)
{
	unsigned served[CORES_MAX] = { 0 };

	dial_all(where, 0, CLIENTS_MAX, served);
	cr_expect_eq(served[0], CLIENTS_MAX / 2);
	cr_expect_eq(served[1], CLIENTS_MAX / 2);
	cr_expect_eq(made.stats[0].given, CLIENTS_MAX / 2);
	cr_expect_eq(made.stats[0].got, 0);
	cr_expect_eq(made.stats[0].accepted, CLIENTS_MAX / 2);
	cr_expect_eq(stats_of(1).got, CLIENTS_MAX / 2);
	cr_expect_eq(stats_of(1).accepted, CLIENTS_MAX / 2);
	cr_expect_eq(stats_of(1).given, 0);
	abort_all();
}

SOON_TEST_PLAIN(balance, one_more_than_the_other_is_the_most)
{
	run(2, 1, even);
}

static void even_of_three(const char *where)
{
	unsigned served[CORES_MAX] = { 0 };

	dial_all(where, 0, 39, served);
	for (unsigned i = 0; i < CORES_MAX; i++)
		cr_expect_eq(served[i], 13, "core %u has %u", i, served[i]);
	abort_all();
}

SOON_TEST_PLAIN(balance, the_one_with_the_fewest_is_chosen)
{
	run(3, 1, even_of_three);
}

static void up_to_eight(const char *where)
{
	unsigned served[CORES_MAX] = { 0 };

	dial_all(where, 0, 8, served);
	cr_expect_eq(served[0], 8, "that much is not worth the trip");
	dial_all(where, 8, CLIENTS_MAX, served);
	cr_expect_eq(served[0], 24);
	cr_expect_eq(served[1], 16);
	abort_all();
}

SOON_TEST_PLAIN(balance, a_difference_within_the_bound_is_let_be)
{
	run(2, 8, up_to_eight);
}

static void ended_are_not_counted(const char *where)
{
	unsigned served[CORES_MAX] = { 0 };

	dial_all(where, 0, 20, served);
	for (unsigned i = 0; i < 20; i++)
		if (core_of(clients[i]) == 1) {
			soon_stream_abort(clients[i]);
			clients[i] = NULL;
		}
	while (stats_of(1).live > 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	served[0] = served[1] = 0;
	dial_all(where, 20, 30, served);
	cr_expect_eq(served[1], 10);
	abort_all();
}

SOON_TEST_PLAIN(balance, those_that_ended_do_not_count)
{
	run(2, 1, ended_are_not_counted);
}

static void full(const char *where)
{
	unsigned served[CORES_MAX] = { 0 };

	dial_all(where, 0, CLIENTS_MAX, served);
	cr_expect_eq(served[1], 4, "one place is its own");
	cr_expect_eq(served[0], CLIENTS_MAX - 4);
	cr_expect_eq(stats_of(1).refused, 0);
	cr_expect_eq(stats_of(1).paused, 0);
	abort_all();
}

SOON_TEST_PLAIN(balance, a_full_core_is_handed_nothing)
{
	made.conns_max[1] = 5;
	run(2, 1, full);
}

SOON_TEST_PLAIN(balance, a_core_whose_part_has_ended_is_handed_nothing)
{
	made.is_absent[1] = true;
	run(2, 1, stay);
}

/* What the first core may have at most, while the rest wait in the kernel's queue. */
static void paused(const char *where)
{
	unsigned served[CORES_MAX] = { 0 };
	soon_stream *late;

	dial_all(where, 0, 9, served);
	cr_expect_eq(served[0], 5);
	cr_expect_eq(served[1], 4);
	cr_assert_eq(soon_dial(where, NULL, &late), 0);
	cr_assert_eq(soon_stream_write(late, "?", 1), 1);
	cr_assert_eq(soon_stream_flush(late), 0);
	for (unsigned i = 0; i < 9; i++)
		(void)core_of(clients[i]);
	abort_all();
	(void)core_of(late);
	soon_stream_abort(late);
}

SOON_TEST_PLAIN(balance, a_full_core_goes_on_when_one_of_its_own_ends)
{
	made.conns_max[0] = made.conns_max[1] = 5;
	run(2, 1, paused);
}

/* A drain that comes while many arrive: each that was taken is answered or ended, none hangs. */
static int ask_until_refused(const char *where)
{
	for (;;) {
		soon_stream *stream;
		char c;

		if (soon_dial(where, NULL, &stream) < 0)
			return 0;
		if (soon_stream_write(stream, "?", 1) == 1)
			(void)!soon_within(SOON_S(20), soon_stream_read_exact(stream, &c, 1, NULL));
		soon_stream_abort(stream);
	}
}

static void storm(const char *where)
{
	static char text[SOON_ADDR_TEXT_BYTES];

	memcpy(text, where, sizeof text);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(soon_background(ask_until_refused, (const char *)text), 0);
	cr_assert_eq(soon_sleep(SOON_MS(30)), 0);
}

SOON_TEST_PLAIN(balance, a_drain_ends_it_under_load)
{
	uint64_t given = 0, got = 0;

	run(3, 1, storm);
	/* Of all: when the first has stopped, the others have their own, and hand them on. */
	for (unsigned i = 0; i < CORES_MAX; i++) {
		given += made.stats[i].given;
		got += made.stats[i].got;
	}
	cr_expect_eq(given, got, "%" PRIu64 " given, %" PRIu64 " got", given, got);
	cr_expect_gt(made.stats[0].given, 0);
}
