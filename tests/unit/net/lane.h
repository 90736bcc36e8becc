// SPDX-License-Identifier: Apache-2.0
/*
 * lane.h: a network of its own for one test, with a way out on which packets are lost or late.
 *
 * The process leaves for a network namespace that has a loopback and a device of our making. The
 * thread behind the device sends each packet back with its two addresses exchanged. So who connects
 * to 198.18.0.7 reaches the listener of the same port here, who sees a connection from 198.18.0.7;
 * and between the two stands the kernel's TCP, with its real timers. What becomes of the packets to
 * a host is the test's to say; hosts are numbers, and each has an address of both families.
 */
#ifndef TESTS_UNIT_NET_LANE_H
#define TESTS_UNIT_NET_LANE_H

#include <pthread.h>
#include <stdatomic.h>

#define LANE_HERE_V4 "198.18.0.1"
#define LANE_HERE_V6 "2001:db8::1"

/* Of the host as text: LANE_V4("7"). */
#define LANE_V4(host) "198.18.0." host
#define LANE_V6(host) "2001:db8::" host

enum { LANE_HOSTS = 10, LANE_ORDER_BYTES = 128 };

/* What becomes of a packet. More than LANE_OPEN: it is held for so many milliseconds. */
enum lane_rule {
	LANE_OPEN = 0,
	LANE_LOST = -1,
	LANE_LOST_TCP = -2, /* datagrams arrive */
	LANE_REFUSED = -3,  /* a connection is answered by a reset */
};

struct lane {
	const char *refused; /* why there is none, or NULL */
	int tun, stop[2];
	pthread_t thread;
	atomic_int rules[2][LANE_HOSTS]; /* IPv4, IPv6 */
	pthread_mutex_t lock;
	char order[LANE_ORDER_BYTES];
};

/*
 * Moves the process, or this thread and what it starts. Before a run: for the .init of a test.
 * Without the right to, or without /dev/net/tun, `refused` says so.
 */
void lane_open(struct lane *lane);
void lane_close(struct lane *lane);

/* `family` is 4 or 6. */
void lane_rule(struct lane *lane, int family, int host, int rule);

/* Whom connections were asked of, in the order of the first packets: "6.2 4.2 6.3". */
void lane_order(struct lane *lane, char ret[LANE_ORDER_BYTES]);

#endif
