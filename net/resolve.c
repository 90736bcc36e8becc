// SPDX-License-Identifier: Apache-2.0
/*
 * resolve.c: host names, by the C library's resolver on a pool thread. It wants more stack than a
 * task has, and may block for as long as a name server keeps it waiting.
 */
#include "resolve.h"

#include <soon/assert.h>
#include <soon/mem.h>
#include <soon/offload.h>

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

/* Its own threads: a name server that is slow must not hold up a program's other blocking work. */
static soon_pool lookups = SOON_POOL_INIT(.name = "dns", .threads_max = 8);

struct lookup {
	const struct soon__host_port *from;
	struct soon__resolved *into;
};

static int lookup_error(int gai)
{
	switch (gai) {
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return -ENOENT;
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return errno != 0 ? -errno : -EIO;
	default:
		return -EIO;
	}
}

static void addr_keep(struct soon__resolved *into, const struct addrinfo *info, uint16_t port)
{
	soon_addr *addr = &into->addrs[into->count];

	if (into->count == SOON__RESOLVED_MAX || info->ai_addrlen > sizeof addr->storage)
		return;
	memset(addr, 0, sizeof *addr);
	memcpy(&addr->storage, info->ai_addr, info->ai_addrlen);
	addr->len = info->ai_addrlen;
	if (info->ai_family == AF_INET)
		((struct sockaddr_in *)&addr->storage)->sin_port = htons(port);
	else if (info->ai_family == AF_INET6)
		((struct sockaddr_in6 *)&addr->storage)->sin6_port = htons(port);
	else
		return;
	into->count++;
}

/* On a pool thread. */
static int lookup_run(struct lookup *lookup)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int gai = getaddrinfo(lookup->from->host, NULL, &hints, &found);

	if (gai != 0)
		return lookup_error(gai);
	for (const struct addrinfo *info = found; info != NULL; info = info->ai_next)
		addr_keep(lookup->into, info, lookup->from->port);
	freeaddrinfo(found);
	return lookup->into->count > 0 ? 0 : -ENOENT;
}

/* "*" is IPv6 with IPv4 in it, or IPv4 alone where there is no IPv6. */
static void wildcard_add(struct soon__resolved *into, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	soon_addr *addr = &into->addrs[into->count++];

	*addr = (soon_addr){ .len = sizeof in };
	memcpy(&addr->storage, &in, sizeof in);
}

static int resolve_into(const char *where, struct soon__resolved *into) SOON_SUSPENDS
{
	struct soon__host_port from;
	struct lookup lookup = { &from, into };
	int rc = soon_addr_parse(where, &into->addrs[0]);

	if (rc == 0) {
		into->count = 1;
		if (where[0] == '*')
			wildcard_add(into, soon_addr_port(&into->addrs[0]));
		return 0;
	}
	if (rc != -ENXIO)
		return soon_fail(rc, "\"%.100s\" is not an address", where);

	rc = soon__host_port_parse(where, &from);
	SOON_ASSERT(rc == 0);
	rc = soon_offload_with(&lookups, lookup_run, &lookup);
	if (rc == -ENOENT)
		return soon_fail(rc, "there is no host named \"%.100s\"", from.host);
	if (rc < 0 && rc != -ECANCELED)
		return soon_fail(rc, "cannot look up the host \"%.100s\"", from.host);
	return rc;
}

int soon__resolve(const char *where, struct soon__resolved **ret_resolved)
{
	struct soon__resolved *resolved;
	int rc;

	SOON_ASSERT(where != NULL);
	resolved = soon_zalloc(sizeof *resolved);
	if (resolved == NULL)
		return -ENOMEM;
	rc = resolve_into(where, resolved);
	if (rc < 0) {
		soon_free(resolved);
		return rc;
	}
	SOON_ASSERT(resolved->count > 0);
	*ret_resolved = resolved;
	return 0;
}
