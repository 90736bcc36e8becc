// SPDX-License-Identifier: Apache-2.0
/*
 * dial.c: making a connection, by the race of RFC 8305 where there are several addresses.
 *
 * The race is a group of tasks: one looks the name up, one for each address that is tried. The
 * caller conducts: it begins the next attempt when the pause after the last one is over or an
 * attempt has failed, and waits for a connection or for nothing to be left. An attempt is never
 * ended because it is slow, but only when another has won: so a route that needs a second is found
 * even when a dozen addresses come before it.
 */
#include <soon/assert.h>
#include <soon/group.h>
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/scope.h>

#include "dns.h"
#include "errtext.h"
#include "stream.h"

#include <stdio.h>
#include <string.h>

/* RFC 8305, section 8: the pauses. */
#define ATTEMPT_DELAY     SOON_MS(250)
#define ATTEMPT_DELAY_MIN SOON_MS(10)
#define RESOLUTION_DELAY  SOON_MS(50)

#define MESSAGE_BYTES 160

struct attempt {
	struct race *race;
	const soon_addr *addr;
	int rc; /* when it is over */
};

struct race {
	struct soon__lookup lookup; /* its event tells of attempts, too */
	soon_ns delay;
	soon_ns next_at;    /* not before, unless no attempt is live */
	soon_ns hold_until; /* for IPv6 addresses, when IPv4 ones came first; 0: not decided */
	size_t seen;        /* addresses taken from the lookup */
	size_t begun;       /* attempts; they come first in `order` */
	size_t count;
	size_t live;
	int fd; /* the connection, -1 while there is none */
	soon_addr order[SOON_RESOLVE_ADDRS_MAX];
	struct attempt attempts[SOON_RESOLVE_ADDRS_MAX];
};

/* Returns the connected socket. */
static int connect_to(const soon_addr *addr) SOON_SUSPENDS
{
	int fd = socket(addr->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = soon_connect(fd, (const struct sockaddr *)&addr->storage, addr->len);
	if (rc == 0)
		return fd;
	(void)soon_close(fd); /* the failure that matters is known already */
	return rc;
}

static int attempt_run(struct attempt *attempt) SOON_SUSPENDS
{
	struct race *race = attempt->race;
	int fd = connect_to(attempt->addr);

	race->live--;
	attempt->rc = fd < 0 ? fd : 0;
	if (fd >= 0 && race->fd < 0)
		race->fd = fd;
	else if (fd >= 0)
		(void)soon_close(fd); /* another one was first */
	else
		race->next_at = 0;
	(void)soon_event_set(&race->lookup.changed);
	return fd == -ECANCELED ? fd : 0;
}

static sa_family_t family_of(const soon_addr *addr)
{
	return addr->storage.ss_family;
}

/* Makes the families of what is still to be tried take turns; each keeps its order. */
static void interleave(struct race *race)
{
	for (size_t at = race->begun > 0 ? race->begun : 1; at < race->count; at++) {
		sa_family_t last = family_of(&race->order[at - 1]);
		size_t other = at;
		soon_addr moved;

		while (other < race->count && family_of(&race->order[other]) == last)
			other++;
		if (other == race->count)
			return;
		moved = race->order[other];
		memmove(&race->order[at + 1], &race->order[at],
			(other - at) * sizeof race->order[0]);
		race->order[at] = moved;
	}
}

static void addrs_take(struct race *race)
{
	const struct soon__resolved *found = &race->lookup.found;

	if (race->seen == found->count)
		return;
	while (race->seen < found->count)
		race->order[race->count++] = found->addrs[race->seen++];
	soon__addrs_sort(&race->order[race->begun], race->count - race->begun);
	interleave(race);
}

/* Whether the first attempt waits a moment for IPv6 addresses to come. */
static bool is_held(struct race *race, soon_ns now)
{
	if (race->begun > 0 || race->lookup.has_v6)
		return false;
	if (race->hold_until == 0)
		race->hold_until = now + RESOLUTION_DELAY;
	return now < race->hold_until;
}

static int attempt_begin(struct race *race, soon_group *group) SOON_ON_CORE
{
	static const soon_task_opts opts = { .name = "connect" };
	struct attempt *attempt = &race->attempts[race->begun];
	int rc;

	*attempt = (struct attempt){ .race = race, .addr = &race->order[race->begun] };
	rc = soon_spawn_with(group, &opts, attempt_run, attempt);
	if (rc == 0) {
		race->begun++;
		race->live++;
	}
	/* Without memory for more, those under way may still get there. */
	return rc < 0 && race->live > 0 ? 0 : rc;
}

/* Begins what is due. `*ret_until` is when to look again; 0: nothing is left to wait for. */
static int attempts_begin(struct race *race, soon_group *group, soon_ns *ret_until) SOON_ON_CORE
{
	soon_ns now = soon_now();

	addrs_take(race);
	*ret_until = race->live > 0 || !race->lookup.is_over ? SOON_NEVER : 0;
	if (race->begun == race->count)
		return 0;
	if (is_held(race, now)) {
		*ret_until = race->hold_until;
		return 0;
	}
	if (race->live == 0 || now >= race->next_at) {
		int rc = attempt_begin(race, group);

		if (rc < 0)
			return rc;
		race->next_at = now + race->delay;
	}
	*ret_until = race->begun < race->count ? race->next_at : SOON_NEVER;
	return 0;
}

static int wait_until(struct race *race, soon_ns until) SOON_SUSPENDS
{
	soon_ns left = until == SOON_NEVER ? SOON_NEVER : until - soon_now();
	int rc = until == SOON_NEVER
		? soon_event_wait(&race->lookup.changed)
		: (int)soon_within(left > 0 ? left : 1, soon_event_wait(&race->lookup.changed));

	if (rc < 0 && rc != -ETIMEDOUT)
		return rc;
	return soon_event_clear(&race->lookup.changed);
}

static int race_conduct(struct race *race, soon_group *group) SOON_SUSPENDS
{
	static const soon_task_opts opts = { .name = "lookup", .stack_bytes = SOON__LOOKUP_STACK };
	int rc = 0;

	if (!race->lookup.is_over)
		rc = soon_spawn_with(group, &opts, soon__lookup_run, &race->lookup);
	while (rc == 0 && race->fd < 0) {
		soon_ns until;

		rc = attempts_begin(race, group, &until);
		if (rc == 0 && until == 0)
			break;
		if (rc == 0)
			rc = wait_until(race, until);
	}
	return rc;
}

/* What only says that there is no way there tells less than what somebody there said. */
static bool is_telling(int rc)
{
	return rc != -ENETUNREACH && rc != -EHOSTUNREACH && rc != -EADDRNOTAVAIL &&
		rc != -EAFNOSUPPORT;
}

/* All attempts have failed: with what each did, as many as there is room for. */
static int race_failed(const struct race *race)
{
	char text[MESSAGE_BYTES], addr[SOON_ADDR_TEXT_BYTES];
	size_t len = 0, told = 0;
	int rc = 0;

	for (size_t i = 0; i < race->begun; i++) {
		const struct attempt *attempt = &race->attempts[i];
		const char *name = strerrorname_np(-attempt->rc);
		int n = snprintf(text + len, sizeof text - len, "%s%s %s", i > 0 ? ", " : "",
			soon_addr_format(attempt->addr, addr), name != NULL ? name : "?");

		if (rc == 0 || (!is_telling(rc) && is_telling(attempt->rc)))
			rc = attempt->rc;
		if (told == i && n > 0 && (size_t)n < 105 - (len < 105 ? len : 105)) {
			len += (size_t)n;
			told++;
		}
	}
	text[len] = '\0';
	if (told < race->begun)
		return soon_fail(rc, "cannot connect to %.30s: %s and %zu more", race->lookup.where,
			text, race->begun - told);
	return soon_fail(rc, "cannot connect to %.40s: %s", race->lookup.where, text);
}

static int race_result(const struct race *race, int rc)
{
	if (race->fd >= 0)
		return race->fd; /* also where a cancel came meanwhile */
	if (rc < 0)
		return rc;
	if (race->begun > 0)
		return race_failed(race);
	if (race->lookup.message[0] != '\0')
		return soon_fail(race->lookup.rc, "%s", race->lookup.message);
	return race->lookup.rc < 0 ? race->lookup.rc : -ENOENT;
}

static int race_run(struct race *race) SOON_SUSPENDS
{
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);
	int rc = race_conduct(race, &g);

	soon_group_cancel(&g, race->fd >= 0 ? "another address was faster" : "the dial is over");
	rc = (int)soon_group_close(&g, rc);
	return race_result(race, rc);
}

/* Returns the connected socket. */
static int dial(struct race *race, const char *where, const soon_stream_opts *opts) SOON_SUSPENDS
{
	char text[SOON_ADDR_TEXT_BYTES];
	int rc = soon__lookup_init(&race->lookup, where, opts != NULL ? opts->resolve : NULL);

	if (rc < 0)
		return rc;
	race->fd = -1;
	race->delay = opts != NULL && opts->attempt_delay > 0 ? opts->attempt_delay : ATTEMPT_DELAY;
	if (race->delay < ATTEMPT_DELAY_MIN)
		race->delay = ATTEMPT_DELAY_MIN;
	if (!race->lookup.is_over || race->lookup.found.count > 1)
		return race_run(race);

	rc = connect_to(&race->lookup.found.addrs[0]);
	if (rc < 0 && rc != -ECANCELED)
		return soon_fail(rc, "cannot connect to %s: %s",
			soon_addr_format(&race->lookup.found.addrs[0], text), soon__error_text(rc));
	return rc;
}

int soon_dial(const char *where, const soon_stream_opts *opts, soon_stream **ret_stream)
{
	struct race *race;
	soon_stream *stream;
	int fd;

	SOON_ASSERT(where != NULL);
	SOON_ASSERT(ret_stream != NULL);
	fd = soon_checkpoint();
	if (fd < 0)
		return fd;
	stream = soon__stream_alloc();
	race = soon_zalloc(sizeof *race);
	fd = stream != NULL && race != NULL ? dial(race, where, opts) : -ENOMEM;
	soon_free(race);
	if (fd < 0) {
		soon_free(stream);
		return fd;
	}
	soon_fd_track(fd, "connection");
	soon__stream_set_up(fd, opts);
	soon__stream_init(stream, fd, opts);
	*ret_stream = stream;
	return 0;
}
