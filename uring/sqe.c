// SPDX-License-Identifier: Apache-2.0
/* An operation as a submission entry. Most codes fill the same fields; the kernel knows them. */
#include "ring.h"

#include <endian.h>

static const uint8_t opcode_of[SOON__OP_CODES] = {
	[SOON__OP_READ] = IORING_OP_READ,
	[SOON__OP_READV] = IORING_OP_READV,
	[SOON__OP_WRITE] = IORING_OP_WRITE,
	[SOON__OP_WRITEV] = IORING_OP_WRITEV,
	[SOON__OP_RECV] = IORING_OP_RECV,
	[SOON__OP_SEND] = IORING_OP_SEND,
	[SOON__OP_SENDMSG] = IORING_OP_SENDMSG,
	[SOON__OP_RECVMSG] = IORING_OP_RECVMSG,
	[SOON__OP_ACCEPT] = IORING_OP_ACCEPT,
	[SOON__OP_CONNECT] = IORING_OP_CONNECT,
	[SOON__OP_FSYNC] = IORING_OP_FSYNC,
	[SOON__OP_POLL] = IORING_OP_POLL_ADD,
	[SOON__OP_CLOSE] = IORING_OP_CLOSE,
	[SOON__OP_OPENAT] = IORING_OP_OPENAT,
	[SOON__OP_STATX] = IORING_OP_STATX,
	[SOON__OP_UNLINKAT] = IORING_OP_UNLINKAT,
	[SOON__OP_ACCEPT_MULTI] = IORING_OP_ACCEPT,
	[SOON__OP_RECV_MULTI] = IORING_OP_RECV,
};

_Static_assert(SOON__FSYNC_DATA == IORING_FSYNC_DATASYNC, "flags pass unchanged");

/* Poll events stand in a 32 bit word whose halves the kernel swaps on big-endian machines. */
static uint32_t poll_events(uint32_t events)
{
#if __BYTE_ORDER == __BIG_ENDIAN
	return events << 16 | events >> 16;
#else
	return events;
#endif
}

void soon__sqe_encode(struct io_uring_sqe *sqe, const struct soon__op *op)
{
	*sqe = (struct io_uring_sqe){
		.opcode = opcode_of[op->code],
		.fd = op->fd,
		.off = op->off,
		.addr = (uint64_t)(uintptr_t)op->addr,
		.len = op->len,
		.rw_flags = (int)op->flags, /* of a union: each opcode's own flags */
	};
	if (op->code == SOON__OP_RECV_MULTI) {
		sqe->ioprio = IORING_RECV_MULTISHOT;
		sqe->flags = IOSQE_BUFFER_SELECT;
		sqe->buf_group = SOON__BUF_GROUP;
	} else if (op->code == SOON__OP_ACCEPT_MULTI) {
		sqe->ioprio = IORING_ACCEPT_MULTISHOT;
	} else if (op->code == SOON__OP_POLL) {
		sqe->poll32_events = poll_events(op->flags);
	}
}
