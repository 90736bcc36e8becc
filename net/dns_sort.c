// SPDX-License-Identifier: Apache-2.0
/*
 * dns_sort.c: which address of several to try first, by RFC 6724, section 6. Left out are the
 * rules about deprecated, home and tunnelled addresses, which a socket cannot tell, and
 * /etc/gai.conf. The longest common prefix counts for IPv6 only: for IPv4 it would undo the order
 * by which name servers spread load.
 */
#include <soon/mem.h>

#include "dns.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum scope {
	SCOPE_LINK = 0x2,
	SCOPE_SITE = 0x5,
	SCOPE_GLOBAL = 0xe,
};

struct policy {
	uint8_t prefix[16];
	uint8_t prefix_bits;
	uint8_t precedence;
	uint8_t label;
};

/* RFC 6724, section 2.1; the longest prefix that fits counts, and they stand in that order. */
static const struct policy policies[] = {
	{ { [15] = 1 }, 128, 50, 0 },                /* ::1 */
	{ { [10] = 0xff, [11] = 0xff }, 96, 35, 4 }, /* ::ffff:0:0, IPv4 */
	{ { 0 }, 96, 1, 3 },                         /* ::, of old */
	{ { 0x20, 0x01, 0, 0 }, 32, 5, 5 },          /* 2001::, Teredo */
	{ { 0x20, 0x02 }, 16, 30, 2 },               /* 2002::, 6to4 */
	{ { 0x3f, 0xfe }, 16, 1, 12 },               /* 3ffe::, of old */
	{ { 0xfe, 0xc0 }, 10, 1, 11 },               /* fec0::, of old */
	{ { 0xfc }, 7, 3, 13 },                      /* fc00::, local networks */
	{ { 0 }, 0, 40, 1 },                         /* all else */
};

static int bits_in_common(const uint8_t a[16], const uint8_t b[16])
{
	for (int i = 0; i < 16; i++)
		if (a[i] != b[i])
			return i * 8 + __builtin_clz((unsigned)(a[i] ^ b[i])) - 24;
	return 128;
}

/* Both families in the form of one. */
static void bytes_of(const soon_addr *addr, uint8_t ret[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (addr->storage.ss_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, &addr->storage, sizeof in6);
		memcpy(ret, &in6.sin6_addr, 16);
	} else {
		struct sockaddr_in in;

		memcpy(&in, &addr->storage, sizeof in);
		memcpy(ret, mapped, sizeof mapped);
		memcpy(ret + sizeof mapped, &in.sin_addr, sizeof in.sin_addr);
	}
}

static int scope_of(const uint8_t a[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t loopback[16] = { [15] = 1 };

	if (memcmp(a, mapped, sizeof mapped) == 0)
		return a[12] == 127 || (a[12] == 169 && a[13] == 254) ? SCOPE_LINK : SCOPE_GLOBAL;
	if (a[0] == 0xff)
		return a[1] & 0xf;
	if (memcmp(a, loopback, sizeof loopback) == 0 || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80))
		return SCOPE_LINK;
	if (a[0] == 0xfe && (a[1] & 0xc0) == 0xc0)
		return SCOPE_SITE;
	return SCOPE_GLOBAL;
}

static const struct policy *policy_of(const uint8_t a[16])
{
	const struct policy *policy = policies;

	while (bits_in_common(a, policy->prefix) < policy->prefix_bits)
		policy++;
	return policy;
}

/* Negative when `a`'s having it puts it first. */
static int prefer(bool a_has, bool b_has)
{
	return (int)b_has - (int)a_has;
}

int soon__addrs_compare(const soon_addr *a, const soon_addr *a_source, const soon_addr *b,
	const soon_addr *b_source)
{
	uint8_t to_a[16], to_b[16], from_a[16], from_b[16];
	const struct policy *policy_a, *policy_b;
	int rc = prefer(a_source != NULL, b_source != NULL); /* rule 1 */

	if (rc != 0 || a_source == NULL || b_source == NULL)
		return rc;
	bytes_of(a, to_a);
	bytes_of(b, to_b);
	bytes_of(a_source, from_a);
	bytes_of(b_source, from_b);
	rc = prefer(scope_of(to_a) == scope_of(from_a), scope_of(to_b) == scope_of(from_b)); /* 2 */
	if (rc != 0)
		return rc;
	policy_a = policy_of(to_a);
	policy_b = policy_of(to_b);
	rc = prefer(policy_a->label == policy_of(from_a)->label,
		policy_b->label == policy_of(from_b)->label); /* 5 */
	if (rc != 0)
		return rc;
	if (policy_a->precedence != policy_b->precedence) /* 6 */
		return (int)policy_b->precedence - (int)policy_a->precedence;
	if (scope_of(to_a) != scope_of(to_b)) /* 8 */
		return scope_of(to_a) - scope_of(to_b);
	if (a->storage.ss_family == AF_INET6 && b->storage.ss_family == AF_INET6) /* 9 */
		return bits_in_common(to_b, from_b) - bits_in_common(to_a, from_a);
	return 0;
}

/* The address that the kernel would send from. Connecting a datagram socket only asks for it. */
static bool source_find(const soon_addr *addr, soon_addr *ret_source)
{
	soon_addr to = *addr;
	int fd = socket(addr->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is_found;

	if (fd < 0)
		return false;
	if (soon_addr_port(addr) == 0) /* some number has to be there */
		soon__port_set(&to, SOON__DNS_PORT);
	*ret_source = (soon_addr){ .len = sizeof ret_source->storage };
	is_found = connect(fd, (const struct sockaddr *)&to.storage, to.len) == 0 &&
		getsockname(fd, (struct sockaddr *)&ret_source->storage, &ret_source->len) == 0;
	(void)close(fd); /* nothing was sent on it */
	return is_found;
}

struct candidate {
	soon_addr addr, source;
	bool has_source;
};

static bool comes_before(const struct candidate *a, const struct candidate *b)
{
	return soon__addrs_compare(&a->addr, a->has_source ? &a->source : NULL, &b->addr,
		       b->has_source ? &b->source : NULL) < 0;
}

void soon__addrs_sort(soon_addr *addrs, size_t count)
{
	struct candidate *sorted;

	if (count < 2)
		return;
	sorted = soon_zalloc((count + 1) * sizeof *sorted);
	if (sorted == NULL)
		return;
	/* By insertion, which leaves what is equal in its order; the last place is for moving. */
	for (size_t i = 0; i < count; i++) {
		struct candidate *moved = &sorted[count];
		size_t at = i;

		moved->addr = addrs[i];
		moved->has_source = source_find(&moved->addr, &moved->source);
		for (; at > 0 && comes_before(moved, &sorted[at - 1]); at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = *moved;
	}
	for (size_t i = 0; i < count; i++)
		addrs[i] = sorted[i].addr;
	soon_free(sorted);
}
