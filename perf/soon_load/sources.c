// SPDX-License-Identifier: Apache-2.0
#include "sources.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BYTES 128

static int refuse(char *ret_wrong, const char *word, const char *why)
{
	(void)snprintf(ret_wrong, SOURCES_WRONG_BYTES, "'%.60s' %s", word, why);
	return -EINVAL;
}

static int add(struct sources *sources, const soon_addr *addr)
{
	soon_addr *more;

	/* The room grows by doubling: whenever the count is a power of two. */
	if ((sources->count & (sources->count - 1)) == 0) {
		size_t room = sources->count == 0 ? 1 : sources->count * 2;

		more = realloc(sources->addrs, room * sizeof *more);
		if (more == NULL)
			return -ENOMEM;
		sources->addrs = more;
	}
	sources->addrs[sources->count++] = *addr;
	return 0;
}

static int parse_v4(const char *text, uint32_t *ret_addr)
{
	struct in_addr addr;

	if (inet_pton(AF_INET, text, &addr) != 1)
		return -EINVAL;
	*ret_addr = ntohl(addr.s_addr);
	return 0;
}

static int add_range(
	struct sources *sources, const char *word, uint32_t first, uint32_t last, char *ret_wrong)
{
	if (last < first)
		return refuse(ret_wrong, word, "ends before it begins");
	if (last - first >= SOURCES_MAX - sources->count)
		return refuse(ret_wrong, word, "makes more than 65536 addresses");
	for (uint32_t i = 0; i <= last - first; i++) {
		struct sockaddr_in in = { .sin_family = AF_INET };
		soon_addr addr = { .len = sizeof in };
		int rc;

		in.sin_addr.s_addr = htonl(first + i);
		memcpy(&addr.storage, &in, sizeof in);
		rc = add(sources, &addr);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int add_network(struct sources *sources, const char *word, char *slash, char *ret_wrong)
{
	char *end;
	unsigned long bits = strtoul(slash + 1, &end, 10);
	uint32_t first, hosts;

	*slash = '\0';
	if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits < 16 || bits > 32 ||
		parse_v4(word, &first) < 0)
		return refuse(ret_wrong, word, "is no IPv4 network /16 to /32");
	hosts = bits == 32 ? 0 : UINT32_MAX >> bits;
	first &= ~hosts;
	if (hosts > 1)
		return add_range(sources, word, first + 1, first + hosts - 1, ret_wrong);
	return add_range(sources, word, first, first + hosts, ret_wrong);
}

static int add_v6(struct sources *sources, char *word, char *ret_wrong)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	soon_addr addr = { .len = sizeof in6 };
	size_t length = strlen(word);

	if (word[0] == '[' && word[length - 1] == ']') {
		word[length - 1] = '\0';
		word++;
	}
	if (inet_pton(AF_INET6, word, &in6.sin6_addr) != 1)
		return refuse(ret_wrong, word, "is no address, range or network");
	if (sources->count >= SOURCES_MAX)
		return refuse(ret_wrong, word, "is one more than 65536 addresses");
	memcpy(&addr.storage, &in6, sizeof in6);
	return add(sources, &addr);
}

static int add_word(struct sources *sources, char *word, char *ret_wrong)
{
	char *slash = strchr(word, '/');
	char *dash = strchr(word, '-');
	uint32_t first, last;

	if (slash != NULL)
		return add_network(sources, word, slash, ret_wrong);
	if (dash != NULL) {
		*dash = '\0';
		if (parse_v4(word, &first) < 0 || parse_v4(dash + 1, &last) < 0)
			return refuse(
				ret_wrong, word, "does not begin a range of two IPv4 addresses");
		return add_range(sources, word, first, last, ret_wrong);
	}
	if (parse_v4(word, &first) == 0)
		return add_range(sources, word, first, first, ret_wrong);
	return add_v6(sources, word, ret_wrong);
}

int sources_parse(const char *text, struct sources *sources, char ret_wrong[SOURCES_WRONG_BYTES])
{
	size_t before = sources->count;
	int rc = 0;

	while (rc == 0) {
		size_t length = strcspn(text, ",");
		char word[WORD_BYTES];

		(void)snprintf(word, sizeof word, "%.*s", (int)length, text);
		if (length == 0 || length >= sizeof word)
			rc = refuse(ret_wrong, word, "is no address");
		else
			rc = add_word(sources, word, ret_wrong);
		if (text[length] == '\0')
			break;
		text += length + 1;
	}
	if (rc < 0)
		sources->count = before;
	return rc;
}

void sources_free(struct sources *sources)
{
	free(sources->addrs);
	*sources = (struct sources){ 0 };
}
