// SPDX-License-Identifier: Apache-2.0
/*
 * names_memory_test.c: each allocation of a lookup or a dial fails once, also those of c-ares, and
 * nothing is left behind but a failure that says what it is.
 */
#include "liar.h"
#include "net_kit.h"

#include <ares.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#define NOWHERE         "/nonexistent/soon"
#define ALLOCATIONS_MAX 2000
#define HELD_MAX        4096

/* What c-ares holds. Here it is also in the reach of LeakSanitizer, see lost_max(). */
static void *held[HELD_MAX];
static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;

/* Puts one block in another's place; NULL is no block. */
static void held_change(const void *from, void *to)
{
	size_t i = 0;

	(void)pthread_mutex_lock(&held_lock);
	while (i < HELD_MAX && held[i] != from)
		i++;
	if (i < HELD_MAX)
		held[i] = to;
	(void)pthread_mutex_unlock(&held_lock);
}

static unsigned held_count(void)
{
	unsigned count = 0;

	(void)pthread_mutex_lock(&held_lock);
	for (size_t i = 0; i < HELD_MAX; i++)
		count += held[i] != NULL;
	(void)pthread_mutex_unlock(&held_lock);
	return count;
}

static void *ares_take(size_t bytes)
{
	void *ptr = soon_malloc(bytes);

	if (ptr != NULL)
		held_change(NULL, ptr);
	return ptr;
}

static void *ares_change(void *old, size_t bytes)
{
	uintptr_t place = (uintptr_t)old;
	void *ptr = soon_realloc(old, bytes);

	if (ptr != NULL)
		held_change((const void *)place, ptr);
	return ptr;
}

static void ares_give(void *ptr)
{
	if (ptr != NULL)
		held_change(ptr, NULL);
	soon_free(ptr);
}

/*
 * The c-ares of Debian 13, 1.34, loses blocks of its own when memory runs out while it makes a
 * channel or a query; nothing of ours is left then, as each channel is destroyed.
 */
static unsigned lost_max(void)
{
	int version;

	(void)ares_version(&version);
	return version >= 0x011300 ? 64 : 0;
}

/* Before c-ares has anything. */
static void ares_watched(void)
{
	cr_assert_eq(ares_library_init_mem(ARES_LIB_INIT_ALL, ares_take, ares_give, ares_change),
		ARES_SUCCESS);
}

static int report_drop(const soon_report *report, void *unused)
{
	(void)report;
	(void)unused;
	return 0;
}

struct attempt {
	const char *where;
	const soon_resolve_opts *opts;
};

static int resolve_once(const struct attempt *attempt)
{
	soon_addr addrs[4];

	return soon_resolve(attempt->where, attempt->opts, addrs, 4);
}

static int dial_once(const struct attempt *attempt)
{
	soon_stream *stream = NULL;
	int rc =
		soon_dial(attempt->where, &(soon_stream_opts){ .resolve = attempt->opts }, &stream);

	if (rc == 0)
		soon_stream_abort(stream);
	return rc;
}

/*
 * Memory that c-ares lacks in the middle of a query may cost it the answer: then it is as if none
 * had come.
 */
static bool is_clear(int rc)
{
	if (rc >= 0 || rc == -ENOMEM)
		return true;
	if (soon_fail_message() == NULL)
		return false;
	return rc == -EAGAIN || rc == -EBADMSG ||
		strstr(soon_fail_message(), "no name server told of IPv") != NULL;
}

/* The name server, too, has descriptors in this process, and closes them in its own time. */
static bool fds_are(unsigned want)
{
	for (int i = 0; i < 1000 && fds_open() != want; i++)
		if (soon_sleep(SOON_MS(1)) < 0)
			break;
	return fds_open() == want;
}

/* Lets one allocation after the other fail, until a call needs fewer. */
static void each_fails(int (*call)(const struct attempt *), const struct attempt *attempt)
{
	unsigned fds = fds_open(), failed = 0, k = 0;
	unsigned before;
	uint64_t asked;
	int rc;

	(void)call(attempt); /* for what is made once, as a pool's threads */
	do {
		uint64_t count = soon_mem_count();

		before = held_count();
		soon_mem_fail_at(++k);
		rc = call(attempt);
		soon_mem_fail_at(0);
		asked = soon_mem_count() - count;
		failed += rc < 0;
		cr_expect(is_clear(rc), "%s, allocation %u: %d, %s", attempt->where, k, rc,
			soon_fail_message());
		cr_assert(fds_are(fds), "%s, allocation %u: descriptors", attempt->where, k);
		cr_assert_leq(held_count(), before + lost_max(),
			"%s, allocation %u: memory of c-ares", attempt->where, k);
	} while ((k <= asked || rc < 0) && k < ALLOCATIONS_MAX); /* busy machines lose answers */
	(void)printf("%s: %u allocations, %u failures\n", attempt->where, k - 1, failed);
	cr_expect_gt(failed, 0);
	cr_expect_geq(rc, 0);
}

#define MEMORY_TEST(name) NET_TEST(names_memory, name, .init = ares_watched, .timeout = 60)

MEMORY_TEST(every_allocation_of_a_lookup_may_fail)
{
	static struct liar liar;
	const soon_resolve_opts opts = { .servers = liar.servers,
		.resolv_conf = NOWHERE,
		.hosts = NOWHERE,
		.timeout = SOON_MS(50),
		.tries = 1 };

	soon_on_report(report_drop, NULL);
	liar_start(&liar);
	each_fails(resolve_once, &(struct attempt){ "alias.test:http", &opts });
	each_fails(resolve_once, &(struct attempt){ "cut.test:80", &opts });
	each_fails(resolve_once, &(struct attempt){ "localhost:80", &opts });
	liar_stop(&liar);
}

MEMORY_TEST(every_allocation_of_a_dial_may_fail)
{
	static struct liar liar = { .records = {
					    { "two.test", "127.0.0.1" }, { "two.test", "::1" } } };
	const soon_resolve_opts opts = { .servers = liar.servers,
		.resolv_conf = NOWHERE,
		.hosts = NOWHERE,
		.timeout = SOON_MS(50),
		.tries = 1 };
	soon_listener *listener;
	char where[32];
	soon_addr addr;

	soon_on_report(report_drop, NULL);
	liar_start(&liar);
	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &listener), 0);
	soon_listener_addr(listener, &addr);
	(void)snprintf(where, sizeof where, "two.test:%u", soon_addr_port(&addr));
	each_fails(dial_once, &(struct attempt){ where, &opts });
	soon_listener_close(listener);
	liar_stop(&liar);
}
