// SPDX-License-Identifier: Apache-2.0
/*
 * stream.h: a connected byte stream over TCP or a unix socket.
 *
 * Reading gives what the kernel already delivered: a stream receives by itself while somebody
 * reads it, and stops when nobody takes the bytes (so TCP slows the sender down). Writing is
 * corked: small writes are gathered and leave as one when the task would wait for its next read,
 * when half of out_bytes_max is gathered, or on soon_stream_flush, _shutdown and _close. A program
 * that writes and then waits for anything else flushes first. While another task already waits in
 * a read of the same stream, writes leave at once.
 *
 *	char line[512];
 *	ssize_t n;
 *	while ((n = soon_stream_read_until(conn, "\n", line, sizeof line)) > 0)
 *		if ((n = soon_stream_write(conn, line, (size_t)n)) < 0)
 *			break;
 *
 * One task may read while another writes; a second reader, or a second writer, gets -EBUSY.
 * All calls: Affinity: the core that made the stream. Each that suspends is a cancellation point
 * even when it would not have to wait, and none of them loses a byte to a cancel.
 *
 * The write side remembers its first error (-ECONNRESET, -EPIPE, ...) and gives it to every later
 * write and flush. Reading goes on: bytes that arrived before a reset can still be read, then the
 * reader sees the error. No SIGPIPE is ever raised. An idle stream holds no buffer.
 */
#ifndef SOON_STREAM_H
#define SOON_STREAM_H

#include <soon/addr.h>
#include <soon/resolve.h>
#include <soon/time.h>

#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A write of at least this many bytes is sent from the caller's memory, without a copy. */
#define SOON_STREAM_DIRECT_BYTES 16384

/* The most slices of one soon_stream_writev. */
#define SOON_STREAM_SLICES_MAX 32

typedef SOON__HANDLE struct soon_stream soon_stream;

/* Zero means the default in every field. */
typedef struct soon_stream_opts {
	size_t in_bytes_max;  /* bytes that peek and read_until may gather; default 64 KiB */
	size_t out_bytes_max; /* bytes written and not yet taken by the kernel; default 64 KiB */
	bool nagle; /* TCP: let the kernel hold back small segments; default it does not */

	/* Of soon_dial only. */
	soon_ns attempt_delay; /* before the next address is tried, too; default 250 ms, min 10 */
	const soon_resolve_opts *resolve; /* how the name is looked up; lent to the call */
} soon_stream_opts;

/*
 * Connects to `where` (see <soon/addr.h> and <soon/resolve.h>). The addresses of a name are raced
 * as RFC 8305 says: both families in turn, the next one when attempt_delay is over or an attempt
 * has failed; none is given up while no other is connected. IPv4 addresses wait 50 ms at most for
 * IPv6 ones to be found. The message of the failure names each address and its cause, also where a
 * timeout was the end of it.
 * Suspends: always. Cancel: cancellation point; nothing is left open.
 * Null: `opts` for defaults. Ownership: returns owned, to be given to soon_stream_close/_abort.
 * Errors: those of soon_resolve. -ECONNREFUSED nobody listens. -EHOSTUNREACH, -ENETUNREACH,
 * -ETIMEDOUT, -EMFILE, -ENOMEM and others of connect(2): of several, the first that tells more than
 * that there is no route.
 * Limits: without a timeout around it, as long as the kernel tries, some 2 minutes an address.
 */
SOON_API SOON_NODISCARD int soon_dial(const char *where, const soon_stream_opts *SOON_NULLABLE opts,
	soon_stream **ret_stream) SOON_SUSPENDS;

/*
 * Makes a stream of a connected socket, such as one end of socketpair(2).
 * Suspends: never. Null: `opts`. Ownership: takes `fd` on success, which nobody else may read,
 * write or close from then on; returns owned.
 * Errors: -ENOMEM. -EPERM not on a core.
 */
SOON_API SOON_NODISCARD int soon_stream_adopt(
	int fd, const soon_stream_opts *SOON_NULLABLE opts, soon_stream **ret_stream) SOON_ON_CORE;

/*
 * Reads what is there, at most `bytes`, and waits only when there is nothing.
 * Suspends: until a byte, the end or an error arrives. Cancel: cancellation point; nothing taken.
 * Returns: the count; 0 at the end of the stream, or when `bytes` is 0.
 * Errors: -ECANCELED. -EBUSY another task reads. -ECONNRESET the peer aborted. -ENOMEM.
 */
SOON_API SOON_NODISCARD ssize_t soon_stream_read(soon_stream *stream, void *buf, size_t bytes)
	SOON_SUSPENDS;

/*
 * Reads up to and with the next `delim`, a text of 1 to 8 bytes such as "\n" or "\r\n".
 * Cancel: cancellation point; nothing taken. Returns: the count, the delimiter included; 0 at the
 * end of the stream.
 * Errors: those of soon_stream_read. -EMSGSIZE no delimiter in the first `bytes` bytes. -EBADMSG
 * the stream ended without one. In both cases everything stays there for another call.
 * Limits: `bytes` up to in_bytes_max count, the rest of `bytes` is not used.
 */
SOON_API SOON_NODISCARD ssize_t soon_stream_read_until(
	soon_stream *stream, const char *delim, char *buf, size_t bytes) SOON_SUSPENDS;

/*
 * Reads exactly `bytes` bytes.
 * Cancel: cancellation point; `*ret_done` bytes are in `buf` already, on every return.
 * Null: `ret_done`. Returns: `bytes`; 0 when the stream had ended before the first byte.
 * Errors: those of soon_stream_read. -EBADMSG the stream ended in between.
 */
SOON_API SOON_NODISCARD ssize_t soon_stream_read_exact(
	soon_stream *stream, void *buf, size_t bytes, size_t *SOON_NULLABLE ret_done) SOON_SUSPENDS;

/*
 * Shows what has arrived, at least `min` bytes in one piece, without taking it. With `min` 0 it
 * does not wait and may show nothing.
 * Suspends: until `min` bytes are there. Cancel: cancellation point; nothing taken.
 * Ownership: the slice is borrowed until the next call that reads this stream, or its close;
 * soon_stream_consume keeps what it leaves valid.
 * Returns: the slice's length; 0 when the stream ended first, the slice then holds what is left.
 * Errors: those of soon_stream_read. -EMSGSIZE `min` is more than in_bytes_max.
 */
SOON_API SOON_NODISCARD ssize_t soon_stream_peek(
	soon_stream *stream, size_t min, soon_slice *ret_slice) SOON_SUSPENDS;

/* Takes `bytes` of what the last peek showed; more aborts. Suspends: never. */
SOON_API void soon_stream_consume(soon_stream *stream, size_t bytes) SOON_ON_CORE;

/*
 * Writes all of `buf`. Less than SOON_STREAM_DIRECT_BYTES are copied and leave later, see above;
 * more are sent at once, from `buf`, after what was gathered before.
 * Suspends: while out_bytes_max would be exceeded; a direct write until the kernel took all.
 * Cancel: cancellation point. Copied: all or nothing. Direct: soon_stream_written() tells how much
 * was taken, and writing may be resumed there.
 * Returns: `bytes`.
 * Errors: -ECANCELED. -EBUSY another task writes. -EPIPE after soon_stream_shutdown, or the peer
 * takes no more. -ECONNRESET the peer aborted. -ENOMEM. The first error of an earlier send.
 */
SOON_API SOON_NODISCARD ssize_t soon_stream_write(
	soon_stream *stream, const void *buf, size_t bytes) SOON_SUSPENDS;

/*
 * Writes the pieces of `iov` as one. Otherwise as soon_stream_write, also in what is copied.
 * Errors: -EINVAL more than SOON_STREAM_SLICES_MAX pieces.
 */
SOON_API SOON_NODISCARD ssize_t soon_stream_writev(
	soon_stream *stream, const struct iovec *iov, int count) SOON_SUSPENDS;

/*
 * Gives room for `bytes` bytes to be filled in place, then soon_stream_commit() writes them.
 * Suspends: while out_bytes_max would be exceeded. Cancel: cancellation point.
 * Ownership: the room is borrowed until the commit, before which nothing else may be written.
 * Errors: those of soon_stream_write. -EMSGSIZE more than out_bytes_max.
 */
SOON_API SOON_NODISCARD int soon_stream_reserve(soon_stream *stream, size_t bytes, char **ret_room)
	SOON_SUSPENDS;

/* Writes the first `bytes` of the reserved room; 0 writes nothing. Suspends: never. */
SOON_API void soon_stream_commit(soon_stream *stream, size_t bytes) SOON_ON_CORE;

/*
 * Writes `count` bytes of a file from `offset` on, or all that follow if it is SIZE_MAX, in order
 * behind what was written before. Through memory, so to any kind of stream, also an encrypted one.
 * Suspends: always. Cancel: cancellation point; soon_stream_written() tells how much was taken, and
 * sending may be resumed there.
 * Null: `ret_done` when the count at a failure is not wanted; otherwise it is set on every return.
 * Returns: the bytes written; fewer than `count` only where the file ended. Less than
 * SOON_STREAM_DIRECT_BYTES may still be gathered.
 * Errors: those of soon_stream_write(), and of pread(2). -EINVAL `offset` is negative. -ESPIPE
 * `in_fd` is a pipe or a socket. -ENOMEM.
 */
SOON_API SOON_NODISCARD ssize_t soon_stream_sendfile(soon_stream *stream, int in_fd, off_t offset,
	size_t count, size_t *SOON_NULLABLE ret_done) SOON_SUSPENDS;

/*
 * Sends what was gathered and waits until the kernel took all of it.
 * Cancel: cancellation point; what was not sent stays gathered and goes on being sent.
 * Errors: those of soon_stream_write.
 */
SOON_API SOON_NODISCARD int soon_stream_flush(soon_stream *stream) SOON_SUSPENDS;

/*
 * Flushes, then tells the peer that no more bytes come; reading goes on.
 * Cancel: as soon_stream_flush; the shutdown then did not happen.
 * Errors: those of soon_stream_flush. -ENOTCONN.
 */
SOON_API SOON_NODISCARD int soon_stream_shutdown(soon_stream *stream) SOON_SUSPENDS;

/*
 * Flushes and closes. The flush obeys the caller's scope; the closing happens in every case. When
 * a cancel leaves no time to flush, what the kernel takes at once is still sent. Input that was
 * not read makes TCP close with a reset.
 * Suspends: may. Cancel: a cancel ends the flush, not the closing. No task may be in a call of
 * this stream. Ownership: takes `stream`. Null: `stream`: nothing happens.
 * Errors: of the flush: bytes may be lost. -ECANCELED in that case too.
 */
SOON_API int soon_stream_close(soon_stream *SOON_NULLABLE stream) SOON_SUSPENDS;

/*
 * Throws away what was gathered and closes with a reset, so that the peer sees an error and not
 * an end. Suspends: may. Cancel: not a cancellation point. Otherwise as soon_stream_close.
 */
SOON_API void soon_stream_abort(soon_stream *SOON_NULLABLE stream) SOON_SUSPENDS;

/* Closes `stream` on every way out of the block. */
#define SOON_STREAM_OWN(stream)                                                                    \
	soon_stream *soon__own_##stream __attribute__((cleanup(soon__stream_left), unused)) =      \
		(stream)
SOON_API void soon__stream_left(soon_stream **stream) SOON_SUSPENDS;

/*
 * Returns the socket, for options and names; -1 when the stream has none.
 * Suspends: never. Ownership: returns borrowed.
 */
SOON_API int soon_stream_fd(const soon_stream *stream);

/*
 * Reads the peer's address.
 * Suspends: never. Errors: -ENOTCONN the peer is gone. -ENOTSOCK the stream has no socket.
 * Cost: one system call.
 */
SOON_API SOON_NODISCARD int soon_stream_peer(const soon_stream *stream, soon_addr *ret_addr);

/* Returns how many bytes writes have taken since the stream was made. Suspends: never. */
SOON_API uint64_t soon_stream_written(const soon_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
