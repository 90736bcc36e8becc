// SPDX-License-Identifier: Apache-2.0
/*
 * dns_ares.c: name servers, asked by c-ares in the task that waits for them.
 *
 * A channel lives for one name. So a lookup that is cancelled takes its queries and sockets along
 * (c-ares itself can cancel only all that a channel asks), each query has a port of its own that a
 * liar would have to guess, and nothing is left when nobody looks a name up.
 *
 * c-ares opens and closes its sockets itself, by system calls that do not wait. They are watched
 * by an epoll descriptor, and only that one is ever polled by the task: so no operation of the
 * kernel's is in flight on a socket that c-ares closes, and one wait does for all of them.
 *
 * The search list is ours: a name is asked for in both families before the next domain is tried,
 * so that the two never come from different hosts.
 */
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/scope.h>

#include "dns.h"

#include <ares.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Answers larger than this come by TCP: what passes everywhere in one piece. */
#define EDNS_BYTES 1232

#define SERVERS_TEXT_BYTES 512

enum {
	CLASS_IN = 1,
	TYPE_A = 1,
	TYPE_AAAA = 28,
};

struct query {
	struct soon__dns *dns;
	int family;
	int status; /* of c-ares */
	bool is_done;
};

struct soon__dns {
	struct soon__lookup *lookup;
	const struct soon__dns_conf *conf;
	ares_channel channel;
	int epoll;
	struct query queries[2]; /* IPv6, IPv4 */
	bool is_closing;
	bool is_unwatched; /* epoll took no more: ENOMEM, ENOSPC */
};

/* Called by c-ares when it begins or ends to wait for a socket. */
static void socket_changed(void *data, ares_socket_t fd, int readable, int writable)
{
	struct soon__dns *dns = data;
	struct epoll_event event = {
		.events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0),
		.data.fd = fd,
	};

	if (!readable && !writable) {
		(void)epoll_ctl(dns->epoll, EPOLL_CTL_DEL, fd, NULL); /* may be out already */
		return;
	}
	if (epoll_ctl(dns->epoll, EPOLL_CTL_ADD, fd, &event) < 0 &&
		(errno != EEXIST || epoll_ctl(dns->epoll, EPOLL_CTL_MOD, fd, &event) < 0))
		dns->is_unwatched = true;
}

static int ares_error(int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
	case ARES_ENODATA:
		return -ENOENT;
	case ARES_ENOMEM:
		return -ENOMEM;
	case ARES_EBADNAME:
	case ARES_EFORMERR:
		return -EINVAL;
	case ARES_EBADRESP:
		return -EBADMSG;
	default:
		return -EAGAIN;
	}
}

static int servers_set(const struct soon__dns *dns)
{
	char text[SERVERS_TEXT_BYTES];
	size_t len = 0;

	for (unsigned i = 0; i < dns->conf->server_count; i++) {
		char one[SOON_ADDR_TEXT_BYTES];
		int n = snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? "," : "",
			soon_addr_format(&dns->conf->servers[i], one));

		if (n < 0 || (size_t)n >= sizeof text - len)
			return ARES_EBADSTR;
		len += (size_t)n;
	}
	return ares_set_servers_ports_csv(dns->channel, text);
}

int soon__dns_open(
	struct soon__lookup *lookup, const struct soon__dns_conf *conf, struct soon__dns **ret_dns)
{
	struct soon__dns *dns = soon_zalloc(sizeof *dns);
	struct ares_options opts = {
		.flags =
			ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | (conf->use_tcp ? ARES_FLAG_USEVC : 0),
		.timeout = (int)((conf->timeout + SOON_MS(1) - 1) / SOON_MS(1)),
		.tries = (int)conf->tries,
		.ednspsz = EDNS_BYTES,
		.lookups = (char[]){ "b" },
		.resolvconf_path = (char[]){ "/dev/null" }, /* it has been read */
		.sock_state_cb = socket_changed,
		.sock_state_cb_data = dns,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
		ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB |
		(conf->rotate ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE);
	int status;

	if (dns == NULL)
		return -ENOMEM;
	dns->lookup = lookup;
	dns->conf = conf;
	dns->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (dns->epoll < 0) {
		int rc = -errno;

		soon_free(dns);
		return rc;
	}
	status = ares_init_options(&dns->channel, &opts, mask);
	if (status == ARES_SUCCESS) {
		status = servers_set(dns);
		if (status == ARES_SUCCESS) {
			*ret_dns = dns;
			return 0;
		}
		ares_destroy(dns->channel);
	}
	(void)close(dns->epoll); /* nobody has polled it */
	soon_free(dns);
	return ares_error(status);
}

void soon__dns_close(struct soon__dns *dns)
{
	dns->is_closing = true;
	ares_destroy(dns->channel);
	(void)soon_close(dns->epoll); /* no failure is of interest */
	soon_free(dns);
}

static void addr_keep(struct soon__dns *dns, int family, const void *bytes)
{
	soon_addr addr = { .len = 0 };

	if (family == AF_INET) {
		struct sockaddr_in in = { .sin_family = AF_INET };

		memcpy(&in.sin_addr, bytes, sizeof in.sin_addr);
		memcpy(&addr.storage, &in, sizeof in);
		addr.len = sizeof in;
	} else {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

		memcpy(&in6.sin6_addr, bytes, sizeof in6.sin6_addr);
		memcpy(&addr.storage, &in6, sizeof in6);
		addr.len = sizeof in6;
	}
	soon__lookup_keep(dns->lookup, &addr);
}

static int answer_take(struct soon__dns *dns, int family, const unsigned char *answer, int len)
{
	int count = SOON__FAMILY_MAX, status;

	if (family == AF_INET) {
		struct ares_addrttl found[SOON__FAMILY_MAX];

		status = ares_parse_a_reply(answer, len, NULL, found, &count);
		for (int i = 0; status == ARES_SUCCESS && i < count; i++)
			addr_keep(dns, family, &found[i].ipaddr);
	} else {
		struct ares_addr6ttl found[SOON__FAMILY_MAX];

		status = ares_parse_aaaa_reply(answer, len, NULL, found, &count);
		for (int i = 0; status == ARES_SUCCESS && i < count; i++)
			addr_keep(dns, family, &found[i].ip6addr);
	}
	return status == ARES_SUCCESS && count == 0 ? ARES_ENODATA : status;
}

/* Called by c-ares, in the lookup's task; also, with a failure, for what is given up. */
static void answered(void *data, int status, int timeouts, unsigned char *answer, int len)
	SOON_ON_CORE;
static void answered(void *data, int status, int timeouts, unsigned char *answer, int len)
{
	struct query *query = data;
	struct soon__lookup *lookup = query->dns->lookup;

	(void)timeouts;
	if (query->dns->is_closing)
		return;
	if (status == ARES_SUCCESS)
		status = answer_take(query->dns, query->family, answer, len);
	query->status = status;
	query->is_done = true;
	/* That nothing is there is known only when the last domain was asked. */
	if (status != ARES_SUCCESS)
		return;
	lookup->has_v6 |= query->family == AF_INET6;
	lookup->has_v4 |= query->family == AF_INET;
	(void)soon_event_set(&lookup->changed);
}

/* Whether a socket was ready, and c-ares told. One at a time: it may close others meanwhile. */
static bool is_served(struct soon__dns *dns)
{
	struct epoll_event event;
	bool is_readable;

	if (epoll_wait(dns->epoll, &event, 1, 0) <= 0)
		return false;
	is_readable = (event.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
	ares_process_fd(dns->channel, is_readable ? event.data.fd : ARES_SOCKET_BAD,
		(event.events & EPOLLOUT) != 0 ? event.data.fd : ARES_SOCKET_BAD);
	return true;
}

/* Waits for a socket, or until c-ares has to do something about time, and lets it. */
static int step(struct soon__dns *dns) SOON_SUSPENDS
{
	struct timeval tv, *left = ares_timeout(dns->channel, NULL, &tv);
	soon_ns wait;
	ssize_t rc;

	/* c-ares waits for nothing, and yet we do: it had no memory to keep the query. */
	if (dns->is_unwatched || left == NULL)
		return -ENOMEM;
	wait = SOON_S(left->tv_sec) + SOON_US(left->tv_usec);
	rc = soon_within(wait > 0 ? wait : 1, soon_poll_fd(dns->epoll, EPOLLIN));
	if (rc < 0 && rc != -ETIMEDOUT)
		return (int)rc;
	if (!is_served(dns))
		ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	return 0;
}

static bool is_wanted(const struct soon__dns *dns, int family)
{
	return dns->lookup->opts.family == 0 || dns->lookup->opts.family == family;
}

/* Whether another domain may have what this one has not. */
static bool is_absent(int status)
{
	return status == ARES_ENOTFOUND || status == ARES_ENODATA;
}

/* What became of both queries together. */
static int status_of(struct soon__dns *dns, const struct query *v6, const struct query *v4)
{
	struct soon__lookup *lookup = dns->lookup;

	if (v6->status == ARES_ENOMEM || v4->status == ARES_ENOMEM)
		return ARES_ENOMEM;
	if (lookup->found.count > 0) {
		if (v6->status != ARES_SUCCESS && !is_absent(v6->status))
			lookup->unanswered = AF_INET6;
		else if (v4->status != ARES_SUCCESS && !is_absent(v4->status))
			lookup->unanswered = AF_INET;
		return ARES_SUCCESS;
	}
	if (is_absent(v4->status) && is_absent(v6->status))
		return v4->status == ARES_ENODATA ? v4->status : v6->status;
	return is_absent(v4->status) ? v6->status : v4->status;
}

/* Asks for one full name, in both families at once. */
static int ask_one(struct soon__dns *dns, const char *name, int *ret_status) SOON_SUSPENDS
{
	struct query *v6 = &dns->queries[0], *v4 = &dns->queries[1];

	*v6 = (struct query){ .dns = dns, .family = AF_INET6, .status = ARES_ENODATA };
	*v4 = (struct query){ .dns = dns, .family = AF_INET, .status = ARES_ENODATA };
	if (is_wanted(dns, AF_INET6))
		ares_query(dns->channel, name, CLASS_IN, TYPE_AAAA, answered, v6);
	else
		v6->is_done = true;
	/*
	 * Of a server on this machine that is down the refusal is there already. The next query
	 * goes out by the same socket, would take it, and leave the first one to its timeout.
	 */
	while (is_served(dns))
		;
	if (is_wanted(dns, AF_INET))
		ares_query(dns->channel, name, CLASS_IN, TYPE_A, answered, v4);
	else
		v4->is_done = true;
	while (!v6->is_done || !v4->is_done) {
		int rc = step(dns);

		if (rc < 0)
			return rc;
	}
	*ret_status = status_of(dns, v6, v4);
	return 0;
}

/* The `at`th name to ask for; false when there are no more. */
static bool candidate(const struct soon__dns *dns, unsigned at, char ret_name[SOON__HOST_BYTES])
{
	const char *host = dns->lookup->from.host;
	const struct soon__dns_conf *conf = dns->conf;
	size_t len = strlen(host);
	unsigned dots = 0;
	bool is_full, is_first;
	int n;

	for (const char *c = host; *c != '\0'; c++)
		dots += *c == '.';
	is_full = host[len - 1] == '.';
	is_first = is_full || dots >= conf->dots;
	if (at == (is_first ? 0 : conf->search_count)) {
		memcpy(ret_name, host, len + 1);
		return true;
	}
	at -= is_first;
	if (is_full || at >= conf->search_count)
		return false;
	n = snprintf(ret_name, SOON__HOST_BYTES, "%s.%s", host, conf->search[at]);
	if (n < 0 || n >= SOON__HOST_BYTES)
		ret_name[0] = '\0'; /* too long to be one */
	return true;
}

/* Who was asked: "10.0.0.2:53 and 2 more". */
static const char *servers_tell(const struct soon__dns_conf *conf, char *text, size_t bytes)
{
	char one[SOON_ADDR_TEXT_BYTES];

	(void)soon_addr_format(&conf->servers[0], one);
	if (conf->server_count > 1)
		(void)snprintf(text, bytes, "%.50s and %u more", one, conf->server_count - 1);
	else
		(void)snprintf(text, bytes, "%.50s", one);
	return text;
}

static int cancel_tell(const struct soon__dns *dns)
{
	char asked[80];

	return soon_fail(-ECANCELED, "no answer yet about \"%.40s\" from the name server %s",
		dns->lookup->from.host, servers_tell(dns->conf, asked, sizeof asked));
}

static int failure_tell(const struct soon__dns *dns, int status)
{
	char asked[80];
	const char *host = dns->lookup->from.host;
	const char *advice = dns->conf->is_default ? "is none; resolv.conf names none"
						   : "is down, or says SERVFAIL or REFUSED";

	(void)servers_tell(dns->conf, asked, sizeof asked);
	switch (status) {
	case ARES_ENOTFOUND:
		return soon_fail(-ENOENT,
			"there is no host named \"%.60s\", says the name server %s", host, asked);
	case ARES_ENODATA:
		return soon_fail(-ENOENT,
			"the host \"%.60s\" has no such address; the name server %s knows it", host,
			asked);
	case ARES_EBADNAME:
	case ARES_EFORMERR:
		return soon_fail(-EINVAL, "\"%.100s\" cannot be the name of a host", host);
	case ARES_EBADRESP:
		return soon_fail(-EBADMSG,
			"the name server %s answers garbage about \"%.50s\": ask another one",
			asked, host);
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_ENOTIMP:
	case ARES_ECONNREFUSED: /* also how older ones tell of the first three */
		return soon_fail(-EAGAIN, "the name server %s does not serve \"%.40s\": it %s",
			asked, host, advice);
	case ARES_ENOMEM:
		return -ENOMEM;
	default:
		return soon_fail(-EAGAIN,
			"no answer about \"%.40s\" from the name server %s: can it be reached?",
			host, asked);
	}
}

int soon__dns_ask(struct soon__dns *dns)
{
	char name[SOON__HOST_BYTES];
	int status = ARES_ENOTFOUND;
	bool is_known = false; /* some name is, though without an address */

	for (unsigned at = 0; candidate(dns, at, name); at++) {
		int rc;

		if (name[0] == '\0')
			continue;
		rc = ask_one(dns, name, &status);
		if (rc == -ECANCELED)
			return cancel_tell(dns);
		if (rc < 0)
			return rc;
		if (status == ARES_SUCCESS)
			return 0;
		if (!is_absent(status))
			break;
		is_known |= status == ARES_ENODATA;
	}
	if (status == ARES_ENOTFOUND && is_known)
		status = ARES_ENODATA;
	return failure_tell(dns, status);
}
