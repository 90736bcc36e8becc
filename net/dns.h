// SPDX-License-Identifier: Apache-2.0
/*
 * dns.h: the parts of a lookup, private to net/: files, name servers, order.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "resolve.h"

#define SOON__DNS_SERVERS_MAX 8
#define SOON__DNS_SEARCH_MAX  16
#define SOON__DNS_PORT        53

/* Who is to be asked, and how. */
struct soon__dns_conf {
	soon_addr servers[SOON__DNS_SERVERS_MAX];
	unsigned server_count;
	bool is_default; /* no server was named: it is the one of this machine */
	bool has_zone;   /* a server was left out, as its address is of one interface only */
	unsigned dots;   /* a name with as many is first tried as it is */
	unsigned tries;  /* for each server */
	soon_ns timeout; /* of the first try */
	bool rotate;     /* another server comes first each time */
	bool use_tcp;
	unsigned search_count;
	char search[SOON__DNS_SEARCH_MAX][SOON__HOST_BYTES]; /* domains to add to a short name */
};

/* Threads for what has to be read or asked by calls that block. */
extern soon_pool soon__dns_pool;

/*
 * Reads the configuration's file, and then what the options say instead. On a pool thread. A file
 * that is not there is an empty one.
 * Errors: -EINVAL servers of the options that cannot be read. -ENOMEM; others of open(2).
 */
SOON_NODISCARD int soon__dns_conf_read(const soon_resolve_opts *opts, struct soon__dns_conf *conf);

/*
 * Finds the lookup's host in the file of hosts, and keeps its addresses. On a pool thread.
 * Errors: -ENOENT not there, also when there is no file. -ENOMEM; others of open(2).
 */
SOON_NODISCARD int soon__dns_hosts_find(struct soon__lookup *lookup);

/*
 * Finds the port of a TCP service. On a pool thread. Errors: -ENOENT no such service. -ENOMEM.
 */
SOON_NODISCARD int soon__dns_service_find(const char *service, uint16_t *ret_port);

#if SOON_ARES
struct soon__dns;

/*
 * Gets ready to ask the name servers of `conf`. On a pool thread: c-ares, too, reads files.
 * Ownership: returns owned; `conf` and `lookup` are lent until the close. Errors: -ENOMEM, -EMFILE.
 */
SOON_NODISCARD int soon__dns_open(
	struct soon__lookup *lookup, const struct soon__dns_conf *conf, struct soon__dns **ret_dns);

/*
 * Asks for the lookup's host. Affinity: core, in a task with SOON__LOOKUP_STACK. Suspends: always.
 * Cancel: cancellation point. Errors: those of soon_resolve, with a message by soon_fail().
 */
SOON_NODISCARD int soon__dns_ask(struct soon__dns *dns) SOON_SUSPENDS;

/* Gives up what is still asked. Suspends: may. Cancel: not a cancellation point. */
void soon__dns_close(struct soon__dns *dns) SOON_SUSPENDS;
#endif

/* Asks getaddrinfo on a thread. Errors: as soon__dns_ask. Cancel: leaves the thread behind. */
SOON_NODISCARD int soon__dns_ask_libc(struct soon__lookup *lookup) SOON_SUSPENDS;

/*
 * Orders addresses by RFC 6724, those without a route last. Asks the kernel for the source address
 * of each, which sends nothing. Affinity: any. Suspends: never. Without memory: as they were.
 */
void soon__addrs_sort(soon_addr *addrs, size_t count);

/*
 * The comparison: negative when `a` comes before `b`, 0 when nothing speaks for either. A source is
 * NULL when there is no route.
 */
int soon__addrs_compare(const soon_addr *a, const soon_addr *SOON_NULLABLE a_source,
	const soon_addr *b, const soon_addr *SOON_NULLABLE b_source);

#endif
