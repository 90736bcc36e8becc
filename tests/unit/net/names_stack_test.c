// SPDX-License-Identifier: Apache-2.0
/*
 * names_stack_test.c: what a lookup takes of its own task's stack, which is SOON__LOOKUP_STACK, and
 * what it takes of the caller's, who may be in a small one.
 */
#include "dns.h"
#include "liar.h"
#include "net_kit.h"
#include "paint.h"

#define NOWHERE "/nonexistent/soon"

/* Of these tasks; the paint has to fit. */
static const soon_task_opts roomy = { .stack_bytes = 2 * PAINT_BYTES };

struct measured {
	struct soon__lookup lookup;
	size_t depth;
};

static int lookup_measured(struct measured *m)
{
	paint();
	int rc = soon__lookup_run(&m->lookup);
	m->depth = paint_depth();
	return rc;
}

/* What a lookup takes of its own stack. */
static size_t lookup_depth(const char *where, const soon_resolve_opts *opts)
{
	struct measured *m = calloc(1, sizeof *m);
	size_t depth;

	cr_assert_not_null(m);
	cr_assert_eq(soon__lookup_init(&m->lookup, where, opts), 0);
	SOON_GROUP(g);
	cr_assert_eq(soon_spawn_with(&g, &roomy, lookup_measured, m), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	depth = m->depth;
	free(m);
	return depth;
}

NET_TEST(names_stack, a_lookup_takes_less_than_half_of_its_stack)
{
	static struct liar liar;
	static const char *const names[] = { "good.test:80", "alias.test:http", "thousand.test:80",
		"nx.test:80", "garbage.test:80", "silent.test:80", "servfail.test:80" };
	size_t deepest = 0;

	liar_start(&liar);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t depth = lookup_depth(names[i],
			&(soon_resolve_opts){ .servers = liar.servers,
				.resolv_conf = NOWHERE,
				.hosts = NOWHERE,
				.tries = 1,
				.timeout = strncmp(names[i], "silent", 6) == 0 ? SOON_MS(20)
									       : SOON_S(5) });

		(void)printf("%s: %zu bytes of stack\n", names[i], depth);
		deepest = depth > deepest ? depth : deepest;
	}
	cr_expect_lt(deepest, SOON__LOOKUP_STACK / 2, "%zu", deepest);
	liar_stop(&liar);
}

struct caller {
	const char *where;
	const soon_resolve_opts *opts;
	size_t resolve_depth, dial_depth;
};

static int call_measured(struct caller *caller)
{
	soon_addr addr;
	soon_stream *stream;
	int rc;

	paint();
	rc = soon_resolve(caller->where, caller->opts, &addr, 1);
	caller->resolve_depth = paint_depth();
	cr_expect(rc == 1 || rc == -ENOENT, "%d", rc);
	paint();
	rc = soon_dial(caller->where, &(soon_stream_opts){ .resolve = caller->opts }, &stream);
	caller->dial_depth = paint_depth();
	cr_expect(rc == -ECONNREFUSED || rc == -ENOENT, "%d", rc);
	return 0;
}

NET_TEST(names_stack, a_caller_needs_a_small_one)
{
	static struct liar liar = { .records = { { "two.test", "127.0.10.2" },
					    { "two.test", "127.0.10.3" },
					    { "two.test", "127.0.10.4" } } };
	static const char *const names[] = { "127.0.10.2:1", "localhost:1", "two.test:1",
		"nx.test:1" };

	liar_start(&liar);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct caller caller = { .where = names[i],
			.opts = &(soon_resolve_opts){ .servers = liar.servers,
				.resolv_conf = NOWHERE,
				.hosts = NOWHERE,
				.timeout = SOON_S(5) } };

		SOON_GROUP(g);
		cr_assert_eq(soon_spawn_with(&g, &roomy, call_measured, &caller), 0);
		cr_assert_eq(soon_group_close(&g, 0), 0);
		(void)printf("%s: soon_resolve %zu, soon_dial %zu bytes of stack\n", names[i],
			caller.resolve_depth, caller.dial_depth);
		cr_expect_lt(caller.resolve_depth, 8192);
		cr_expect_lt(caller.dial_depth, 8192);
	}
	liar_stop(&liar);
}
