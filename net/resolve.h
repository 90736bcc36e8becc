// SPDX-License-Identifier: Apache-2.0
/*
 * resolve.h: from the text of a place to the addresses it may mean, private to net/.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <soon/addr.h>
#include <soon/event.h>
#include <soon/offload.h>
#include <soon/resolve.h>

#define SOON__HOST_BYTES    254 /* the longest name of the DNS is 253 bytes */
#define SOON__SERVICE_BYTES 32
#define SOON__FAMILY_MAX    (SOON_RESOLVE_ADDRS_MAX / 2) /* addresses kept of one family */

/* What a lookup may use of its stack, whatever the run's tasks have: c-ares has buffers on it. */
#define SOON__LOOKUP_STACK 65536

/* What "host:port" says, before anybody asked what the host is. */
struct soon__host_port {
	char host[SOON__HOST_BYTES]; /* without brackets; "*" for every address */
	uint16_t port;
	bool has_brackets;
};

struct soon__resolved {
	size_t count;
	soon_addr addrs[SOON_RESOLVE_ADDRS_MAX];
};

/* The way from one name to its addresses, which come in as they are found. On the heap. */
struct soon__lookup {
	const char *where;
	soon_resolve_opts opts;
	struct soon__host_port from;
	char service[SOON__SERVICE_BYTES]; /* instead of a port; or empty */
	soon_event changed;                /* set by each step below */

	struct soon__resolved found; /* in the order of their coming */
	bool has_v4, has_v6;         /* all of that family are there, maybe none */
	bool is_local;               /* "localhost" */
	int unanswered; /* a family that no server told of, while the other was found */
	bool is_over;
	int rc;            /* when it is over; 0: at least one was found */
	char message[160]; /* of a failure */
};

/*
 * Splits a text that is not of a unix socket. Affinity: any. Suspends: never.
 * Errors: -EINVAL no host, no port, or one that cannot be.
 */
SOON_NODISCARD int soon__host_port_parse(const char *text, struct soon__host_port *ret);

/*
 * Begins a zeroed lookup: reads `where` and finds what nobody needs to be asked for; then is_over
 * is set. Otherwise soon__lookup_run() is to be called.
 * Suspends: never. Ownership: what `opts` points to is lent. Null: `opts`.
 * Errors: those of soon_resolve but -ENOENT, -EAGAIN, -EBADMSG; with a message by soon_fail().
 */
SOON_NODISCARD int soon__lookup_init(struct soon__lookup *lookup, const char *where,
	const soon_resolve_opts *SOON_NULLABLE opts);

/*
 * Looks a name up: a task's function, for a task with SOON__LOOKUP_STACK. Tells of its progress by
 * `changed`. Cancel: cancellation point. Returns: 0; -ECANCELED. The result is in lookup->rc.
 */
int soon__lookup_run(struct soon__lookup *lookup) SOON_SUSPENDS;

/* Sets the port of an address of IPv4 or IPv6. Affinity: any. Suspends: never. */
void soon__port_set(soon_addr *addr, uint16_t port);

/* Keeps an address, with the lookup's port; one too many or a second time is dropped. */
void soon__lookup_keep(struct soon__lookup *lookup, const soon_addr *addr);

/*
 * Finds the addresses of `where`, in the order to try them, as soon_resolve does; but for "*" also
 * both families, and "localhost" is 127.0.0.1 first: that is where a listener is expected.
 * Suspends: always. Cancel: cancellation point.
 * Ownership: returns owned, to be given to soon_free. Returns: 0 and at least one address.
 * Errors: those of soon_resolve.
 */
SOON_NODISCARD int soon__resolve(const char *where, struct soon__resolved **ret_resolved)
	SOON_SUSPENDS;

#endif
