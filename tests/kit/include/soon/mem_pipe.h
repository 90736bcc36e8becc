// SPDX-License-Identifier: Apache-2.0
/*
 * mem_pipe.h: two connected streams in memory, without a descriptor or a kernel.
 *
 * Every call of <soon/stream.h> works on both ends, so a handler of connections is tested as it is.
 * Nothing is ever in flight at the kernel, so a virtual clock jumps over timeouts, and a run is a
 * function of its seed. The options make the connection as bad as a real one can be.
 *
 *	soon_stream *client, *server;
 *	int rc = soon_mem_pipe(NULL, &client, &server);
 *	rc = soon_spawn(&g, handle_connection, server);
 *	n = soon_stream_write(client, "ping\n", 5);
 *	n = soon_stream_read_until(client, "\n", line, sizeof line);
 *
 * Two tasks at once on one side of an end get -EBUSY, as on a socket, and here also a report of
 * level ERROR. soon_stream_fd() gives -1.
 */
#ifndef SOON_MEM_PIPE_H
#define SOON_MEM_PIPE_H

#include <soon/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Called with bytes at one end of a pipe, on the core's thread, in the task that moves them or
 * outside of tasks; may not suspend and may not use the pipe.
 */
typedef int (*soon_mem_hook)(soon_stream *end, soon_slice bytes, void *data);

/* Zero means the default in every field. */
typedef struct soon_mem_pipe_opts {
	size_t limit;     /* bytes on their way in each direction; default 64 KiB */
	size_t read_max;  /* an arrival shows at most so many bytes; default what there is */
	size_t write_max; /* a send is taken in pieces of at most so many bytes; default all */
	uint64_t seed;    /* not 0: both are random, from 1 to the given, at every step */
	bool is_lockstep; /* bytes move only while the other end waits for them */
	bool is_pumped;   /* bytes arrive by soon_mem_pipe_pump() only */

	/* Before bytes of a send are taken; a negative result fails the send for good. */
	soon_mem_hook before_send;

	/* After bytes were given to a reader; the result is not used. */
	soon_mem_hook after_receive;
	void *data;              /* for both */
	soon_stream_opts stream; /* of both ends */
} soon_mem_pipe_opts;

/*
 * Makes two streams, each of which reads what is written to the other.
 * Affinity: core. Suspends: never. Null: `opts` for defaults. Ownership: returns both owned, to be
 * closed like any stream, in any order; the second close frees the pipe.
 * Errors: -ENOMEM. -EPERM not on a core.
 */
SOON_NODISCARD int soon_mem_pipe(const soon_mem_pipe_opts *SOON_NULLABLE opts,
	soon_stream **ret_one, soon_stream **ret_other) SOON_ON_CORE;

/*
 * Lets `bytes` more of what is on its way to `end` arrive there, of a pipe with is_pumped.
 * Affinity: core. Suspends: never. Returns: how many there were. SIZE_MAX: all.
 */
size_t soon_mem_pipe_pump(soon_stream *end, size_t bytes) SOON_ON_CORE;

/*
 * Breaks the connection when `end` has read `bytes` more, 0: now. From then on both directions give
 * `rc`, a negative errno such as -ECONNRESET, at both ends; what had arrived by then can still be
 * read, except at `end` behind those `bytes`.
 * Affinity: core. Suspends: never.
 */
void soon_mem_pipe_break(soon_stream *end, size_t bytes, int rc) SOON_ON_CORE;

/* Returns how many bytes are on their way to `end` and not read. Affinity: core. */
size_t soon_mem_pipe_pending(const soon_stream *end) SOON_ON_CORE;

#ifdef __cplusplus
}
#endif

#endif
