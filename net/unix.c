// SPDX-License-Identifier: Apache-2.0
/*
 * unix.c: descriptors in messages, and who the peer is.
 *
 * The kernel installs the descriptors of a message while it is received, so from then on each of
 * them is somebody's: the caller's, or closed here. What does not fit the memory for them, or the
 * process's table, it drops, and says so by MSG_CTRUNC.
 */
#include <soon/assert.h>
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/task.h>
#include <soon/unix.h>

#include "errtext.h"

#include <string.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* Beside descriptors: credentials, and a descriptor for a process, on sockets that ask for them. */
#define OTHERS_BYTES (CMSG_SPACE(3 * sizeof(int)) + CMSG_SPACE(sizeof(int)))

static const char *send_advice(int rc)
{
	switch (-rc) {
	case EBADF:
		return "one of the descriptors, or the socket, is not open";
	case ETOOMANYREFS:
		return "too many are under way: the receiver has to take some, or raise ulimit -n";
	default:
		return soon__error_text(rc);
	}
}

ssize_t soon_send_fds(int socket, const void *buf, size_t len, const int *fds, unsigned count)
{
	/* It is not written to, which the kernel's record has no way to say. */
	struct iovec piece = { (void *)(uintptr_t)buf, len };
	struct msghdr msg = { .msg_iov = &piece, .msg_iovlen = 1 };
	size_t bytes = count * sizeof *fds;
	struct cmsghdr *cmsg;
	ssize_t n;

	SOON_ASSERT(fds != NULL || count == 0);
	if (len == 0)
		return soon_fail(-EINVAL, "descriptors need a byte to travel with");
	if (count > SOON_FDS_MAX)
		return soon_fail(-EINVAL, "%u descriptors: one message carries %d at most", count,
			SOON_FDS_MAX);
	if (count == 0)
		return soon_sendmsg(socket, &msg, 0);
	cmsg = soon_zalloc(CMSG_SPACE(bytes));
	if (cmsg == NULL)
		return -ENOMEM;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(cmsg), fds, bytes);
	msg.msg_control = cmsg;
	msg.msg_controllen = CMSG_SPACE(bytes);
	n = soon_sendmsg(socket, &msg, 0);
	soon_free(cmsg);
	if (n < 0 && n != -ECANCELED)
		n = soon_fail((int)n, "cannot send %u descriptors on %d: %s", count, socket,
			send_advice((int)n));
	return n;
}

/* What came: `seen` in all, of which the first `max` are in `fds`. The rest is closed. */
struct arrived {
	int *fds;
	unsigned max;
	unsigned seen;
};

static void arrived_add(struct arrived *arrived, int fd)
{
	if (arrived->seen < arrived->max)
		arrived->fds[arrived->seen] = fd;
	else
		(void)close(fd); /* never used */
	arrived->seen++;
}

static void arrived_read(struct arrived *arrived, struct msghdr *msg)
{
	struct cmsghdr *next;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL; cmsg = next) {
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		next = CMSG_NXTHDR(msg, cmsg);
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof fd, sizeof fd);
			arrived_add(arrived, fd);
		}
	}
}

/* Whether all that were sent are here; if not, none is kept. */
static int arrived_judge(struct arrived *arrived, const struct msghdr *msg)
{
	unsigned kept = arrived->seen < arrived->max ? arrived->seen : arrived->max;

	if (arrived->seen <= arrived->max && (msg->msg_flags & MSG_CTRUNC) == 0)
		return 0;
	for (unsigned i = 0; i < kept; i++)
		(void)close(arrived->fds[i]); /* never used */
	if (arrived->seen < arrived->max)
		return soon_fail(-EMFILE,
			"not all descriptors that were sent could be taken: "
			"raise the limit on open files (ulimit -n)");
	return soon_fail(
		-EMSGSIZE, "more descriptors were sent than the %u expected", arrived->max);
}

ssize_t soon_recv_fds(
	int socket, void *buf, size_t len, int *ret_fds, unsigned fds_max, unsigned *ret_count)
{
	struct iovec piece = { buf, len };
	struct msghdr msg = { .msg_iov = &piece, .msg_iovlen = 1 };
	struct arrived arrived = { ret_fds, fds_max < SOON_FDS_MAX ? fds_max : SOON_FDS_MAX, 0 };
	size_t bytes = OTHERS_BYTES + CMSG_SPACE(arrived.max * sizeof(int));
	ssize_t n;
	int rc;

	SOON_ASSERT(ret_count != NULL);
	SOON_ASSERT(ret_fds != NULL || fds_max == 0);
	*ret_count = 0;
	msg.msg_control = soon_zalloc(bytes);
	if (msg.msg_control == NULL)
		return -ENOMEM;
	msg.msg_controllen = bytes;
	n = soon_recvmsg(socket, &msg, 0);
	if (n >= 0) {
		arrived_read(&arrived, &msg);
		rc = arrived_judge(&arrived, &msg);
		n = rc < 0 ? rc : n;
	}
	soon_free(msg.msg_control);
	if (n < 0)
		return n;
	for (unsigned i = 0; i < arrived.seen; i++)
		soon_fd_track(ret_fds[i], "received descriptor");
	*ret_count = arrived.seen;
	return n;
}

int soon_peer_cred_get(int socket, soon_peer_cred *ret_cred)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	SOON_ASSERT(ret_cred != NULL);
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	/* Of a socket of another kind the kernel knows nobody, and does not say so. */
	if (cred.pid == 0)
		return -ENOTCONN;
	*ret_cred = (soon_peer_cred){ .pid = cred.pid, .uid = cred.uid, .gid = cred.gid };
	return 0;
}

int soon_peer_pidfd(int socket)
{
	int fd, rc;
	socklen_t len = sizeof fd;

	rc = getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) < 0 ? -errno : fd;
	if (rc == -ENOPROTOOPT)
		return -EOPNOTSUPP;
	return rc == -ENODATA ? -ENOTCONN : rc == -EINVAL ? -ESRCH : rc;
}

int soon_socketpair(int type, int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}
