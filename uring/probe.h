// SPDX-License-Identifier: Apache-2.0
/*
 * probe.h: getting a ring from this kernel, and finding out by trying what it can do. Version
 * numbers tell little: distributions patch, containers forbid.
 */
#ifndef URING_PROBE_H
#define URING_PROBE_H

#include <soon/base.h>

#include <liburing.h>
#include <stdbool.h>

/*
 * Makes a ring with the best flags that this kernel takes and that let a request through, out of
 * those in `allowed` (IORING_SETUP_ bits).
 * Errors: -ENOSYS, -EPERM, -EACCES and -EOPNOTSUPP: there is no io_uring here. Others are
 * shortages.
 */
int soon__probe_open(
	unsigned sq_count, unsigned cq_count, unsigned allowed, struct io_uring *ret_ring);

/* Whether `rc` says that there is no io_uring to be had here, as opposed to a shortage. */
bool soon__probe_is_refusal(int rc);

/*
 * Files a report that says what to change so that the set-up of `what`, a back end, does not fail
 * with `rc` again. With `has_other` a refusal is no warning, but says that epoll stands in.
 */
SOON_COLD void soon__probe_report(int rc, const char *what, bool has_other);

/*
 * Whether a ring receives for ever into the provided buffers of `group`, which has some, and
 * goes on after. Returns: the buffer it used. Errors: -EOPNOTSUPP it does not, with a report.
 */
int soon__probe_streams(struct io_uring *ring, unsigned group, bool has_other);

/*
 * Whether a send that must not wait and posts no completion when all was sent behaves so: posts
 * one when it was not all, and none when it was.
 */
bool soon__probe_try(struct io_uring *ring);

/*
 * Whether one request accepts connection after connection. It stays in flight: no more than the end
 * of the ring may come after this.
 */
bool soon__probe_accept(struct io_uring *ring);

#endif
