// SPDX-License-Identifier: Apache-2.0
/*
 * affinity.h: the processors that a thread may use, and binding threads to one of them.
 */
#ifndef CORE_AFFINITY_H
#define CORE_AFFINITY_H

#include <sched.h>
#include <stddef.h>

struct soon__affinity {
	cpu_set_t *set; /* NULL when it could not be read */
	size_t bytes;
	unsigned count; /* of its processors; 1 at least */
};

/* Reads the calling thread's; on failure it has one processor, and nobody is bound. */
void soon__affinity_read(struct soon__affinity *ret_affinity);
void soon__affinity_free(struct soon__affinity *affinity);

/* Binds the calling thread to the `index`-th of them, counted round from processor `from_cpu`. */
void soon__affinity_pin(const struct soon__affinity *affinity, int from_cpu, unsigned index);

/* Gives the calling thread all of them. */
void soon__affinity_unpin(const struct soon__affinity *affinity);

#endif
