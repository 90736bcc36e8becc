// SPDX-License-Identifier: Apache-2.0
/*
 * dgram_send.c: sending datagrams.
 *
 * A packet becomes one message, or several when it is to be cut into segments: as few as the
 * kernel allows where it does the cutting, one a segment elsewhere. What it does not take at once
 * is waited for in soon_sendmsg(), which knows how.
 */
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/scope.h>

#include "dgram.h"
#include "errtext.h"

#include <netinet/udp.h>
#include <string.h>

/* Of one burst, as long as there are kernels before 6.9; and what fits both IPv4 and IPv6. */
#define SEGMENTS_MAX    64u
#define BURST_BYTES_MAX 65000u

/* ---- messages ---------------------------------------------------------------------------- */

static bool is_v4_in_v6(const soon_addr *addr)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr->storage;

	return addr->storage.ss_family == AF_INET ||
		(addr->storage.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr));
}

static void control_add(struct msghdr *msg, int level, int type, const void *data, size_t bytes)
{
	struct cmsghdr *cmsg =
		(struct cmsghdr *)(void *)((char *)msg->msg_control + msg->msg_controllen);

	*cmsg = (struct cmsghdr){
		.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(bytes)
	};
	memcpy(CMSG_DATA(cmsg), data, bytes);
	msg->msg_controllen += CMSG_SPACE(bytes);
}

static void local_add(struct msghdr *msg, const soon_addr *local)
{
	if (local->storage.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&local->storage;
		struct in_pktinfo info = { .ipi_spec_dst = in->sin_addr };

		control_add(msg, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	} else if (local->storage.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&local->storage;
		struct in6_pktinfo info = {
			.ipi6_addr = in6->sin6_addr,
			.ipi6_ifindex = in6->sin6_scope_id,
		};

		control_add(msg, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	}
}

/* Fills the message for `piece` of `packet`. With `segment` the kernel cuts it. */
static void message_fill(const soon_dgram *d, const soon_packet *packet, struct iovec *piece,
	size_t segment, struct msghdr *ret_msg, union soon__dgram_control *control)
{
	/* The name is not written to, which the kernel's record has no way to say. */
	*ret_msg = (struct msghdr){ .msg_iov = piece, .msg_iovlen = 1 };
	if (packet->peer != NULL) {
		ret_msg->msg_name = (void *)(uintptr_t)&packet->peer->storage;
		ret_msg->msg_namelen = packet->peer->len;
	}
	if (SOON_LIKELY(packet->local == NULL && packet->tos == 0 && segment == 0))
		return;
	ret_msg->msg_control = control;
	if (packet->local != NULL)
		local_add(ret_msg, packet->local);
	if (packet->tos != 0) {
		bool is_v4 =
			d->family == AF_INET || (packet->peer != NULL && is_v4_in_v6(packet->peer));
		int value = packet->tos;

		control_add(ret_msg, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
			is_v4 ? IP_TOS : IPV6_TCLASS, &value, sizeof value);
	}
	if (segment > 0) {
		uint16_t value = (uint16_t)segment;

		control_add(ret_msg, SOL_UDP, UDP_SEGMENT, &value, sizeof value);
	}
	if (ret_msg->msg_controllen == 0)
		ret_msg->msg_control = NULL;
}

/* ---- one --------------------------------------------------------------------------------- */

static ssize_t send_now(const soon_dgram *d, const struct msghdr *msg)
{
	ssize_t n;

	do {
		n = sendmsg(d->fd, msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		n = n < 0 ? -errno : n;
	} while (n == -EINTR);
	return n;
}

/* Sends a message in the caller's frame, and waits if need be. */
static ssize_t send_message(soon_dgram *d, const struct msghdr *msg) SOON_SUSPENDS
{
	ssize_t n = send_now(d, msg);

	if (SOON_UNLIKELY(n < 0) && soon__dgram_is_elsewhere(d, (int)n)) {
		n = send_now(d, msg);
		d->counts.unreachable += n >= 0;
	}
	if (SOON_UNLIKELY(n == -EAGAIN)) {
		d->in_calls++;
		n = soon_sendmsg(d->fd, msg, 0);
		d->in_calls--;
	}
	return n;
}

static SOON_COLD ssize_t too_long(const soon_dgram *d, const soon_packet *packet)
{
	char text[SOON_ADDR_TEXT_BYTES] = "the peer";

	if (packet->peer != NULL)
		(void)soon_addr_format(packet->peer, text);
	return soon_fail(-EMSGSIZE, "a datagram of %zu bytes to %s is too long: %s", packet->len,
		text,
		d->family == AF_UNIX ? "the limit is the socket's send buffer, out_bytes"
				     : "UDP carries 65507 bytes at most, and what the path takes "
				       "where fragments are forbidden");
}

static ssize_t send_one(soon_dgram *d, const soon_packet *packet) SOON_SUSPENDS
{
	union soon__dgram_control control;
	struct iovec piece = { packet->ptr, packet->len };
	struct msghdr msg;
	ssize_t n = soon_checkpoint();

	if (n == 0)
		n = soon__dgram_enter(d, "send");
	if (SOON_UNLIKELY(n < 0))
		return n;
	message_fill(d, packet, &piece, 0, &msg, &control);
	n = send_message(d, &msg);
	d->counts.sent += n >= 0;
	return SOON_UNLIKELY(n == -EMSGSIZE) ? too_long(d, packet) : n;
}

/* It is only read, which a packet has no way to say. */
static char *bytes_of(const void *buf)
{
	return (char *)(uintptr_t)buf;
}

ssize_t soon_dgram_send(soon_dgram *dgram, const void *buf, size_t bytes)
{
	const soon_packet packet = { .ptr = bytes_of(buf), .len = bytes };

	SOON_ASSERT(dgram != NULL);
	SOON_ASSERT(buf != NULL || bytes == 0);
	return send_one(dgram, &packet);
}

ssize_t soon_dgram_send_to(soon_dgram *dgram, const soon_addr *peer, const void *buf, size_t bytes)
{
	const soon_packet packet = { .ptr = bytes_of(buf), .len = bytes, .peer = peer };

	SOON_ASSERT(dgram != NULL);
	SOON_ASSERT(peer != NULL);
	SOON_ASSERT(buf != NULL || bytes == 0);
	return send_one(dgram, &packet);
}

ssize_t soon_dgram_reply(
	soon_dgram *dgram, const soon_packet *packet, const void *buf, size_t bytes)
{
	const soon_packet reply = {
		.ptr = bytes_of(buf),
		.len = bytes,
		.peer = packet->peer,
		.local = packet->local,
	};

	SOON_ASSERT(dgram != NULL);
	SOON_ASSERT(buf != NULL || bytes == 0);
	return send_one(dgram, &reply);
}

/* ---- many -------------------------------------------------------------------------------- */

/* How far a batch is. */
struct batch {
	soon_dgram *dgram;
	soon_packet *packets;
	unsigned count;
	unsigned at;    /* the packet that is next */
	size_t at_byte; /* and of it */
	bool is_plain;  /* the kernel does not cut that one */
	bool is_tried;  /* and it failed once for what may be another's reason */
	unsigned sent;  /* packets */
};

/* The next message of `packet` from `from` on: its bytes, and into what the kernel cuts it. */
static size_t message_bytes(
	const soon_packet *packet, size_t from, bool is_cut_by_kernel, size_t *ret_segment)
{
	size_t left = packet->len - from;
	size_t segment = packet->segment_bytes;
	size_t burst;

	*ret_segment = 0;
	if (segment == 0 || left <= segment)
		return left;
	if (!is_cut_by_kernel)
		return segment;
	burst = BURST_BYTES_MAX / segment;
	if (burst > SEGMENTS_MAX)
		burst = SEGMENTS_MAX;
	if (burst < 2)
		return segment;
	*ret_segment = segment;
	return left < burst * segment ? left : burst * segment;
}

/* Makes as many messages as fit of the packets that are next. Returns: how many. */
static unsigned messages_make(const struct batch *b)
{
	soon_dgram *d = b->dgram;
	struct soon__dgram_sends *sends = d->sends;
	unsigned at = b->at, n = 0;
	size_t from = b->at_byte;

	while (n < SOON__DGRAM_SENDS_MAX && at < b->count) {
		soon_packet *packet = &b->packets[at];
		bool is_cut_by_kernel = d->can_segment && !(b->is_plain && at == b->at);
		size_t segment;
		size_t bytes = message_bytes(packet, from, is_cut_by_kernel, &segment);

		sends->iovs[n] = (struct iovec){ packet->ptr + from, bytes };
		message_fill(d, packet, &sends->iovs[n], segment, &sends->msgs[n].msg_hdr,
			&sends->controls[n]);
		from += bytes;
		sends->is_end[n] = from == packet->len;
		if (sends->is_end[n++]) {
			from = 0;
			at++;
		}
	}
	return n;
}

static void packet_end(struct batch *b, int rc)
{
	b->packets[b->at].rc = rc;
	b->sent += rc == 0;
	b->at++;
	b->at_byte = 0;
	b->is_plain = false;
	b->is_tried = false;
}

/* `bytes` of the packet that is next were sent, in one message. */
static void message_sent(struct batch *b, size_t bytes, bool is_end)
{
	size_t segment = b->packets[b->at].segment_bytes;
	bool is_burst = segment > 0 && bytes > segment;

	b->dgram->counts.sent += is_burst ? (bytes + segment - 1) / segment : 1;
	b->dgram->counts.segmented += is_burst;
	b->dgram->counts.unreachable += b->is_tried;
	b->is_tried = false;
	b->at_byte += bytes;
	if (is_end)
		packet_end(b, 0);
}

/* The next message was not taken because there is no room: sends it from this frame. */
static int send_patiently(struct batch *b) SOON_SUSPENDS
{
	soon_dgram *d = b->dgram;
	soon_packet *packet = &b->packets[b->at];
	union soon__dgram_control control;
	struct iovec piece = { .iov_base = packet->ptr + b->at_byte };
	struct msghdr msg;
	size_t segment;
	ssize_t n;

	piece.iov_len = message_bytes(packet, b->at_byte, d->can_segment && !b->is_plain, &segment);
	message_fill(d, packet, &piece, segment, &msg, &control);
	d->in_calls++;
	n = soon_sendmsg(d->fd, &msg, 0);
	d->in_calls--;
	if (n < 0)
		return (int)n;
	message_sent(b, piece.iov_len, b->at_byte + piece.iov_len == packet->len);
	return 0;
}

/* Whether the kernel refused to cut a burst: then it goes in pieces. */
static bool is_refused_burst(const struct batch *b, int rc)
{
	const soon_packet *packet = &b->packets[b->at];
	size_t segment = packet->segment_bytes;

	if (b->is_plain || !b->dgram->can_segment || segment == 0 ||
		packet->len - b->at_byte <= segment)
		return false;
	return rc == -EINVAL || rc == -EIO || rc == -EMSGSIZE || rc == -EOPNOTSUPP;
}

/* The next message failed. Returns: 0, or -ECANCELED while it waited. */
static int message_failed(struct batch *b, int rc) SOON_SUSPENDS
{
	if (rc == -EAGAIN) {
		rc = send_patiently(b);
		if (rc == 0 || rc == -ECANCELED)
			return rc;
	}
	if (is_refused_burst(b, rc)) {
		b->is_plain = true;
	} else if (!b->is_tried && soon__dgram_is_elsewhere(b->dgram, rc)) {
		b->is_tried = true;
	} else {
		packet_end(b, rc);
	}
	return 0;
}

/* One system call. */
static int batch_step(struct batch *b) SOON_SUSPENDS
{
	soon_dgram *d = b->dgram;
	unsigned made = messages_make(b);
	int n;

	do {
		n = sendmmsg(d->fd, d->sends->msgs, made, MSG_DONTWAIT | MSG_NOSIGNAL);
		n = n < 0 ? -errno : n;
	} while (n == -EINTR);
	for (int i = 0; i < n; i++)
		message_sent(b, d->sends->iovs[i].iov_len, d->sends->is_end[i]);
	return n < 0 ? message_failed(b, n) : 0;
}

int soon_dgram_send_batch(soon_dgram *dgram, soon_packet *packets, unsigned count)
{
	struct batch batch = { .dgram = dgram, .packets = packets, .count = count };
	int rc = 0;

	SOON_ASSERT(dgram != NULL);
	SOON_ASSERT(packets != NULL || count == 0);
	rc = soon_checkpoint();
	if (rc == 0)
		rc = soon__dgram_enter(dgram, "send_batch");
	if (rc == 0 && dgram->sends == NULL) {
		dgram->sends = soon_malloc(sizeof *dgram->sends);
		rc = dgram->sends == NULL ? -ENOMEM : 0;
	}
	while (rc == 0 && batch.at < count) {
		rc = batch_step(&batch);
		if (rc == 0 && batch.at < count)
			rc = soon_checkpoint();
	}
	while (rc < 0 && batch.at < count)
		packets[batch.at++].rc = rc;
	return rc < 0 && batch.sent == 0 ? rc : (int)batch.sent;
}
