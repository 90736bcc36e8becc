// SPDX-License-Identifier: Apache-2.0
/*
 * dns_files.c: /etc/hosts, /etc/resolv.conf and /etc/services. All of it runs on pool threads:
 * files block, and the C library's part may want much stack.
 */
#include <soon/mem.h>

#include "dns.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define HOSTS       "/etc/hosts"

#define BLANKS " \t\r\n\f\v"

/* What resolv.conf(5) says of a file that is silent about it. */
#define DOTS_DEFAULT    1
#define DOTS_MAX        15
#define TRIES_DEFAULT   2
#define TRIES_MAX       5
#define TIMEOUT_DEFAULT 5
#define TIMEOUT_MAX     30

#define SERVENT_BYTES 4096

/*
 * Its own threads: a disk or a module of the C library that is slow must not hold up a program's
 * other blocking work.
 */
soon_pool soon__dns_pool = SOON_POOL_INIT(.name = "dns", .threads_max = 8);

/* Calls `take` for each line until it gives something else than 0, which is then the result. */
static int each_line(const char *path, int (*take)(char *line, void *data), void *data)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	int rc = 0;

	if (file == NULL)
		return errno == ENOENT ? 0 : -errno;
	while (rc == 0) {
		if (getline(&line, &room, file) < 0) {
			int failure = -errno;

			rc = ferror(file) ? failure : 0;
			break;
		}
		rc = take(line, data);
	}
	free(line);         /* from libc, whatever soon_malloc() is */
	(void)fclose(file); /* it was only read */
	return rc;
}

/* An address without a port, as files write it; `port` goes into the result. */
static int host_addr_parse(const char *text, unsigned port, soon_addr *ret_addr)
{
	char where[SOON_ADDR_TEXT_BYTES];
	bool is_v6 = strchr(text, ':') != NULL;
	int len = snprintf(where, sizeof where, is_v6 ? "[%s]:%u" : "%s:%u", text, port);

	if (len < 0 || (size_t)len >= sizeof where || strchr(text, '*') != NULL)
		return -EINVAL;
	return soon_addr_parse(where, ret_addr);
}

static int family_wanted(const soon_resolve_opts *opts, const soon_addr *addr)
{
	return opts->family == 0 || opts->family == addr->storage.ss_family;
}

/* Names are the same with and without a dot at their end, and in any case of letters. */
static bool is_same_host(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);

	a_len -= a_len > 0 && a[a_len - 1] == '.';
	b_len -= b_len > 0 && b[b_len - 1] == '.';
	return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

static int hosts_line(char *line, void *data)
{
	struct soon__lookup *lookup = data;
	soon_addr addr;
	char *rest, *address, *name;

	line[strcspn(line, "#")] = '\0';
	address = strtok_r(line, BLANKS, &rest);
	if (address == NULL)
		return 0;
	while ((name = strtok_r(NULL, BLANKS, &rest)) != NULL)
		if (is_same_host(name, lookup->from.host))
			break;
	if (name != NULL && host_addr_parse(address, 0, &addr) == 0 &&
		family_wanted(&lookup->opts, &addr))
		soon__lookup_keep(lookup, &addr);
	return 0;
}

int soon__dns_hosts_find(struct soon__lookup *lookup)
{
	const char *path = lookup->opts.hosts != NULL ? lookup->opts.hosts : HOSTS;
	int rc = each_line(path, hosts_line, lookup);

	if (rc < 0)
		return rc;
	return lookup->found.count > 0 ? 0 : -ENOENT;
}

int soon__dns_service_find(const char *service, uint16_t *ret_port)
{
	char *room = soon_malloc(SERVENT_BYTES);
	struct servent entry, *found = NULL;
	int rc;

	if (room == NULL)
		return -ENOMEM;
	rc = getservbyname_r(service, "tcp", &entry, room, SERVENT_BYTES, &found);
	if (found != NULL)
		*ret_port = ntohs((uint16_t)entry.s_port);
	soon_free(room);
	if (found != NULL)
		return 0;
	return rc == ENOMEM ? -ENOMEM : -ENOENT;
}

static void server_add(struct soon__dns_conf *conf, const soon_addr *addr)
{
	if (addr->storage.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr->storage;

		if (in6->sin6_scope_id != 0) {
			conf->has_zone = true; /* c-ares of Debian 12 cannot be told of it */
			return;
		}
	}
	if (conf->server_count < SOON__DNS_SERVERS_MAX)
		conf->servers[conf->server_count++] = *addr;
}

static void search_add(struct soon__dns_conf *conf, const char *domain)
{
	size_t len = strlen(domain);

	len -= len > 0 && domain[len - 1] == '.';
	if (len == 0 || len >= SOON__HOST_BYTES || conf->search_count == SOON__DNS_SEARCH_MAX)
		return;
	memcpy(conf->search[conf->search_count], domain, len);
	conf->search[conf->search_count++][len] = '\0';
}

/* Reads "name:17" of the options. */
static bool option_number(const char *word, const char *name, unsigned max, unsigned *ret)
{
	size_t len = strlen(name);
	unsigned long value;
	char *end;

	if (strncmp(word, name, len) != 0 || word[len] != ':')
		return false;
	value = strtoul(word + len + 1, &end, 10);
	if (end == word + len + 1 || *end != '\0')
		return false;
	*ret = value > max ? max : (unsigned)value;
	return true;
}

static void option_take(struct soon__dns_conf *conf, const char *word)
{
	unsigned value;

	if (option_number(word, "ndots", DOTS_MAX, &value))
		conf->dots = value;
	else if (option_number(word, "attempts", TRIES_MAX, &value))
		conf->tries = value > 0 ? value : 1;
	else if (option_number(word, "timeout", TIMEOUT_MAX, &value))
		conf->timeout = SOON_S(value > 0 ? value : 1);
	else if (strcmp(word, "rotate") == 0)
		conf->rotate = true;
	else if (strcmp(word, "use-vc") == 0)
		conf->use_tcp = true;
}

static int conf_line(char *line, void *data)
{
	struct soon__dns_conf *conf = data;
	char *rest, *key, *word;
	soon_addr addr;

	line[strcspn(line, "#;")] = '\0';
	key = strtok_r(line, BLANKS, &rest);
	if (key == NULL)
		return 0;
	/* The last one of these counts. */
	if (strcmp(key, "search") == 0 || strcmp(key, "domain") == 0)
		conf->search_count = 0;
	while ((word = strtok_r(NULL, BLANKS, &rest)) != NULL) {
		if (strcmp(key, "nameserver") == 0) {
			if (host_addr_parse(word, SOON__DNS_PORT, &addr) == 0)
				server_add(conf, &addr);
		} else if (strcmp(key, "search") == 0 || strcmp(key, "domain") == 0) {
			search_add(conf, word);
		} else if (strcmp(key, "options") == 0) {
			option_take(conf, word);
		}
	}
	return 0;
}

/* The servers of the options: with a port, or without one. */
static int servers_parse(const char *text, struct soon__dns_conf *conf)
{
	conf->server_count = 0;
	while (*text != '\0') {
		char item[SOON_ADDR_TEXT_BYTES];
		size_t len = strcspn(text, ",");
		soon_addr addr;

		if (len == 0 || len >= sizeof item)
			return -EINVAL;
		memcpy(item, text, len);
		item[len] = '\0';
		text += len + (text[len] == ',');
		if ((soon_addr_parse(item, &addr) < 0 || addr.storage.ss_family == AF_UNIX) &&
			host_addr_parse(item, SOON__DNS_PORT, &addr) < 0)
			return -EINVAL;
		server_add(conf, &addr);
	}
	return 0;
}

/* Without a search list, names are looked for in the domain that this machine's own is in. */
static void search_default(struct soon__dns_conf *conf)
{
	char name[SOON__HOST_BYTES];
	const char *dot;

	if (gethostname(name, sizeof name) < 0)
		return;
	name[sizeof name - 1] = '\0';
	dot = strchr(name, '.');
	if (dot != NULL)
		search_add(conf, dot + 1);
}

int soon__dns_conf_read(const soon_resolve_opts *opts, struct soon__dns_conf *conf)
{
	const char *path = opts->resolv_conf != NULL ? opts->resolv_conf : RESOLV_CONF;
	int rc;

	conf->dots = DOTS_DEFAULT;
	conf->tries = TRIES_DEFAULT;
	conf->timeout = SOON_S(TIMEOUT_DEFAULT);
	rc = each_line(path, conf_line, conf);
	if (rc < 0)
		return rc;
	if (opts->servers != NULL) {
		rc = servers_parse(opts->servers, conf);
		if (rc < 0)
			return rc;
	}
	if (opts->timeout > 0)
		conf->timeout = opts->timeout;
	if (opts->tries > 0)
		conf->tries = opts->tries;
	if (conf->search_count == 0)
		search_default(conf);
	if (conf->server_count == 0 && !conf->has_zone) {
		conf->is_default = true;
		return host_addr_parse(
			"127.0.0.1", SOON__DNS_PORT, &conf->servers[conf->server_count++]);
	}
	return 0;
}
