// SPDX-License-Identifier: Apache-2.0
/*
 * socket.h: the three engines under a server's sockets: accepting, receiving and sending, each with
 * the fewest kernel requests there can be. Streams and listeners are built on them; use those
 * unless you are building the like.
 *
 *   soon_acceptor   one request accepts connections for ever.
 *   soon_receiver   one request receives for ever, into buffers of the core that are lent as
 *                   chunks. A receiver that waits holds no buffer.
 *   soon_sender     starts a send and lets the caller go on; at most one is in flight.
 *
 * All three live in the caller's memory, which must stay where it is between init and fini, use a
 * descriptor that stays the caller's, and belong to the core that called init: calls elsewhere
 * give -EPERM, after a report, and ending them there aborts. fini waits until the kernel is through
 * with them, whatever happens; close the descriptor after it.
 *
 *	soon_receiver_init(&r, fd);
 *	while ((n = soon_receiver_next(&r, &chunk)) > 0) {
 *		use(chunk.ptr, chunk.len);
 *		soon_receiver_return(&r, chunk);
 *	}
 *	soon_receiver_fini(&r);
 */
#ifndef SOON_SOCKET_H
#define SOON_SOCKET_H

#include <soon/task.h>

#include <sys/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct soon_acceptor {
	uint64_t soon__opaque[40];
} soon_acceptor;

typedef struct soon_receiver {
	uint64_t soon__opaque[26];
} soon_receiver;

typedef struct soon_sender {
	uint64_t soon__opaque[34];
} soon_sender;

/*
 * Makes an acceptor of a listening socket. Nothing is asked of the kernel before the first
 * soon_acceptor_next.
 * Affinity: core. Suspends: never. Ownership: `fd` stays the caller's and must outlive fini.
 */
SOON_API void soon_acceptor_init(soon_acceptor *acceptor, int fd) SOON_ON_CORE;

/*
 * Has the taker of `leader` get the connections of `acceptor`, too, each in turn; nobody calls
 * soon_acceptor_next for `acceptor` itself any more. Stop and fini remain one call for each, the
 * leader's fini the last. A leader that has nobody waiting may get more at any time.
 * Affinity: core; both are of it. Suspends: never. Ownership: `leader` keeps `acceptor` until its
 * fini.
 */
SOON_API void soon_acceptor_join(soon_acceptor *acceptor, soon_acceptor *leader) SOON_ON_CORE;

/*
 * Gives the next connection, close-on-exec, in the order they came. Out of descriptors (-EMFILE,
 * -ENFILE) or kernel memory it waits and tries again, with a report: clients stay in the backlog.
 * A connection that broke before it was taken is passed over.
 * Affinity: core, in a task; one task at a time. Suspends: may. Cancel: cancellation point; no
 * connection is lost by it: the next call gives it, or fini closes it.
 * Returns: the descriptor, the caller's.
 * Errors: -ECANCELED. -EBUSY another task is waiting. -ESHUTDOWN after soon_acceptor_stop. -EBADF,
 * -EINVAL, -ENOTSOCK, -EOPNOTSUPP the socket does not listen (any more); those stay. -EPERM not in
 * a task.
 * Limits: 16 accepted ahead of the caller, then the kernel is asked to stop until they are taken.
 */
SOON_API SOON_NODISCARD int soon_acceptor_next(soon_acceptor *acceptor) SOON_SUSPENDS;

/*
 * Stops asking the kernel for connections and waits until it has stopped. What it had accepted by
 * then is given by further soon_acceptor_next calls, which do not wait any more; then -ESHUTDOWN.
 * Twice is harmless. No task may be waiting.
 * Affinity: core, in a task. Suspends: may. Cancel: not a cancellation point.
 */
SOON_API void soon_acceptor_stop(soon_acceptor *acceptor) SOON_SUSPENDS;

/*
 * Ends it: stops accepting, waits for the kernel, closes what nobody took. Twice is harmless.
 * Affinity: core, in a task. Suspends: may. Cancel: not a cancellation point. Null: allowed.
 */
SOON_API void soon_acceptor_fini(soon_acceptor *SOON_NULLABLE acceptor) SOON_SUSPENDS;

/* Makes a receiver of a stream socket. Otherwise as soon_acceptor_init. */
SOON_API void soon_receiver_init(soon_receiver *receiver, int fd) SOON_ON_CORE;

/*
 * Gives the next chunk of the stream, as it came. The receiver goes on receiving ahead of the
 * caller, up to a limit.
 * Affinity: core, in a task; one task at a time. Suspends: may, until a chunk is there.
 * Cancel: cancellation point; nothing is lost by it, the next call goes on where this one was.
 * Ownership: lends the chunk's memory until soon_receiver_return. It may be changed in place.
 * Returns: the chunk's length; 0 at the end of the stream, now and ever after.
 * Errors: -ECANCELED. -EBUSY another task is waiting. -EPERM not in a task. Otherwise those of
 * recv(2), after the chunks that came before: the stream is broken and the result stays.
 * Limits: 8 unread chunks, 64 KiB (fewer when the core runs short), then the peer has to wait.
 * Cost: no system call, no allocation.
 */
SOON_API SOON_NODISCARD ssize_t soon_receiver_next(soon_receiver *receiver, soon_slice *ret_chunk)
	SOON_SUSPENDS;

/*
 * As soon_receiver_next, if there is something to give without waiting.
 * Suspends: never. Cancel: not a cancellation point. Errors: -EAGAIN nothing is there yet.
 */
SOON_API SOON_NODISCARD ssize_t soon_receiver_try_next(
	soon_receiver *receiver, soon_slice *ret_chunk) SOON_ON_CORE;

/*
 * Returns a chunk's memory to the core; in any order, `chunk.ptr` anywhere in what was lent. Return
 * soon: what is not returned is missing for all other receivers of the core. A caller that has to
 * keep some bytes while it waits copies them.
 * Affinity: core. Suspends: never. An empty slice is ignored. Aborts on memory that is not lent.
 */
SOON_API void soon_receiver_return(soon_receiver *receiver, soon_slice chunk) SOON_ON_CORE;

/*
 * Ends it: stops receiving, waits for the kernel, drops what was not read. Lent chunks have to be
 * returned before. Twice is harmless.
 * Affinity: core, in a task. Suspends: may. Cancel: not a cancellation point. Null: allowed.
 */
SOON_API void soon_receiver_fini(soon_receiver *SOON_NULLABLE receiver) SOON_SUSPENDS;

/* Makes a sender of a stream socket. Otherwise as soon_acceptor_init. */
SOON_API void soon_sender_init(soon_sender *sender, int fd) SOON_ON_CORE;

/*
 * Starts sending all of a piece of memory and returns at once. MSG_NOSIGNAL is implied, partial
 * sends are continued.
 * Affinity: core. Suspends: never. Cancel: not a cancellation point.
 * Ownership: borrows `data` until the send has ended: soon_sender_is_busy is false,
 * soon_sender_wait returned other than -ECANCELED, or soon_sender_fini returned.
 * Returns: 0. Errors: -EBUSY one is in flight; `data` is not used. Otherwise that of an earlier
 * send: the stream is broken and the result stays.
 */
SOON_API SOON_NODISCARD int soon_sender_start(soon_sender *sender, const void *data, size_t len)
	SOON_ON_CORE;

/*
 * As soon_sender_start, for several pieces in order. The array is borrowed too, and its contents
 * are used up. Limits: 1024 pieces.
 */
SOON_API SOON_NODISCARD int soon_sender_startv(soon_sender *sender, struct iovec *iov, int count)
	SOON_ON_CORE;

/*
 * Names a function to be called whenever a send has ended, with 0 or the error: on the core's
 * thread, outside any task, never from within soon_sender_start. It may start the next send, and
 * soon_sender_wait then returns for the one that ended all the same.
 * Affinity: core. Suspends: never. Null: `fn` for none.
 */
typedef void (*soon_sender_fn)(soon_sender *sender, int rc);
SOON_API void soon_sender_on_end(soon_sender *sender, soon_sender_fn SOON_NULLABLE fn) SOON_ON_CORE;

/* Returns whether a send is in flight. Affinity: core. Suspends: never. */
SOON_API SOON_NODISCARD bool soon_sender_is_busy(const soon_sender *sender) SOON_ON_CORE;

/*
 * Has the end of a send in flight noticed at once. Without it, and without a wait, the end of one
 * that the kernel took at once is noticed with the next thing that happens on the core, which may
 * be much later: for whoever has more to send behind it.
 * Affinity: core. Suspends: never.
 */
SOON_API void soon_sender_hurry(soon_sender *sender) SOON_ON_CORE;

/*
 * Waits until no send is in flight.
 * Affinity: core, in a task; one task at a time. Suspends: may. Cancel: cancellation point; the
 * send goes on and its memory stays borrowed: end it with soon_sender_fini.
 * Returns: 0: all that was started has been handed to the kernel.
 * Errors: -ECANCELED. -EBUSY another task is waiting. -EPERM not in a task. Otherwise those of
 * send(2), -EPIPE among them: the stream is broken and the result stays.
 */
SOON_API SOON_NODISCARD int soon_sender_wait(soon_sender *sender) SOON_SUSPENDS;

/*
 * Cuts a send in flight short and waits for the kernel; the sender can be used on. The function of
 * soon_sender_on_end is not called for that send.
 * Affinity: core, in a task. Suspends: may. Cancel: not a cancellation point.
 * Returns: how many bytes of what was started last the kernel did not take, from its end.
 */
SOON_API size_t soon_sender_stop(soon_sender *sender) SOON_SUSPENDS;

/*
 * Ends it: cuts a send in flight short and waits for the kernel. Twice is harmless.
 * Affinity: core, in a task. Suspends: may. Cancel: not a cancellation point. Null: allowed.
 */
SOON_API void soon_sender_fini(soon_sender *SOON_NULLABLE sender) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
