// SPDX-License-Identifier: Apache-2.0
/*
 * io.h: POSIX input and output that parks the task instead of blocking the thread.
 *
 * The names, arguments and results are those of the system calls, with two differences: a failure
 * is a negative errno, and a call inside a cancelled scope fails with -ECANCELED. A deadline comes
 * from the scope around the call:
 *
 *	ssize_t n = soon_within(SOON_S(5), soon_read(fd, buf, sizeof buf));
 *	if (n == -ETIMEDOUT)
 *		...
 *
 * What holds for every call here, unless its comment says otherwise:
 *   Affinity: core, in a task. Suspends: always. Cancel: cancellation point; cancelled before the
 *   kernel was asked, nothing has happened; an operation that completed although a cancel was asked
 *   for gives its real result, and the next call fails.
 *   Ownership: memory passed in is lent until the return; a descriptor stays the caller's.
 *   Errors: -ECANCELED the scope is cancelled. -EBADF not a descriptor, or soon_close() was called
 *   on it meanwhile. -EPERM not in a task. -EOPNOTSUPP this run has no I/O back end. -EIO the
 *   kernel ended the operation for no reason we know (with a report). Otherwise those of the system
 *   call, but never -EINTR, and -EAGAIN only from a file that cannot be polled and is O_NONBLOCK.
 *   Limits: one call moves at most 2 GiB - 4 KiB, as the system calls do.
 *   Cost: no system call of its own (the scheduler submits all of a pass at once), no allocation;
 *   a read or write at the descriptor's position asks for that first on io_uring, by lseek(2).
 *   Several tasks may use one descriptor at a time; the order among them is the kernel's.
 */
#ifndef SOON_IO_H
#define SOON_IO_H

#include <soon/task.h>

#include <sys/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Tells which back end the calling core's input and output goes through, and why that one.
 * Affinity: core. Suspends: never. Null: `ret_why` when the reason is not wanted; it is a static
 * text, such as "io_uring is forbidden here (EPERM)".
 * Returns: SOON_IO_URING or SOON_IO_EPOLL; SOON_IO_AUTO on a thread without a core, and in a run
 * without a back end.
 */
SOON_API soon_io soon_io_backend(const char **SOON_NULLABLE ret_why) SOON_ANY_THREAD;

/*
 * Reads what is there, at most `len` bytes, from the descriptor's position on.
 * Returns: the number of bytes; 0 at the end of the stream or file. See: read(2).
 */
SOON_API SOON_NODISCARD ssize_t soon_read(int fd, void *buf, size_t len) SOON_SUSPENDS;

/* As soon_read, into `count` pieces of memory, at most 1024 (-EINVAL). See: readv(2). */
SOON_API SOON_NODISCARD ssize_t soon_readv(int fd, const struct iovec *iov, int count)
	SOON_SUSPENDS;

/*
 * As soon_read, from `offset`; the descriptor's position stays. A negative one is -EINVAL. Other
 * than the system call it does not fail on a pipe or socket but reads on. See: pread(2).
 */
SOON_API SOON_NODISCARD ssize_t soon_pread(int fd, void *buf, size_t len, off_t offset)
	SOON_SUSPENDS;

/*
 * Writes at most `len` bytes at the descriptor's position.
 * Returns: the number of bytes, which may be fewer than `len`. A broken pipe or socket raises
 * SIGPIPE unless that is ignored; soon_send never does. See: write(2).
 */
SOON_API SOON_NODISCARD ssize_t soon_write(int fd, const void *buf, size_t len) SOON_SUSPENDS;

/* As soon_write, from `count` pieces of memory. See: writev(2). */
SOON_API SOON_NODISCARD ssize_t soon_writev(int fd, const struct iovec *iov, int count)
	SOON_SUSPENDS;

/* As soon_write, at `offset`; otherwise as soon_pread. See: pwrite(2). */
SOON_API SOON_NODISCARD ssize_t soon_pwrite(int fd, const void *buf, size_t len, off_t offset)
	SOON_SUSPENDS;

/*
 * Reads until `len` bytes are there or the stream ends.
 * Cancel: cancellation point; `*ret_done` bytes have been read by then.
 * Null: `ret_done` when the count at a failure is not wanted; otherwise it is set on every return.
 * Returns: the number of bytes, below `len` only at the end of the stream.
 */
SOON_API SOON_NODISCARD ssize_t soon_read_full(
	int fd, void *buf, size_t len, size_t *SOON_NULLABLE ret_done) SOON_SUSPENDS;

/* Writes all `len` bytes. Otherwise as soon_read_full. Returns: `len`. */
SOON_API SOON_NODISCARD ssize_t soon_write_full(
	int fd, const void *buf, size_t len, size_t *SOON_NULLABLE ret_done) SOON_SUSPENDS;

/* Receives from a socket. Returns: as soon_read. See: recv(2). */
SOON_API SOON_NODISCARD ssize_t soon_recv(int fd, void *buf, size_t len, int flags) SOON_SUSPENDS;

/*
 * Sends on a socket; MSG_NOSIGNAL is implied. Returns: as soon_write. With MSG_WAITALL a stream
 * socket takes all or gives an error or, after a failure half-way, the part. See: send(2).
 */
SOON_API SOON_NODISCARD ssize_t soon_send(int fd, const void *buf, size_t len, int flags)
	SOON_SUSPENDS;

/*
 * Receives one message, or what is there of a stream, with the sender's address and what came
 * beside it; MSG_CMSG_CLOEXEC is implied. A cancel never loses a message, nor a descriptor in it.
 * With MSG_ERRQUEUE it does not wait.
 * Returns: as soon_recv; a message longer than its memory is cut, and MSG_TRUNC in msg_flags says
 * so. Errors: -EOPNOTSUPP MSG_WAITALL. See: recvmsg(2), cmsg(3); soon_recv_fds for descriptors.
 */
SOON_API SOON_NODISCARD ssize_t soon_recvmsg(int fd, struct msghdr *msg, int flags) SOON_SUSPENDS;

/*
 * Sends one message, to the address in it or to the peer; MSG_NOSIGNAL is implied. It also waits
 * for the queue of a local receiver that the socket is not connected to.
 * Returns: as soon_send. Errors: -EOPNOTSUPP MSG_WAITALL. -EMSGSIZE too long for one message. See:
 * sendmsg(2).
 */
SOON_API SOON_NODISCARD ssize_t soon_sendmsg(int fd, const struct msghdr *msg, int flags)
	SOON_SUSPENDS;

/*
 * As soon_recvmsg, without what came beside it.
 * Null: `addr` and `addr_len` when the sender's address is not wanted. See: recvfrom(2).
 */
SOON_API SOON_NODISCARD ssize_t soon_recvfrom(int fd, void *buf, size_t len, int flags,
	struct sockaddr *SOON_NULLABLE addr, socklen_t *SOON_NULLABLE addr_len) SOON_SUSPENDS;

/* As soon_sendmsg, of one piece. Null: `addr` for the peer. See: sendto(2). */
SOON_API SOON_NODISCARD ssize_t soon_sendto(int fd, const void *buf, size_t len, int flags,
	const struct sockaddr *SOON_NULLABLE addr, socklen_t addr_len) SOON_SUSPENDS;

/*
 * Takes one connection from a listening socket; SOCK_CLOEXEC is implied. For a server's accept
 * loop soon_acceptor is cheaper.
 * Null: `addr` and `addr_len` when the peer's address is not wanted.
 * Returns: the new descriptor, the caller's. A cancel never loses one. See: accept4(2).
 */
SOON_API SOON_NODISCARD int soon_accept(int fd, struct sockaddr *SOON_NULLABLE addr,
	socklen_t *SOON_NULLABLE addr_len, int flags) SOON_SUSPENDS;

/*
 * Connects a socket. After a cancel or failure the socket's state is unknown: close it.
 * Returns: 0. Errors: -ETIMEDOUT also when the network gave up. See: connect(2).
 */
SOON_API SOON_NODISCARD int soon_connect(int fd, const struct sockaddr *addr, socklen_t addr_len)
	SOON_SUSPENDS;

/*
 * Makes a pipe, [0] to read from and [1] to write to; O_CLOEXEC is implied, `flags` are others of
 * pipe2(2). Both are the caller's, for soon_read(), soon_write() and soon_close(). A write to a
 * pipe that nobody reads raises SIGPIPE, which ends the process: who writes to pipes ignores it
 * (signal(SIGPIPE, SIG_IGN)) and gets -EPIPE.
 * Affinity: core. Suspends: never. Returns: 0. Errors: -EMFILE, -ENFILE. -EINVAL flags.
 */
SOON_API SOON_NODISCARD int soon_pipe(int ret_fds[2], int flags) SOON_ON_CORE;

/* Flushes a file to its device; with `only_data` as fdatasync(2). Returns: 0. See: fsync(2). */
SOON_API SOON_NODISCARD int soon_fsync(int fd, bool only_data) SOON_SUSPENDS;

/*
 * Waits until one of `events` (POLLIN, POLLOUT, ...) holds for the descriptor.
 * Returns: those that hold; POLLERR, POLLHUP and POLLRDHUP also unasked. See: poll(2).
 */
SOON_API SOON_NODISCARD int soon_poll_fd(int fd, unsigned events) SOON_SUSPENDS;

/*
 * Ends what other tasks have in flight on the descriptor, with -EBADF for them, waits until the
 * kernel is through with their memory, and closes it: always, also in a cancelled scope. A plain
 * close(2) would leave those operations running.
 * Affinity: core, in a task; elsewhere on a core's thread it closes without waiting, and aborts if
 * an operation is in flight. Suspends: may. Cancel: not a cancellation point.
 * Returns: 0. Errors: -EBADF not a descriptor, or another task is closing it; others of close(2),
 * after which it is closed too.
 */
SOON_API int soon_close(int fd) SOON_SUSPENDS;

/*
 * Has the leak report of a run that debugs leaks (see debug.h) tell of `fd`, as `what`, unless it
 * is closed before. What soon's own calls open is told of without this. Nothing in other runs.
 * Affinity: core. Suspends: never. Ownership: `what` is static.
 */
SOON_API void soon_fd_track(int fd, const char *what) SOON_ON_CORE;

#ifdef __cplusplus
}
#endif

#endif
