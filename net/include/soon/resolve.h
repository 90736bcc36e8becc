// SPDX-License-Identifier: Apache-2.0
/*
 * resolve.h: from names to addresses.
 *
 * soon_dial() and soon_listen() take names as they are. This is for who wants the addresses
 * themselves, or says where they are to come from:
 *
 *	soon_addr addrs[4];
 *	int count = soon_within(SOON_S(2), soon_resolve("db.example:5432", NULL, addrs, 4));
 *
 * A place is "host:port" as in <soon/addr.h>, where the port may be the name of a service. What the
 * host is, is asked in this order:
 *   numbers                       nobody is asked.
 *   "localhost", "x.localhost"    this machine, both families; nobody is asked.
 *   /etc/hosts                    a name that is in it has the addresses there and no others.
 *   the DNS                       the servers, search list and options of /etc/resolv.conf, asked
 *                                 for both families at once.
 * Both files are read anew, on a thread, for each name, so a change of them holds at once. The
 * task waits for the name servers itself: no thread is held up by one that does not answer.
 * Nothing is cached: that is the business of a server for the whole machine, such as dnsmasq or
 * systemd-resolved. /etc/nsswitch.conf is not read; what it names besides files and dns (mdns,
 * ldap, myhostname) is asked with `by_libc`.
 *
 * The addresses are ordered by RFC 6724: first those that this machine has a route to.
 */
#ifndef SOON_RESOLVE_H
#define SOON_RESOLVE_H

#include <soon/addr.h>
#include <soon/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Addresses kept of one name, half of them for each family. */
#define SOON_RESOLVE_ADDRS_MAX 32

/* Zero means the default in every field; the texts are lent to the call. */
typedef struct soon_resolve_opts {
	soon_ns timeout;     /* of the first query to a server; default as resolv.conf, or 5 s */
	unsigned tries;      /* how often each is asked; default as resolv.conf, or 2 */
	int family;          /* AF_INET or AF_INET6: only these; default both */
	const char *servers; /* "10.0.0.2,127.0.0.1:5353,[::1]:53"; default as resolv.conf */
	const char *resolv_conf; /* a path; default /etc/resolv.conf */
	const char *hosts;       /* a path; default /etc/hosts */
	bool by_libc; /* getaddrinfo is asked, on a thread; of these options only `family` counts */
} soon_resolve_opts;

/*
 * Finds the addresses of `where`, with its port in each.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point, at any time; other tasks
 * that wait for the same name are not touched.
 * Null: `opts` for defaults.
 * Returns: how many addresses were written, 1 to `addrs_max`, the best one first.
 * Errors: -EINVAL `where` cannot be read, or an option cannot. -ENODEV no such interface after a
 * '%'. -ENAMETOOLONG. -ENOENT no such host, no address of that family, or no such service. -EAGAIN
 * the name servers do not answer, or say that they cannot. -EBADMSG what they answer cannot be
 * read. -ENOMEM, -EMFILE, -ECANCELED. The message names the host, who was asked, and what to do.
 * Limits: SOON_RESOLVE_ADDRS_MAX.
 */
SOON_API SOON_NODISCARD int soon_resolve(const char *where,
	const soon_resolve_opts *SOON_NULLABLE opts, soon_addr *ret_addrs, size_t addrs_max)
	SOON_SUSPENDS;

/*
 * Returns who asks the name servers in this build: "c-ares 1.18.1", or "getaddrinfo on threads",
 * which is as `by_libc`. Affinity: any. Suspends: never.
 */
SOON_API const char *soon_resolver(void) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
