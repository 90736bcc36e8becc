// SPDX-License-Identifier: Apache-2.0
/*
 * dgram_recv.c: receiving datagrams.
 *
 * As many as are there, up to the number of slots, come with one recvmmsg(2). A slot that holds a
 * burst that the kernel has coalesced is several packets of equal length, but for the last. What
 * was handed out is lent until the next call, so a refill may only happen when all slots are.
 */
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/scope.h>

#include "dgram.h"

#include <netinet/udp.h>
#include <poll.h>
#include <string.h>

/* Looks for what became of others' datagrams, before the next receive is left to the scheduler. */
#define TRIES_MAX 16

/* ---- slots ------------------------------------------------------------------------------- */

static size_t round_up(size_t bytes)
{
	return (bytes + 63u) & ~(size_t)63u;
}

static bool has_control(const soon_dgram *d)
{
	return d->has_local || d->has_tos || d->has_coalesce;
}

static void slots_lay_out(soon_dgram *d, char *base, const size_t *sizes)
{
	struct soon__dgram_slots *slots = d->slots;

	slots->msgs = (struct mmsghdr *)(void *)base;
	base += sizes[0];
	slots->iovs = (struct iovec *)(void *)base;
	base += sizes[1];
	slots->peers = (soon_addr *)(void *)base;
	base += sizes[2];
	slots->locals = d->has_local ? (soon_addr *)(void *)base : NULL;
	base += sizes[3];
	slots->controls = has_control(d) ? (union soon__dgram_control *)(void *)base : NULL;
	base += sizes[4];
	slots->memory = base;
}

/* The records are zeroed, so that addresses are zero behind their lengths; the memory is not. */
static int slots_make(soon_dgram *d)
{
	size_t count = d->slot_count;
	const size_t sizes[] = {
		round_up(count * sizeof(struct mmsghdr)),
		round_up(count * sizeof(struct iovec)),
		round_up(count * sizeof(soon_addr)),
		d->has_local ? round_up(count * sizeof(soon_addr)) : 0,
		has_control(d) ? round_up(count * sizeof(union soon__dgram_control)) : 0,
	};
	size_t records = round_up(sizeof *d->slots);
	size_t stride = round_up(d->bytes_max);

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		records += sizes[i];
	d->slots = soon_malloc(records + count * stride);
	if (d->slots == NULL)
		return -ENOMEM;
	memset(d->slots, 0, records);
	slots_lay_out(d, (char *)d->slots + round_up(sizeof *d->slots), sizes);
	for (size_t i = 0; i < count; i++) {
		struct msghdr *msg = &d->slots->msgs[i].msg_hdr;

		d->slots->iovs[i] = (struct iovec){ d->slots->memory + i * stride, d->bytes_max };
		msg->msg_iov = &d->slots->iovs[i];
		msg->msg_iovlen = 1;
		msg->msg_name = &d->slots->peers[i].storage;
		msg->msg_control = has_control(d) ? &d->slots->controls[i] : NULL;
	}
	d->filled = d->slot_count; /* all have to be reset, see below */
	d->at = d->filled;
	return 0;
}

void soon__dgram_slots_free(soon_dgram *d)
{
	soon_free(d->slots);
	d->slots = NULL;
}

/* Makes those that were used ready to be filled again: the kernel has changed their lengths. */
static void slots_reset(soon_dgram *d)
{
	for (unsigned i = 0; i < d->filled; i++) {
		struct msghdr *msg = &d->slots->msgs[i].msg_hdr;

		/* Names of unix sockets differ in length. */
		if (d->family == AF_UNIX)
			memset(&d->slots->peers[i].storage, 0, d->slots->peers[i].len);
		msg->msg_namelen = sizeof d->slots->peers[i].storage;
		msg->msg_controllen = has_control(d) ? sizeof *d->slots->controls : 0;
	}
	d->filled = 0;
	d->at = 0;
	d->at_byte = 0;
}

/* ---- one system call --------------------------------------------------------------------- */

/* Takes what the network told about earlier datagrams, so that it stops telling. */
static void errors_drain(soon_dgram *d)
{
	struct msghdr msg = { 0 };

	while (recvmsg(d->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
		d->counts.unreachable++;
		msg = (struct msghdr){ 0 };
	}
}

/* Fills slots. Returns: how many; -EAGAIN when nothing is there. */
static int receive(soon_dgram *d)
{
	int n;

	slots_reset(d);
	do {
		/* With MSG_TRUNC their lengths are the true ones. */
		n = recvmmsg(d->fd, d->slots->msgs, d->slot_count, MSG_DONTWAIT | MSG_TRUNC, NULL);
		n = n < 0 ? -errno : n;
	} while (n == -EINTR);
	d->is_drained = n < (int)d->slot_count;
	if (n > 0)
		d->filled = (unsigned)n;
	return n;
}

/* Waits until there is something to look at. */
static int wait_readable(soon_dgram *d) SOON_SUSPENDS
{
	int events = soon_poll_fd(d->fd, POLLIN);

	if (events < 0)
		return events;
	if (SOON_UNLIKELY((events & POLLERR) != 0) && !d->is_connected)
		errors_drain(d);
	d->is_drained = false;
	return 0;
}

static int refill(soon_dgram *d) SOON_SUSPENDS
{
	int rc = d->slots == NULL ? slots_make(d) : 0;

	for (int tries = 0; rc == 0;) {
		int n = -EAGAIN;

		if (!d->is_drained)
			n = receive(d);
		if (n > 0)
			return 0;
		if (n == -EAGAIN || ++tries > TRIES_MAX)
			rc = wait_readable(d);
		else if (!soon__dgram_is_elsewhere(d, n))
			rc = n;
		else
			d->counts.unreachable++;
	}
	return rc;
}

/* ---- packets ----------------------------------------------------------------------------- */

/* One address that came beside a datagram. */
static void local_set(soon_addr *local, const struct cmsghdr *cmsg)
{
	if (cmsg->cmsg_level == IPPROTO_IP) {
		struct sockaddr_in in = { .sin_family = AF_INET };
		struct in_pktinfo info;

		memcpy(&info, CMSG_DATA(cmsg), sizeof info);
		in.sin_addr = info.ipi_spec_dst;
		memcpy(&local->storage, &in, sizeof in);
		local->len = sizeof in;
	} else {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
		struct in6_pktinfo info;

		memcpy(&info, CMSG_DATA(cmsg), sizeof info);
		in6.sin6_addr = info.ipi6_addr;
		if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
			in6.sin6_scope_id = info.ipi6_ifindex;
		memcpy(&local->storage, &in6, sizeof in6);
		local->len = sizeof in6;
	}
}

/* What came beside the datagram in slot `at`. Returns: the length of segments, 0: it is one. */
static size_t control_read(soon_dgram *d, unsigned at, soon_packet *packet)
{
	struct msghdr *msg = &d->slots->msgs[at].msg_hdr;
	struct cmsghdr *next;
	int value;
	size_t segment = 0;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL; cmsg = next) {
		int level = cmsg->cmsg_level;
		int type = cmsg->cmsg_type;

		next = CMSG_NXTHDR(msg, cmsg);
		if ((level == IPPROTO_IP && type == IP_PKTINFO) ||
			(level == IPPROTO_IPV6 && type == IPV6_PKTINFO)) {
			local_set(&d->slots->locals[at], cmsg);
			packet->local = &d->slots->locals[at];
		} else if (level == IPPROTO_IP && type == IP_TOS) {
			packet->tos = *CMSG_DATA(cmsg); /* a byte, other than IPv6's */
		} else if (level == IPPROTO_IPV6 && type == IPV6_TCLASS) {
			memcpy(&value, CMSG_DATA(cmsg), sizeof value);
			packet->tos = (uint8_t)value;
		} else if (level == SOL_UDP && type == UDP_GRO) {
			memcpy(&value, CMSG_DATA(cmsg), sizeof value);
			segment = value > 0 ? (size_t)value : 0;
		}
	}
	return segment;
}

/* Hands out the next packet; there is one. */
static void take(soon_dgram *d, soon_packet *ret_packet)
{
	unsigned at = d->at;
	size_t full = d->slots->msgs[at].msg_len;
	size_t held = full < d->bytes_max ? full : d->bytes_max;
	soon_addr *peer = &d->slots->peers[at];
	size_t segment = 0;

	SOON_ASSERT(at < d->filled);
	SOON_ASSERT(d->at_byte <= held);
	peer->len = d->slots->msgs[at].msg_hdr.msg_namelen;
	*ret_packet = (soon_packet){
		.ptr = d->slots->iovs[at].iov_base,
		.len = held,
		.peer = peer->len > 0 ? peer : NULL,
		.cut_bytes = full - held,
	};
	if (d->slots->controls != NULL)
		segment = control_read(d, at, ret_packet);
	d->counts.coalesced += segment > 0 && segment < held && d->at_byte == 0;
	if (segment > 0 && held - d->at_byte > segment) {
		ret_packet->ptr += d->at_byte;
		ret_packet->len = segment;
		ret_packet->cut_bytes = 0;
		d->at_byte += segment;
	} else {
		ret_packet->ptr += d->at_byte;
		ret_packet->len -= d->at_byte;
		d->at_byte = 0;
		d->at++;
	}
	d->counts.received++;
	d->counts.received_cut += ret_packet->cut_bytes > 0;
}

static int next_batch(soon_dgram *d, soon_packet *packets, unsigned max) SOON_SUSPENDS
{
	unsigned count = 0;
	int rc = soon_checkpoint();

	if (rc == 0)
		rc = soon__dgram_enter(d, "receive");
	if (SOON_UNLIKELY(rc < 0))
		return rc;
	if (SOON_UNLIKELY(d->is_receiving))
		return -EBUSY;
	if (d->at == d->filled || d->slots == NULL) {
		d->is_receiving = true;
		d->in_calls++;
		rc = refill(d);
		d->in_calls--;
		d->is_receiving = false;
		if (rc < 0)
			return rc;
	}
	while (count < max && d->at < d->filled)
		take(d, &packets[count++]);
	return (int)count;
}

int soon_dgram_next(soon_dgram *dgram, soon_packet *ret_packet)
{
	int rc;

	SOON_ASSERT(dgram != NULL);
	SOON_ASSERT(ret_packet != NULL);
	rc = next_batch(dgram, ret_packet, 1);
	return rc < 0 ? rc : 0;
}

int soon_dgram_next_batch(soon_dgram *dgram, soon_packet *ret_packets, unsigned count_max)
{
	SOON_ASSERT(dgram != NULL);
	SOON_ASSERT(ret_packets != NULL);
	SOON_ASSERT(count_max > 0);
	return next_batch(dgram, ret_packets, count_max);
}

ssize_t soon_dgram_recv(soon_dgram *dgram, void *buf, size_t bytes, soon_addr *ret_peer)
{
	soon_packet packet = { 0 };
	int rc;

	SOON_ASSERT(dgram != NULL);
	SOON_ASSERT(buf != NULL || bytes == 0);
	rc = next_batch(dgram, &packet, 1);
	if (rc < 0)
		return rc;
	if (ret_peer != NULL && packet.peer != NULL)
		*ret_peer = *packet.peer;
	else if (ret_peer != NULL)
		*ret_peer = (soon_addr){ 0 };
	if (bytes > packet.len)
		bytes = packet.len;
	if (bytes > 0)
		memcpy(buf, packet.ptr, bytes);
	return bytes < packet.len + packet.cut_bytes ? -EMSGSIZE : (ssize_t)bytes;
}
