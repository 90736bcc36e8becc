// SPDX-License-Identifier: Apache-2.0
/*
 * unix.h: what only unix sockets do: carry descriptors, and tell who the peer is.
 *
 *	int fds[1];
 *	unsigned count;
 *	ssize_t n = soon_recv_fds(sock, buf, sizeof buf, fds, 1, &count);
 *
 * They work on the descriptor of a socket. On a stream's (soon_stream_fd) descriptors can be sent
 * after a flush; they can be received as long as nothing was read by the stream, which reads ahead
 * and knows bytes only. The like holds for soon_dgram_fd.
 */
#ifndef SOON_UNIX_H
#define SOON_UNIX_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most descriptors of one message: the kernel's limit. */
#define SOON_FDS_MAX 253

/*
 * Sends `len` bytes, at least one, and with the first of them copies of `count` descriptors.
 * Suspends: until there is room. Cancel: cancellation point; all were sent, or none.
 * Ownership: the descriptors stay the caller's, and may be closed after the return.
 * Returns: how many bytes were taken, on a stream socket maybe fewer than `len`; the rest is sent
 * without descriptors.
 * Errors: with a message: -EINVAL no bytes, which a stream socket would drop the descriptors for;
 * or more than SOON_FDS_MAX. -EBADF one of the descriptors, or the socket. -ETOOMANYREFS more are
 * under way from this user than a process may have open. -ENOMEM. Others of soon_sendmsg.
 */
SOON_API SOON_NODISCARD ssize_t soon_send_fds(
	int socket, const void *buf, size_t len, const int *fds, unsigned count) SOON_SUSPENDS;

/*
 * Receives bytes and what descriptors come with them, close-on-exec.
 * Suspends: until something is there. Cancel: cancellation point; no descriptor is lost by it.
 * Ownership: the descriptors in `ret_fds` are the caller's to close.
 * Returns: the bytes; 0 at the end of a stream. `*ret_count` is set in every case.
 * Errors: -EMSGSIZE more descriptors came than `fds_max`. -EMFILE this process can have no more.
 * In both cases none is kept open, and the bytes are gone: such a peer had better be hung up on.
 * -ENOMEM before anything is received. Others of soon_recvmsg.
 * Limits: `fds_max` up to SOON_FDS_MAX count.
 */
SOON_API SOON_NODISCARD ssize_t soon_recv_fds(int socket, void *buf, size_t len, int *ret_fds,
	unsigned fds_max, unsigned *ret_count) SOON_SUSPENDS;

/* Who is at the other end: as it was when he connected, or the pair was made. */
typedef struct soon_peer_cred {
	pid_t pid; /* may be another process's by now; see soon_peer_pidfd */
	uid_t uid;
	gid_t gid;
} soon_peer_cred;

/*
 * Reads who the peer of a connected unix socket is; the kernel says so, not the peer.
 * Suspends: never. Errors: -ENOTCONN not a unix socket, or not connected. -EBADF, -ENOTSOCK.
 */
SOON_API SOON_NODISCARD int soon_peer_cred_get(int socket, soon_peer_cred *ret_cred)
	SOON_ANY_THREAD;

/*
 * Opens a descriptor for the peer's process, which never comes to mean another one.
 * Suspends: never. Ownership: returns owned. Since: Linux 6.5.
 * Errors: -EOPNOTSUPP an older kernel. -ESRCH the process has ended. -ENOTCONN as above. -EMFILE.
 */
SOON_API SOON_NODISCARD int soon_peer_pidfd(int socket) SOON_ANY_THREAD;

/*
 * Makes two connected unix sockets, close-on-exec; `type` is SOCK_STREAM, SOCK_DGRAM or
 * SOCK_SEQPACKET. soon_stream_adopt and soon_dgram_adopt take them.
 * Suspends: never. Ownership: returns both owned. Errors: -EMFILE, -EPROTONOSUPPORT.
 */
SOON_API SOON_NODISCARD int soon_socketpair(int type, int ret_fds[2]) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
