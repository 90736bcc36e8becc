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

/* A message that grows by whole pieces. */
struct message {
	size_t len;
	char text[SOON_FAILURE_TEXT_BYTES - sizeof " and 31 more"];
};

static bool message_add(struct message *message, const char *before, const char *piece)
{
	size_t left = sizeof message->text - message->len;
	int n = snprintf(message->text + message->len, left, "%s%s", before, piece);

	if (n < 0 || (size_t)n >= left) {
		message->text[message->len] = '\0';
		return false;
	}
	message->len += (size_t)n;
	return true;
}

/* The address alone: the port is that of all. */
static const char *host_format(const soon_addr *addr, char text[SOON_ADDR_TEXT_BYTES])
{
	bool has_brackets;

	has_brackets = soon_addr_format(addr, text)[0] == '[';
	strrchr(text, ':')[has_brackets ? -1 : 0] = '\0';
	return has_brackets ? text + 1 : text;
}

/* Adds the `at`th attempt and all that ended like it; returns how many there was room for. */
static size_t alike_tell(const struct race *race, size_t at, struct message *message)
{
	int rc = race->attempts[at].rc;
	const char *name = rc == -ECANCELED ? "no answer" : strerrorname_np(-rc);
	char host[SOON_ADDR_TEXT_BYTES], what[32];
	size_t told = 0;

	for (size_t i = 0; i < at; i++)
		if (race->attempts[i].rc == rc)
			return 0; /* told with that one */
	(void)snprintf(what, sizeof what, "%s%s from ", at > 0 ? "; " : "",
		name != NULL ? name : "failure");
	for (size_t i = at; i < race->begun; i++) {
		if (race->attempts[i].rc != rc)
			continue;
		if (!message_add(message, told > 0 ? ", " : what,
			    host_format(race->attempts[i].addr, host)))
			break;
		told++;
	}
	return told;
}

/* No attempt has got there: tells what each did, as many as there is room for. */
static int race_failed(const struct race *race, int rc)
{
	struct message message = { .len = 0 };
	char where[48];
	size_t told = 0;

	(void)snprintf(where, sizeof where, "%.40s: ", race->lookup.where);
	(void)message_add(&message, "cannot connect to ", where);
	for (size_t i = 0; i < race->begun; i++) {
		int one = race->attempts[i].rc;

		if (rc == 0 || (!is_telling(rc) && is_telling(one)))
			rc = one;
		told += alike_tell(race, i, &message);
	}
	if (race->lookup.unanswered != 0)
		(void)message_add(&message, "; no name server told of ",
			race->lookup.unanswered == AF_INET ? "IPv4" : "IPv6");
	if (told < race->begun)
		return soon_fail(rc, "%s and %zu more", message.text, race->begun - told);
	return soon_fail(rc, "%s", message.text);
}

static int race_result(const struct race *race, int rc)
{
	if (race->fd >= 0)
		return race->fd; /* also where a cancel came meanwhile */
	if (rc < 0 && rc != -ECANCELED)
		return rc;
	if (race->begun > 0 && (rc != 0 || race->lookup.rc != -ENOMEM))
		return race_failed(race, rc);
	if (rc == 0)
		rc = race->lookup.rc < 0 ? race->lookup.rc : -ENOENT;
	if (race->lookup.message[0] != '\0')
		return soon_fail(rc, "%s", race->lookup.message);
	return rc;
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
	if (rc < 0)
		return soon_fail(rc, "cannot connect to %s: %s",
			soon_addr_format(&race->lookup.found.addrs[0], text),
			rc == -ECANCELED ? "no answer" : soon__error_text(rc));
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
