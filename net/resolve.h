// SPDX-License-Identifier: Apache-2.0
/*
 * resolve.h: from the text of a place to the addresses it may mean, private to net/.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <soon/addr.h>

#define SOON__HOST_BYTES   254 /* the longest name of the DNS is 253 bytes */
#define SOON__RESOLVED_MAX 8   /* addresses kept of one name */

/* What "host:port" says, before anybody asked what the host is. */
struct soon__host_port {
	char host[SOON__HOST_BYTES]; /* without brackets; "*" for every address */
	uint16_t port;
	bool has_brackets;
};

struct soon__resolved {
	size_t count;
	soon_addr addrs[SOON__RESOLVED_MAX];
};

/*
 * Splits a text that is not of a unix socket. Affinity: any. Suspends: never.
 * Errors: -EINVAL no host, no port, or one that cannot be.
 */
SOON_NODISCARD int soon__host_port_parse(const char *text, struct soon__host_port *ret);

/*
 * Finds the addresses of `where`, in the order to try them: the one that it spells out, or those
 * of its host name, asked for on a pool thread.
 * Suspends: only for a name. Cancel: then a cancellation point.
 * Ownership: returns owned, to be given to soon_free. Returns: 0 and at least one address.
 * Errors: those of soon_addr_parse but -ENXIO. -ENOENT no such name. -EAGAIN the resolver does not
 * answer. -ENOMEM, -ECANCELED. All with a message by soon_fail().
 */
SOON_NODISCARD int soon__resolve(const char *where, struct soon__resolved **ret_resolved)
	SOON_SUSPENDS;

#endif
