// SPDX-License-Identifier: Apache-2.0
/*
 * dgram.h: the record of a datagram socket, private to net/.
 *
 *   dgram.c       its life
 *   dgram_recv.c  receiving: slots that recvmmsg(2) fills, handed out one by one
 *   dgram_send.c  sending: packets made into messages for sendmmsg(2)
 *
 * Bytes move by system calls that do not wait; only readiness is waited for, by soon_poll_fd(). So
 * both back ends do the same, a cancel has nothing to undo, and no memory is with the kernel. For
 * why no requests are left with the ring see docs/decisions: this was the faster way.
 */
#ifndef NET_DGRAM_H
#define NET_DGRAM_H

#include <soon/assert.h>
#include <soon/dgram.h>
#include <soon/thread.h>

#include "unix_file.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define SOON__DGRAM_BYTES_MAX 65535u /* longer than any UDP datagram */
#define SOON__DGRAM_SENDS_MAX 32u    /* messages of one sendmmsg(2) */

/* What travels beside one datagram: its local address, TOS byte, and size of segments. */
union soon__dgram_control {
	char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 3 * CMSG_SPACE(sizeof(int))];
	size_t align; /* as struct cmsghdr */
};

/* What recvmmsg(2) fills; one allocation with all that is behind the pointers. */
struct soon__dgram_slots {
	struct mmsghdr *msgs;
	struct iovec *iovs;
	soon_addr *peers;
	soon_addr *locals;                   /* NULL: not asked for */
	union soon__dgram_control *controls; /* NULL: nothing is asked for that comes there */
	char *memory;
};

/* For a batch that is sent: filled and used up between two suspensions, so all senders share it. */
struct soon__dgram_sends {
	struct mmsghdr msgs[SOON__DGRAM_SENDS_MAX];
	struct iovec iovs[SOON__DGRAM_SENDS_MAX];
	union soon__dgram_control controls[SOON__DGRAM_SENDS_MAX];
	bool is_end[SOON__DGRAM_SENDS_MAX]; /* the last message of its packet */
};

struct soon_dgram {
	soon_core *core;
	int fd;
	int family;
	bool is_connected;
	bool can_segment;  /* the kernel knows UDP_SEGMENT */
	bool has_coalesce; /* and UDP_GRO was asked for, and is on */
	bool has_local;
	bool has_tos;
	bool is_receiving;   /* a task is in a call that receives */
	unsigned in_calls;   /* how many tasks are in a call that may suspend */
	unsigned slot_count; /* of the options' batch_count */
	size_t bytes_max;

	/* Received, and not handed out: from slot `at`, byte `at_byte`, to slot `filled`. */
	struct soon__dgram_slots *slots; /* NULL before the first receive */
	unsigned filled;
	unsigned at;
	size_t at_byte;
	bool is_drained; /* the kernel had no more: wait before the next look */

	struct soon__dgram_sends *sends; /* NULL before the first batch */
	soon_dgram_counts counts;        /* without `dropped`, which the kernel has */
	soon_addr addr;
	struct soon__unix_file file;
};

/* What a call does first: 0, or -EPERM with a report on another core. */
SOON_NODISCARD int soon__dgram_enter(const soon_dgram *dgram, const char *what);

/*
 * Whether `rc` may be what the network told about an earlier datagram, to another peer: on a
 * socket with many of them that is nobody's failure, and the call is worth another try.
 */
bool soon__dgram_is_elsewhere(const soon_dgram *dgram, int rc);

/* Ends what was received. */
void soon__dgram_slots_free(soon_dgram *dgram);

#endif
