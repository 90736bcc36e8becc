// SPDX-License-Identifier: Apache-2.0
/*
 * Echo by datagrams: each socket keeps so many in flight, sent and taken many by one system call.
 * Every datagram has its own content; one that does not come back within a fifth of a second, or
 * comes back changed or twice, is an error.
 */
#include "../common/clock.h"
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKETS_MAX 64u
#define LOST_MS     200

const struct protocol protocol_udp = { .name = "udp" };

/* What the first bytes of a datagram say; the rest is made of `seed`. */
struct head {
	uint32_t slot;
	uint32_t unused;
	uint64_t seed;
};

struct peer {
	int fd;
	unsigned due_count;           /* slots to be sent */
	uint16_t due[LOAD_DEPTH_MAX]; /* their numbers */
	bool is_out[LOAD_DEPTH_MAX];  /* by slot: in flight */
	char *out;                    /* a datagram for each slot */
	char *in;                     /* as much */
};

struct udp {
	const struct load_opts *opts;
	uint64_t seed;
	uint64_t completed;
	uint64_t errors;
	struct peer peers[SOCKETS_MAX];
};

static struct mmsghdr messages[LOAD_DEPTH_MAX];
static struct iovec pieces[LOAD_DEPTH_MAX];

static char *datagram(const struct udp *udp, char *memory, unsigned slot)
{
	return memory + (size_t)slot * udp->opts->size_bytes;
}

static void compose(struct udp *udp, struct peer *peer, unsigned slot)
{
	char *out = datagram(udp, peer->out, slot);
	struct head head = { .slot = slot, .seed = udp->seed };

	udp->seed += UINT64_C(0x9e3779b97f4a7c15);
	memset(out, (int)(head.seed & 0xff), udp->opts->size_bytes);
	memcpy(out, &head, sizeof(head));
}

static void send_due(struct udp *udp, struct peer *peer)
{
	unsigned done = 0;

	for (unsigned i = 0; i < peer->due_count; i++) {
		unsigned slot = peer->due[i];

		compose(udp, peer, slot);
		pieces[i] = (struct iovec){
			.iov_base = datagram(udp, peer->out, slot),
			.iov_len = udp->opts->size_bytes,
		};
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
	}
	while (done < peer->due_count) {
		int n = sendmmsg(peer->fd, messages + done, peer->due_count - done, 0);

		if (n <= 0) {
			udp->errors++;
			return; /* they stay due */
		}
		for (int i = 0; i < n; i++)
			peer->is_out[peer->due[done + (unsigned)i]] = true;
		done += (unsigned)n;
	}
	peer->due_count = 0;
}

static bool is_right(const struct udp *udp, const struct peer *peer, const char *in, size_t count)
{
	struct head head;

	if (count != udp->opts->size_bytes)
		return false;
	memcpy(&head, in, sizeof(head));
	return head.slot < udp->opts->depth_count && peer->is_out[head.slot] &&
		memcmp(in, datagram(udp, peer->out, head.slot), count) == 0;
}

static int take(struct udp *udp, struct peer *peer)
{
	unsigned depth = udp->opts->depth_count;
	int n;

	for (unsigned i = 0; i < depth; i++) {
		pieces[i] = (struct iovec){
			.iov_base = datagram(udp, peer->in, i),
			.iov_len = udp->opts->size_bytes,
		};
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(peer->fd, messages, depth, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct head head;

		if (!is_right(udp, peer, pieces[i].iov_base, messages[i].msg_len)) {
			udp->errors++;
			continue;
		}
		memcpy(&head, pieces[i].iov_base, sizeof(head));
		peer->is_out[head.slot] = false;
		peer->due[peer->due_count++] = (uint16_t)head.slot;
		udp->completed++;
	}
	return 0;
}

/* Nothing came: what is in flight is lost, and sent anew. */
static void give_up(struct udp *udp)
{
	for (unsigned i = 0; i < udp->opts->connection_count; i++) {
		struct peer *peer = &udp->peers[i];

		for (unsigned slot = 0; slot < udp->opts->depth_count; slot++) {
			if (!peer->is_out[slot])
				continue;
			udp->errors++;
			peer->is_out[slot] = false;
			peer->due[peer->due_count++] = (uint16_t)slot;
		}
	}
}

static int turn_until(struct udp *udp, int64_t end_ns, uint64_t completed_end)
{
	unsigned count = udp->opts->connection_count;
	struct pollfd polls[SOCKETS_MAX];

	for (unsigned i = 0; i < count; i++)
		polls[i] = (struct pollfd){ .fd = udp->peers[i].fd, .events = POLLIN };
	while (now_ns() < end_ns && udp->completed < completed_end) {
		int n;

		for (unsigned i = 0; i < count; i++)
			if (udp->peers[i].due_count > 0)
				send_due(udp, &udp->peers[i]);
		n = poll(polls, count, LOST_MS);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			give_up(udp);
		for (unsigned i = 0; i < count; i++) {
			int err = polls[i].revents != 0 ? take(udp, &udp->peers[i]) : 0;

			if (err < 0)
				return err;
		}
	}
	return 0;
}

static int peer_open(const struct udp *udp, struct peer *peer)
{
	const int bytes = 1 << 20;
	size_t memory = (size_t)udp->opts->depth_count * udp->opts->size_bytes;
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(udp->opts->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	peer->out = malloc(memory);
	peer->in = malloc(memory);
	if (peer->out == NULL || peer->in == NULL)
		return -ENOMEM;
	peer->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (peer->fd < 0)
		return -errno;
	if (setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) != 0)
		return -errno;
	if (connect(peer->fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0)
		return -errno;
	for (unsigned slot = 0; slot < udp->opts->depth_count; slot++)
		peer->due[peer->due_count++] = (uint16_t)slot;
	return 0;
}

static void close_all(struct udp *udp)
{
	for (unsigned i = 0; i < udp->opts->connection_count; i++) {
		if (udp->peers[i].fd >= 0)
			(void)close(udp->peers[i].fd);
		free(udp->peers[i].out);
		free(udp->peers[i].in);
	}
}

static int measure(struct udp *udp, struct load_result *result)
{
	const struct load_opts *opts = udp->opts;
	int64_t load_cpu_ns, begin_ns;
	uint64_t completed;
	int err = turn_until(udp, now_ns() + opts->warmup_ns, UINT64_MAX);

	if (err == 0)
		err = watch_server(opts->server_pid, &result->before);
	if (err < 0)
		return err;
	completed = udp->completed;
	load_cpu_ns = cpu_ns();
	begin_ns = now_ns();
	err = turn_until(udp, begin_ns + opts->window_ns,
		opts->exchange_limit > 0 ? completed + opts->exchange_limit : UINT64_MAX);
	if (err == 0)
		err = watch_server(opts->server_pid, &result->after);
	result->window_ns = now_ns() - begin_ns;
	result->load_cpu_ns = cpu_ns() - load_cpu_ns;
	result->completed = udp->completed - completed;
	result->errors = udp->errors;
	return err;
}

int udp_run(const struct load_opts *opts, struct load_result *ret_result)
{
	static struct udp udp;
	int err = 0;

	if (opts->connection_count > SOCKETS_MAX || opts->size_bytes < sizeof(struct head) ||
		opts->is_idle)
		return -EINVAL;
	udp.opts = opts;
	*ret_result = (struct load_result){ 0 };
	for (unsigned i = 0; i < opts->connection_count; i++)
		udp.peers[i].fd = -1;
	err = watch_server(opts->server_pid, &ret_result->unopened);
	for (unsigned i = 0; i < opts->connection_count && err == 0; i++)
		err = peer_open(&udp, &udp.peers[i]);
	if (err == 0)
		err = measure(&udp, ret_result);
	close_all(&udp);
	return err;
}
