// SPDX-License-Identifier: Apache-2.0
/*
 * liar.h: a name server that answers, lies, or says nothing, by the name that is asked for. It is a
 * thread with a UDP and a TCP socket on one port, of 127.0.0.1 unless is_everywhere.
 */
#ifndef TESTS_UNIT_NET_LIAR_H
#define TESTS_UNIT_NET_LIAR_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { LIAR_RECORDS_MAX = 8 };

/* What a name has. Set before liar_start(). */
struct liar_record {
	const char *name;
	const char *addr; /* of either family */
};

struct liar {
	struct liar_record records[LIAR_RECORDS_MAX];
	bool is_everywhere; /* at all addresses of this machine; set before, too */
	char servers[64];   /* for soon_resolve_opts.servers */
	uint16_t port;

	atomic_uint queries; /* by UDP */
	atomic_uint streams; /* by TCP */

	pthread_t thread;
	int udp, tcp, stop[2];
	bool holds; /* an answer to "late.test" waits for a question for "release.test" */
	struct sockaddr_in held_for;
	uint8_t held[512];
	uint16_t held_bytes;
};

/*
 * Besides the records it knows, for both families unless said:
 *   good.test        192.0.2.1 and 2001:db8::1     wrongid.test    with another number
 *   v4.test          192.0.2.4 only                wrongname.test  about another name
 *   empty.test       nothing                       garbage.test    a name that points at itself
 *   servfail.test, refused.test                    short.test      half a header
 *   silent.test      no answer                     cut.test        by UDP, TC; by TCP 192.0.2.9
 *   half.test        A as its records say, AAAA silent
 *   late.test        A as its records say, AAAA when release.test is asked for
 *   loop.test        an alias of an alias of itself
 *   alias.test       an alias of good.test, with its addresses
 *   thousand.test    1000 addresses, by TCP
 * All others do not exist.
 */
void liar_start(struct liar *liar);
void liar_stop(struct liar *liar);

#endif
