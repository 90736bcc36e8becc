// SPDX-License-Identifier: Apache-2.0
/* tuning.h: for the tests: how small and how poor a back end can be. */
#ifndef URING_TUNING_H
#define URING_TUNING_H

#include <stdbool.h>
#include <stdint.h>

/* Zero means the default in every field. */
struct soon__ring_tuning {
	unsigned sq_count;
	unsigned cq_count;
	unsigned setup_flags_off; /* IORING_SETUP_ flags the kernel is taken not to know */
	unsigned buf_count;       /* of the receive buffers, in both back ends */
	unsigned buf_goal;
	bool try_off;
	unsigned cancels_after_reports; /* none reach the ring before so many at the end */
	bool epoll_pwait2_off; /* as before Linux 5.11, or in a sandbox that does not know it */
	uint64_t ops_off;      /* a bit for each soon__op_code that the ring is taken not to know */
	bool nowait_off;       /* no file takes RWF_NOWAIT */
};

extern struct soon__ring_tuning soon__ring_tuning;

#define SOON__BUF_COUNT 8192u

#endif
