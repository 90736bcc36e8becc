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

#define SOON__OPS_NAMES_BYTES 256 /* cut beyond: a count says how many */

/* Lists all that is in flight as text, for reports. */
void soon__ops_name(struct soon__io *io, char names[static SOON__OPS_NAMES_BYTES]);

/*
 * For a back end that stops: says in a report what is left in flight, and asks for the end of all
 * of it, on behalf of `closer`, which has to outlive them. What waits for a buffer is forgotten:
 * the kernel was not asked.
 */
void soon__cancel_all(struct soon__io *io, struct soon__closer *closer);

/* One of them has ended. */
void soon__closer_op_ended(struct soon__closer *closer);

#endif
