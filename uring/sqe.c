// SPDX-License-Identifier: Apache-2.0
/* An operation as a submission entry. Most codes fill the same fields; the kernel knows them. */
#include "compat.h"
#include "ring.h"

#include <endian.h>

/* 0, which is IORING_OP_NOP: the kernel has none for it. */
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
	[SOON__OP_RENAMEAT] = IORING_OP_RENAMEAT,
	[SOON__OP_MKDIRAT] = IORING_OP_MKDIRAT,
	[SOON__OP_LINKAT] = IORING_OP_LINKAT,
	[SOON__OP_SYMLINKAT] = IORING_OP_SYMLINKAT,
	[SOON__OP_FTRUNCATE] = SOON__IORING_OP_FTRUNCATE,
	[SOON__OP_FALLOCATE] = IORING_OP_FALLOCATE,
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

_Static_assert(SOON__OP_CODES <= 64, "a bit for each");

#define PROBED_COUNT 64u

uint64_t soon__sqe_known(struct io_uring *ring)
{
	uint64_t room[(sizeof(struct io_uring_probe) +
			      PROBED_COUNT * sizeof(struct io_uring_probe_op)) /
		sizeof(uint64_t)] = { 0 };
	struct io_uring_probe *probe = (struct io_uring_probe *)(void *)room;
	bool is_told = io_uring_register_probe(ring, probe, PROBED_COUNT) >= 0;
	uint64_t known = 0;

	for (unsigned code = 0; code < SOON__OP_CODES; code++) {
		unsigned opcode = opcode_of[code];

		/* What does not tell has at least what the streams need, which is Linux 6.0. */
		if (opcode == IORING_OP_NOP || opcode >= PROBED_COUNT)
			continue;
		if (is_told ? (probe->ops[opcode].flags & IO_URING_OP_SUPPORTED) != 0
			    : opcode <= IORING_OP_SEND_ZC)
			known |= UINT64_C(1) << code;
	}
	return known;
}
