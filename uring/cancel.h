// SPDX-License-Identifier: Apache-2.0
/*
 * cancel.h: ending all operations on a descriptor before it is closed. A descriptor's number is
 * free for others from the close on, but the kernel would go on with operations that were started
 * before: they hold the open file, and would still write into their buffers.
 */
#ifndef URING_CANCEL_H
#define URING_CANCEL_H

#include "core/spi/list.h"
#include "core/spi/park.h"

/* One soon_close() that waits; in its frame. */
struct soon__closer {
	struct soon__wait wait;
	unsigned pending; /* operations whose `closer` this is and that have not ended */
	bool is_parked;
};

struct soon__io;

/* Any descriptor, for soon__cancel_bucket. */
#define SOON__ANY_FD INT32_MIN

/* Asks for the end of all operations on `fd` among those of its bucket, on behalf of `closer`. */
void soon__cancel_bucket(
	struct soon__io *io, struct soon__list *bucket, int fd, struct soon__closer *closer);

/* One of them has ended. */
void soon__closer_op_ended(struct soon__closer *closer);

#endif
