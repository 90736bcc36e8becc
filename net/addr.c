// SPDX-License-Identifier: Apache-2.0
/*
 * addr.c: texts of addresses, read and written. Pure but for the index of a named interface.
 */
#include <soon/addr.h>
#include <soon/assert.h>

#include "resolve.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define UNIX_PREFIX "unix:"

static int port_parse(const char *text, uint16_t *ret_port)
{
	uint32_t port = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		port = port * 10 + (uint32_t)(*text - '0');
		if (port > UINT16_MAX)
			return -EINVAL;
	}
	*ret_port = (uint16_t)port;
	return 0;
}

/* The two ends of the host in `text`, and where the port starts. */
static int host_find(const char *text, soon_slice *ret_host, const char **ret_port)
{
	if (*text == '[') {
		const char *end = strchr(text, ']');
		if (end == NULL || end[1] != ':')
			return -EINVAL;
		*ret_host = (soon_slice){ text + 1, (size_t)(end - text - 1) };
		*ret_port = end + 2;
		return 0;
	}

	const char *colon = strchr(text, ':');
	if (colon == NULL)
		return -EINVAL;
	*ret_host = (soon_slice){ text, (size_t)(colon - text) };
	*ret_port = colon + 1;
	return 0;
}

int soon__host_port_parse(const char *text, struct soon__host_port *ret)
{
	soon_slice host;
	const char *port_text;
	uint16_t port;

	SOON_ASSERT(text != NULL);
	if (host_find(text, &host, &port_text) < 0)
		return -EINVAL;
	if (host.len == 0 || host.len >= sizeof ret->host)
		return -EINVAL;
	for (size_t i = 0; i < host.len; i++)
		if (host.ptr[i] <= ' ' || host.ptr[i] == 0x7f)
			return -EINVAL;
	if (port_parse(port_text, &port) < 0)
		return -EINVAL;

	memcpy(ret->host, host.ptr, host.len);
	ret->host[host.len] = '\0';
	ret->port = port;
	ret->has_brackets = *text == '[';
	return 0;
}

static int unix_parse(const char *path, soon_addr *ret_addr)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	bool is_abstract = *path == '@';

	if (len == (is_abstract ? 1 : 0))
		return -EINVAL;
	if (len >= sizeof un.sun_path)
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, len);
	if (is_abstract)
		un.sun_path[0] = '\0';

	*ret_addr = (soon_addr){ 0 };
	memcpy(&ret_addr->storage, &un, sizeof un);
	/* An abstract name is exactly as long as its length says; a path ends with a zero. */
	ret_addr->len =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (is_abstract ? 0 : 1));
	return 0;
}

/* The zone after the '%' of a link-local address: the name or the number of an interface. */
static int zone_parse(const char *zone, uint32_t *ret_index)
{
	uint16_t number;
	uint32_t index;

	if (*zone == '\0' || strlen(zone) >= IF_NAMESIZE)
		return -EINVAL;
	index = port_parse(zone, &number) == 0 ? number : if_nametoindex(zone);
	if (index == 0)
		return -ENODEV;
	*ret_index = index;
	return 0;
}

static int v6_parse(const struct soon__host_port *from, soon_addr *ret_addr)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(from->port) };
	char host[INET6_ADDRSTRLEN];
	size_t len = strcspn(from->host, "%");

	if (len >= sizeof host)
		return -EINVAL;
	memcpy(host, from->host, len);
	host[len] = '\0';
	if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
		return -EINVAL;
	if (from->host[len] == '%') {
		int rc = zone_parse(from->host + len + 1, &in6.sin6_scope_id);
		if (rc < 0)
			return rc;
	}

	*ret_addr = (soon_addr){ .len = sizeof in6 };
	memcpy(&ret_addr->storage, &in6, sizeof in6);
	return 0;
}

/* A host of digits and dots only is meant as an address, even one that cannot be. */
static int v4_parse(const struct soon__host_port *from, soon_addr *ret_addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(from->port) };

	if (inet_pton(AF_INET, from->host, &in.sin_addr) != 1)
		return from->host[strspn(from->host, "0123456789.")] == '\0' ? -EINVAL : -ENXIO;

	*ret_addr = (soon_addr){ .len = sizeof in };
	memcpy(&ret_addr->storage, &in, sizeof in);
	return 0;
}

int soon_addr_parse(const char *text, soon_addr *ret_addr)
{
	struct soon__host_port from;

	SOON_ASSERT(text != NULL);
	SOON_ASSERT(ret_addr != NULL);
	if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
		return unix_parse(text + strlen(UNIX_PREFIX), ret_addr);
	if (soon__host_port_parse(text, &from) < 0)
		return -EINVAL;
	if (strcmp(from.host, "*") == 0 && !from.has_brackets)
		memcpy(from.host, "::", sizeof "::");
	else if (!from.has_brackets)
		return v4_parse(&from, ret_addr);
	return v6_parse(&from, ret_addr);
}

static void unix_format(const soon_addr *addr, char *text)
{
	struct sockaddr_un un = { 0 };
	size_t len = addr->len < sizeof un ? addr->len : sizeof un;
	size_t path_at = offsetof(struct sockaddr_un, sun_path);
	size_t path_len = len > path_at ? len - path_at : 0;
	char *out = text + strlen(UNIX_PREFIX);

	memcpy(&un, &addr->storage, len);
	memcpy(text, UNIX_PREFIX, strlen(UNIX_PREFIX));
	if (path_len > 0 && un.sun_path[0] == '\0')
		un.sun_path[0] = '@';
	else
		path_len = strnlen(un.sun_path, path_len);
	for (size_t i = 0; i < path_len; i++) {
		unsigned char c = (unsigned char)un.sun_path[i];
		*out++ = c >= ' ' && c < 0x7f ? (char)c : '?';
	}
	*out = '\0';
}

static void v6_format(const soon_addr *addr, char *text)
{
	struct sockaddr_in6 in6;
	char host[INET6_ADDRSTRLEN];
	char zone[16] = "";

	memcpy(&in6, &addr->storage, sizeof in6);
	SOON_ASSERT(inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host) != NULL);
	if (in6.sin6_scope_id != 0)
		(void)snprintf(zone, sizeof zone, "%%%u", in6.sin6_scope_id);
	(void)snprintf(text, SOON_ADDR_TEXT_BYTES, "[%s%s]:%u", host, zone,
		(unsigned)ntohs(in6.sin6_port));
}

const char *soon_addr_format(const soon_addr *addr, char ret_text[SOON_ADDR_TEXT_BYTES])
{
	struct sockaddr_in in;
	char host[INET_ADDRSTRLEN];

	SOON_ASSERT(addr != NULL);
	SOON_ASSERT(ret_text != NULL);
	switch (addr->storage.ss_family) {
	case AF_UNIX:
		unix_format(addr, ret_text);
		break;
	case AF_INET6:
		v6_format(addr, ret_text);
		break;
	case AF_INET:
		memcpy(&in, &addr->storage, sizeof in);
		SOON_ASSERT(inet_ntop(AF_INET, &in.sin_addr, host, sizeof host) != NULL);
		(void)snprintf(ret_text, SOON_ADDR_TEXT_BYTES, "%s:%u", host,
			(unsigned)ntohs(in.sin_port));
		break;
	default:
		(void)snprintf(ret_text, SOON_ADDR_TEXT_BYTES, "family %u",
			(unsigned)addr->storage.ss_family);
		break;
	}
	return ret_text;
}

uint16_t soon_addr_port(const soon_addr *addr)
{
	struct sockaddr_in in;

	SOON_ASSERT(addr != NULL);
	/* The port is at the same place in both families. */
	_Static_assert(
		offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
		"port of v4 and v6");
	if (addr->storage.ss_family != AF_INET && addr->storage.ss_family != AF_INET6)
		return 0;
	memcpy(&in, &addr->storage, sizeof in);
	return ntohs(in.sin_port);
}
