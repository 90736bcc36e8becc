// SPDX-License-Identifier: Apache-2.0
/*
 * procpool_wire.h: what a pool and its workers say to each other, private to net/.
 *
 * Each message is a head and its bytes, on a stream socket. A worker says HELLO once, with the hash
 * of its table, then answers each CALL with one REPLY. The parent believes nothing: a head has to
 * have its mark, its sum, and the number of the call that it answers, and the length has to fit
 * what the caller has room for. Both ends are the same build, or the hello says otherwise, so no
 * byte order is fixed.
 */
#ifndef NET_PROCPOOL_WIRE_H
#define NET_PROCPOOL_WIRE_H

#include <soon/procpool.h>

#include "hash.h"

/* How a worker is told what it is: by argv[1]. Its socket is this descriptor. */
#define SOON__WORKER_MARK "--soon-procpool-worker"
#define SOON__WORKER_FD   3

#define SOON__WIRE_MAGIC   0x6e6f6f73u /* "soon" */
#define SOON__WIRE_VERSION 1u

enum soon__wire_kind {
	SOON__WIRE_HELLO = 1,
	SOON__WIRE_CALL,
	SOON__WIRE_REPLY,
};

struct soon__wire_head {
	uint32_t magic;
	uint16_t version;
	uint16_t kind;
	uint64_t number; /* of the call; of HELLO: the table's hash */
	uint64_t len;    /* of the bytes that follow */
	uint64_t room;   /* CALL: at most as many come back */
	int32_t rc;      /* REPLY: what the function returned */
	uint32_t index;  /* CALL: the function's place in the table */
	uint64_t sum;    /* of all that is before */
};
_Static_assert(sizeof(struct soon__wire_head) == 48, "what is summed has no padding");

static inline uint64_t soon__wire_sum(const struct soon__wire_head *head)
{
	return soon__hash(SOON__HASH_FIRST, head, offsetof(struct soon__wire_head, sum));
}

static inline void soon__wire_seal(struct soon__wire_head *head, enum soon__wire_kind kind)
{
	head->magic = SOON__WIRE_MAGIC;
	head->version = SOON__WIRE_VERSION;
	head->kind = (uint16_t)kind;
	head->sum = soon__wire_sum(head);
}

static inline bool soon__wire_is_sound(
	const struct soon__wire_head *head, enum soon__wire_kind kind)
{
	return head->magic == SOON__WIRE_MAGIC && head->version == SOON__WIRE_VERSION &&
		head->kind == (uint16_t)kind && head->sum == soon__wire_sum(head);
}

/* The table that soon_procpool_worker() was given, NULL before. */
const soon_procpool_entry *soon__procpool_table(void);

/* Of the names and their order. */
uint64_t soon__procpool_table_hash(const soon_procpool_entry *table);

#endif
