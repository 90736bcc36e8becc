// SPDX-License-Identifier: Apache-2.0
/*
 * resolve.c: from the text of a place to addresses. What needs nobody to be asked is found at once;
 * files are read on a thread; name servers are waited for in a task of its own, whose stack is
 * large enough for c-ares whatever the caller's is.
 */
#include <soon/assert.h>
#include <soon/group.h>
#include <soon/mem.h>

#include "dns.h"
#include "errtext.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#if SOON_ARES
#include <ares_version.h>
#endif

static const soon_resolve_opts opts_default;

const char *soon_resolver(void)
{
#if SOON_ARES
	return "c-ares " ARES_VERSION_STR;
#else
	return "getaddrinfo on threads";
#endif
}

void soon__port_set(soon_addr *addr, uint16_t port)
{
	/* The port is at the same place in both families, see addr.c. */
	((struct sockaddr_in *)&addr->storage)->sin_port = htons(port);
}

/* Of one family and, as always here, one port. */
static bool is_same(const soon_addr *a, const soon_addr *b)
{
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&a->storage;
	const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)&b->storage;

	if (a->storage.ss_family != b->storage.ss_family)
		return false;
	if (a->storage.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&a->storage)->sin_addr.s_addr ==
			((const struct sockaddr_in *)&b->storage)->sin_addr.s_addr;
	return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr) == 0 &&
		a6->sin6_scope_id == b6->sin6_scope_id;
}

void soon__lookup_keep(struct soon__lookup *lookup, const soon_addr *addr)
{
	struct soon__resolved *found = &lookup->found;
	sa_family_t family = addr->storage.ss_family;
	soon_addr with_port = *addr;
	size_t same_family = 0;

	if (family != AF_INET && family != AF_INET6)
		return;
	soon__port_set(&with_port, lookup->from.port);
	for (size_t i = 0; i < found->count; i++) {
		if (is_same(&found->addrs[i], &with_port))
			return;
		same_family += found->addrs[i].storage.ss_family == family;
	}
	if (same_family < SOON__FAMILY_MAX)
		found->addrs[found->count++] = with_port;
}

static bool is_port(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static bool is_service(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len >= SOON__SERVICE_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i] | 0x20; /* of a letter: the small one */

		if ((c < 'a' || c > 'z') && (text[i] < '0' || text[i] > '9') && text[i] != '-' &&
			text[i] != '_')
			return false;
	}
	return true;
}

/* Where the port stands by name, `ret_text` gets 0 for it, and the lookup the name. */
static const char *service_split(
	struct soon__lookup *lookup, const char *where, char ret_text[SOON__HOST_BYTES + 8])
{
	const char *colon = strrchr(where, ':');
	size_t len = colon != NULL ? (size_t)(colon - where) : 0;

	if (colon == NULL || is_port(colon + 1) || !is_service(colon + 1) ||
		len >= SOON__HOST_BYTES + 4)
		return where;
	memcpy(lookup->service, colon + 1, strlen(colon + 1) + 1);
	memcpy(ret_text, where, len);
	memcpy(ret_text + len, ":0", sizeof ":0");
	return ret_text;
}

/* RFC 6761, section 6.3. */
static bool is_localhost(const char *host)
{
	static const char name[] = "localhost";
	size_t len = strlen(host), name_len = sizeof name - 1;

	len -= len > 0 && host[len - 1] == '.';
	if (len < name_len || strncasecmp(host + len - name_len, name, name_len) != 0)
		return false;
	return len == name_len || host[len - name_len - 1] == '.';
}

static bool is_wanted(const struct soon__lookup *lookup, sa_family_t family)
{
	return lookup->opts.family == 0 || lookup->opts.family == family;
}

static void localhost_keep(struct soon__lookup *lookup)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	soon_addr v6 = { .len = sizeof in6 }, v4 = { .len = sizeof in };

	memcpy(&v6.storage, &in6, sizeof in6);
	memcpy(&v4.storage, &in, sizeof in);
	if (is_wanted(lookup, AF_INET6))
		soon__lookup_keep(lookup, &v6);
	if (is_wanted(lookup, AF_INET))
		soon__lookup_keep(lookup, &v4);
	lookup->is_local = true;
}

/* "*" is IPv6 with IPv4 in it, or IPv4 alone where there is no IPv6. */
static void wildcard_keep(struct soon__lookup *lookup)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	soon_addr addr = { .len = sizeof in };

	memcpy(&addr.storage, &in, sizeof in);
	soon__lookup_keep(lookup, &addr);
}

static int letters_check(const char *where)
{
	for (const char *c = where; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			return soon_fail(-EINVAL,
				"\"%.60s\" has letters that the DNS does not: write the host in "
				"its form that starts with xn--",
				where);
	return 0;
}

static void lookup_known(struct soon__lookup *lookup)
{
	lookup->has_v4 = lookup->has_v6 = lookup->is_over = true;
}

int soon__lookup_init(struct soon__lookup *lookup, const char *where, const soon_resolve_opts *opts)
{
	char text[SOON__HOST_BYTES + 8];
	soon_addr addr;
	int rc;

	lookup->where = where;
	lookup->opts = opts != NULL ? *opts : opts_default;
	if (lookup->opts.family != 0 && lookup->opts.family != AF_INET &&
		lookup->opts.family != AF_INET6)
		return soon_fail(
			-EINVAL, "soon_resolve_opts.family is neither AF_INET nor AF_INET6");
	if (strncmp(where, "unix:", 5) != 0) {
		rc = letters_check(where);
		if (rc < 0)
			return rc;
		where = service_split(lookup, where, text);
	}
	rc = soon_addr_parse(where, &addr);
	if (rc == 0 && addr.storage.ss_family == AF_UNIX) {
		lookup->found.addrs[lookup->found.count++] = addr;
		lookup_known(lookup);
		return 0;
	}
	if (rc < 0 && rc != -ENXIO)
		return soon_fail(rc, "\"%.100s\" is not an address", lookup->where);
	if (soon__host_port_parse(where, &lookup->from) < 0)
		return soon_fail(-EINVAL, "\"%.100s\" is not an address", lookup->where);
	if (rc == 0 && is_wanted(lookup, addr.storage.ss_family))
		soon__lookup_keep(lookup, &addr);
	if (rc == 0 && where[0] == '*' && is_wanted(lookup, AF_INET))
		wildcard_keep(lookup);
	if (rc == 0 && lookup->found.count == 0)
		return soon_fail(-ENOENT, "\"%.100s\" is of another family", lookup->where);
	if (rc < 0 && is_localhost(lookup->from.host))
		localhost_keep(lookup);
	if (lookup->found.count > 0 && lookup->service[0] == '\0')
		lookup_known(lookup);
	return 0;
}

/* What a lookup works with; on the heap for its size. */
struct work {
	struct soon__lookup *lookup;
	struct soon__dns_conf conf;
	struct soon__dns *dns;
	const char *failed; /* where files_read() stopped */
};

static bool has_to_ask_libc(const struct work *work)
{
#if SOON_ARES
	return work->lookup->opts.by_libc || work->conf.server_count == 0;
#else
	(void)work;
	return true;
#endif
}

static void ports_set(struct soon__lookup *lookup)
{
	for (size_t i = 0; i < lookup->found.count; i++)
		soon__port_set(&lookup->found.addrs[i], lookup->from.port);
}

/* On a pool thread. Returns 0 when all is known, 1 when name servers are to be asked. */
static int files_read(struct work *work)
{
	struct soon__lookup *lookup = work->lookup;
	int rc;

	if (lookup->service[0] != '\0') {
		work->failed = "service";
		rc = soon__dns_service_find(lookup->service, &lookup->from.port);
		if (rc < 0)
			return rc;
		ports_set(lookup);
	}
	if (lookup->found.count > 0)
		return 0;
	if (lookup->opts.by_libc)
		return 1;
	work->failed = "hosts";
	rc = soon__dns_hosts_find(lookup);
	if (rc != -ENOENT)
		return rc;
	work->failed = "resolv.conf";
	rc = soon__dns_conf_read(&lookup->opts, &work->conf);
	if (rc < 0)
		return rc;
#if SOON_ARES
	if (!has_to_ask_libc(work)) {
		work->failed = "resolver";
		rc = soon__dns_open(lookup, &work->conf, &work->dns);
		if (rc < 0)
			return rc;
	}
#endif
	return 1;
}

static int files_failed(const struct work *work, int rc)
{
	const struct soon__lookup *lookup = work->lookup;

	if (rc == -ECANCELED || work->failed == NULL)
		return rc;
	if (strcmp(work->failed, "service") == 0)
		return soon_fail(rc,
			"there is no TCP service \"%s\" in /etc/services; write the number",
			lookup->service);
	if (rc == -EINVAL)
		return soon_fail(rc,
			"soon_resolve_opts.servers: \"%.60s\" is not a list of addresses",
			lookup->opts.servers);
	return soon_fail(rc, "cannot look up \"%.60s\": its %s: %s", lookup->from.host,
		work->failed, soon__error_text(rc));
}

static int lookup_work(struct work *work) SOON_SUSPENDS
{
	int rc = soon_offload_with(&soon__dns_pool, files_read, work);

	if (rc < 0)
		rc = files_failed(work, rc);
	else if (rc > 0 && has_to_ask_libc(work))
		rc = soon__dns_ask_libc(work->lookup);
#if SOON_ARES
	else if (rc > 0)
		rc = soon__dns_ask(work->dns);
	if (work->dns != NULL)
		soon__dns_close(work->dns);
#endif
	return rc;
}

int soon__lookup_run(struct soon__lookup *lookup)
{
	struct work *work = soon_zalloc(sizeof *work);
	const char *message;

	lookup->rc = -ENOMEM;
	if (work != NULL) {
		work->lookup = lookup;
		lookup->rc = lookup_work(work);
		message = soon_fail_message();
		if (lookup->rc < 0 && message != NULL)
			(void)snprintf(lookup->message, sizeof lookup->message, "%s", message);
		soon_free(work);
	}
	lookup_known(lookup);
	(void)soon_event_set(&lookup->changed);
	return lookup->rc == -ECANCELED ? lookup->rc : 0;
}

/* Runs a lookup to its end. */
static int lookup_wait(struct soon__lookup *lookup) SOON_SUSPENDS
{
	static const soon_task_opts opts = { .name = "lookup", .stack_bytes = SOON__LOOKUP_STACK };
	int rc;

	if (!lookup->is_over) {
		SOON_GROUP(g);
		rc = soon_spawn_with(&g, &opts, soon__lookup_run, lookup);
		rc = (int)soon_group_close(&g, rc);
		if (rc < 0 && lookup->rc != rc)
			return rc;
	}
	if (lookup->rc < 0)
		return lookup->message[0] != '\0' ? soon_fail(lookup->rc, "%s", lookup->message)
						  : lookup->rc;
	SOON_ASSERT(lookup->found.count > 0);
	return 0;
}

/* Begins, runs and frees a lookup; what it found is left to `ret_found`. */
static int look_up(const char *where, const soon_resolve_opts *opts,
	struct soon__lookup **ret_lookup) SOON_SUSPENDS
{
	struct soon__lookup *lookup = soon_zalloc(sizeof *lookup);
	int rc;

	if (lookup == NULL)
		return -ENOMEM;
	rc = soon__lookup_init(lookup, where, opts);
	if (rc == 0)
		rc = lookup_wait(lookup);
	if (rc < 0) {
		soon_free(lookup);
		return rc;
	}
	/* "*" has its order already. */
	if (where[0] != '*')
		soon__addrs_sort(lookup->found.addrs, lookup->found.count);
	*ret_lookup = lookup;
	return 0;
}

int soon__resolve(const char *where, struct soon__resolved **ret_resolved)
{
	struct soon__lookup *lookup;
	struct soon__resolved *resolved;
	int rc;

	SOON_ASSERT(where != NULL);
	resolved = soon_zalloc(sizeof *resolved);
	if (resolved == NULL)
		return -ENOMEM;
	rc = look_up(where, NULL, &lookup);
	if (rc < 0) {
		soon_free(resolved);
		return rc;
	}
	*resolved = lookup->found;
	if (lookup->is_local && resolved->count == 2 &&
		resolved->addrs[0].storage.ss_family == AF_INET6) {
		resolved->addrs[0] = lookup->found.addrs[1];
		resolved->addrs[1] = lookup->found.addrs[0];
	}
	soon_free(lookup);
	*ret_resolved = resolved;
	return 0;
}

int soon_resolve(
	const char *where, const soon_resolve_opts *opts, soon_addr *ret_addrs, size_t addrs_max)
{
	struct soon__lookup *lookup;
	size_t count;
	int rc;

	SOON_ASSERT(where != NULL);
	SOON_ASSERT(ret_addrs != NULL && addrs_max > 0);
	rc = soon_yield();
	if (rc < 0)
		return rc;
	rc = look_up(where, opts, &lookup);
	if (rc < 0)
		return rc;
	count = lookup->found.count < addrs_max ? lookup->found.count : addrs_max;
	memcpy(ret_addrs, lookup->found.addrs, count * sizeof *ret_addrs);
	soon_free(lookup);
	return (int)count;
}
