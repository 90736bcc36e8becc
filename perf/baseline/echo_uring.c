// SPDX-License-Identifier: Apache-2.0
/*
 * Baseline: the raw liburing echo loop. Multishot accept, multishot receive into a provided buffer
 * ring, sends straight out of the received buffer, one submit-and-wait per turn. It uses what
 * liburing 2.3 offers; the buffer ring is set up through the register call of that version.
 *
 * A connection's received buffers form a queue, of which only the first is being sent: two sends in
 * flight on one socket may be reordered. A buffer goes back to the ring when it has been sent. When
 * the ring runs dry the kernel ends multishot receives with ENOBUFS; those connections wait in a
 * list and are re-armed as soon as a buffer has come back.
 */
#include "../common/server.h"

#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SQ_COUNT    1024u
#define CQ_COUNT    8192u
#define BUF_COUNT   4096u /* a power of two */
#define BUF_BYTES   4096u
#define BUF_GROUP   1
#define BUF_NONE    UINT16_MAX
#define OPCODE_MASK UINT64_C(3) /* in user_data, below the alignment of struct conn */

enum { OP_ACCEPT = 0, OP_RECV = 1, OP_SEND = 2 };

/* A received buffer that is on its way out. */
struct buffer {
	uint32_t sent_bytes;
	uint32_t bytes;
	uint16_t next; /* the next buffer of the same connection, or BUF_NONE */
};

struct conn {
	int fd;
	uint16_t head; /* the buffer being sent, or BUF_NONE */
	uint16_t tail;
	bool is_receiving; /* a multishot receive is armed */
	bool is_closing;   /* the peer has gone; freed when nothing is in flight */
	struct conn *starved_next;
};

static struct io_uring ring;
static struct io_uring_buf_ring *buf_ring;
static char *buf_memory;
static struct buffer buffers[BUF_COUNT];
static struct conn *starved;

/* An SQE is always to be had: a full queue is submitted first. */
static struct io_uring_sqe *get_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	while (sqe == NULL) {
		int err = io_uring_submit(&ring);

		if (err < 0)
			server_die("io_uring_submit", err);
		sqe = io_uring_get_sqe(&ring);
	}
	return sqe;
}

static void set_data(struct io_uring_sqe *sqe, struct conn *conn, uint64_t opcode)
{
	sqe->user_data = (uint64_t)(uintptr_t)conn | opcode;
}

static void arm_accept(int listen_fd)
{
	struct io_uring_sqe *sqe = get_sqe();

	io_uring_prep_multishot_accept(sqe, listen_fd, NULL, NULL, SOCK_CLOEXEC);
	set_data(sqe, NULL, OP_ACCEPT);
}

static void arm_recv(struct conn *conn)
{
	struct io_uring_sqe *sqe = get_sqe();

	io_uring_prep_recv_multishot(sqe, conn->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUF_GROUP;
	set_data(sqe, conn, OP_RECV);
	conn->is_receiving = true;
}

static void send_head(struct conn *conn)
{
	struct buffer *buffer = &buffers[conn->head];
	const char *bytes = buf_memory + (size_t)conn->head * BUF_BYTES + buffer->sent_bytes;
	struct io_uring_sqe *sqe = get_sqe();

	io_uring_prep_send(sqe, conn->fd, bytes, buffer->bytes - buffer->sent_bytes, MSG_NOSIGNAL);
	set_data(sqe, conn, OP_SEND);
}

static void give_back(uint16_t index)
{
	io_uring_buf_ring_add(buf_ring, buf_memory + (size_t)index * BUF_BYTES, BUF_BYTES, index,
		(int)(BUF_COUNT - 1), 0);
	io_uring_buf_ring_advance(buf_ring, 1);
	while (starved != NULL) {
		struct conn *conn = starved;

		starved = conn->starved_next;
		arm_recv(conn);
	}
}

/* Ends a connection once neither a receive nor a send refers to it. */
static void close_if_quiet(struct conn *conn)
{
	if (!conn->is_closing || conn->is_receiving || conn->head != BUF_NONE)
		return;
	(void)close(conn->fd);
	free(conn);
}

static void on_accept(const struct io_uring_cqe *cqe, int listen_fd)
{
	const int on = 1;
	struct conn *conn;

	if ((cqe->flags & IORING_CQE_F_MORE) == 0)
		arm_accept(listen_fd);
	if (cqe->res < 0)
		return;
	(void)setsockopt(cqe->res, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn = calloc(1, sizeof(*conn));
	if (conn == NULL)
		server_die("calloc", -ENOMEM);
	conn->fd = cqe->res;
	conn->head = BUF_NONE;
	arm_recv(conn);
}

static void on_recv(struct conn *conn, const struct io_uring_cqe *cqe)
{
	uint16_t index;

	if ((cqe->flags & IORING_CQE_F_MORE) == 0)
		conn->is_receiving = false;
	if (cqe->res == -ENOBUFS) {
		conn->is_receiving = true; /* as good as armed: give_back will do it */
		conn->starved_next = starved;
		starved = conn;
		return;
	}
	if (cqe->res <= 0) {
		conn->is_closing = true;
		close_if_quiet(conn);
		return;
	}
	if (!conn->is_receiving)
		arm_recv(conn);
	index = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	buffers[index] = (struct buffer){ .bytes = (uint32_t)cqe->res, .next = BUF_NONE };
	if (conn->head == BUF_NONE) {
		conn->head = index;
		send_head(conn);
	} else {
		buffers[conn->tail].next = index;
	}
	conn->tail = index;
}

static void on_send(struct conn *conn, const struct io_uring_cqe *cqe)
{
	struct buffer *buffer = &buffers[conn->head];

	if (cqe->res > 0)
		buffer->sent_bytes += (uint32_t)cqe->res;
	if (cqe->res <= 0) {
		conn->is_closing = true;
		(void)shutdown(conn->fd, SHUT_RDWR); /* ends the receive, too */
		buffer->sent_bytes = buffer->bytes;
	}
	if (buffer->sent_bytes < buffer->bytes) {
		send_head(conn);
		return;
	}
	do {
		uint16_t index = conn->head;

		conn->head = buffers[index].next;
		give_back(index);
	} while (conn->is_closing && conn->head != BUF_NONE);
	if (conn->head != BUF_NONE)
		send_head(conn);
	close_if_quiet(conn);
}

static void serve(int listen_fd)
{
	arm_accept(listen_fd);
	for (;;) {
		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned count = 0;
		int err = io_uring_submit_and_wait(&ring, 1);

		if (err < 0 && err != -EINTR && err != -EBUSY)
			server_die("io_uring_submit_and_wait", err);
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			uint64_t opcode = cqe->user_data & OPCODE_MASK;
			struct conn *conn =
				(struct conn *)(uintptr_t)(cqe->user_data & ~OPCODE_MASK);

			if (opcode == OP_RECV)
				on_recv(conn, cqe);
			else if (opcode == OP_SEND)
				on_send(conn, cqe);
			else
				on_accept(cqe, listen_fd);
			count++;
		}
		io_uring_cq_advance(&ring, count);
	}
}

static void *map(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		server_die("mmap", -errno);
	return memory;
}

static void set_up(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
		.cq_entries = CQ_COUNT,
	};
	struct io_uring_buf_reg reg = { .ring_entries = BUF_COUNT, .bgid = BUF_GROUP };
	int err = io_uring_queue_init_params(SQ_COUNT, &ring, &params);

	if (err < 0)
		server_die("io_uring_queue_init_params", err);
	err = io_uring_register_ring_fd(&ring);
	if (err < 0)
		server_die("io_uring_register_ring_fd", err);
	buf_ring = map(BUF_COUNT * sizeof(struct io_uring_buf));
	buf_memory = map((size_t)BUF_COUNT * BUF_BYTES);
	reg.ring_addr = (uint64_t)(uintptr_t)buf_ring;
	err = io_uring_register_buf_ring(&ring, &reg, 0);
	if (err < 0)
		server_die("io_uring_register_buf_ring", err);
	io_uring_buf_ring_init(buf_ring);
	for (unsigned i = 0; i < BUF_COUNT; i++)
		give_back((uint16_t)i);
}

int main(int argc, char **argv)
{
	struct server_opts opts;

	server_parse(argc, argv, &opts);
	set_up();
	serve(server_listen(&opts));
}
