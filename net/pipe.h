// SPDX-License-Identifier: Apache-2.0
/* pipe.h: streams over one end of a pipe, private to net/. */
#ifndef NET_PIPE_H
#define NET_PIPE_H

#include <soon/stream.h>

/*
 * Makes a stream of our end of a pipe, which reads or writes only; the other calls give -EBADF.
 * Affinity: core. Suspends: never. Null: `opts`. Ownership: takes `fd` on success; it must be
 * O_NONBLOCK, which does not concern the other end.
 * Errors: -ENOMEM. -EPERM not on a core.
 */
SOON_NODISCARD int soon__pipe_stream(int fd, bool is_writer,
	const soon_stream_opts *SOON_NULLABLE opts, soon_stream **ret_stream) SOON_ON_CORE;

#endif
