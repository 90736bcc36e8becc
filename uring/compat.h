// SPDX-License-Identifier: Apache-2.0
/*
 * compat.h: what newer kernels offer and the oldest supported liburing (2.3) does not name. Each is
 * used only after the running kernel showed that it knows it; the number is the first release.
 */
#ifndef URING_COMPAT_H
#define URING_COMPAT_H

#include <liburing.h>

/* 6.15: a ring that waits does not count as I/O wait, so an idle service shows no load. */
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif

/* 6.9. An enumerator in the headers that have it. */
#define SOON__IORING_OP_FTRUNCATE 55

#endif
