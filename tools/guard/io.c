// SPDX-License-Identifier: Apache-2.0
/*
 * io.c: calls on descriptors.
 *
 * What counts is that a call may wait, not that it does this time: a pipe without O_NONBLOCK is
 * found even if there is something in it. Files are taken for quick unless SOON_GUARD=files says
 * otherwise; to flush one to its device never is. Standard output and error are where programs log:
 * a write there is found only when it has to wait.
 */
#include "guard.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* libc declares addresses with types of its own, which take any of them. */

/* Asked with the real one: fcntl() is guarded, too. */
static bool is_blocking(int fd)
{
	int flags = GUARD_REAL(fcntl)(fd, F_GETFL);

	return flags >= 0 && (flags & O_NONBLOCK) == 0;
}

static bool is_ready(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	return GUARD_REAL(poll)(&pollfd, 1, 0) > 0;
}

/* Whether its kind is one that waits: not /dev/null, and files only if asked for. */
static bool is_slow_kind(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	switch (st.st_mode & S_IFMT) {
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	case S_IFREG:
	case S_IFBLK:
		return guard_has_files();
	case S_IFCHR:
		return isatty(fd) == 1;
	default:
		return !S_ISDIR(st.st_mode); /* eventfd, timerfd, inotify: nothing in S_IFMT */
	}
}

bool guard_reads_wait(int fd)
{
	int saved = errno;
	bool waits = is_blocking(fd) && is_slow_kind(fd);

	errno = saved;
	return waits;
}

bool guard_writes_wait(int fd)
{
	int saved = errno;
	bool waits = is_blocking(fd) && is_slow_kind(fd);

	if (waits && (fd == STDOUT_FILENO || fd == STDERR_FILENO))
		waits = !is_ready(fd, POLLOUT);
	errno = saved;
	return waits;
}

#define READS(fd)  (guard_is_on() && guard_reads_wait(fd))
#define WRITES(fd) (guard_is_on() && guard_writes_wait(fd))

GUARD_API ssize_t read(int fd, void *buf, size_t len)
{
	if (READS(fd))
		GUARD_FOUND("read", USE_IO);
	return GUARD_REAL(read)(fd, buf, len);
}

GUARD_API ssize_t readv(int fd, const struct iovec *iov, int count)
{
	if (READS(fd))
		GUARD_FOUND("readv", USE_IO);
	return GUARD_REAL(readv)(fd, iov, count);
}

GUARD_API ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
	if (READS(fd))
		GUARD_FOUND("pread", USE_IO);
	return GUARD_REAL(pread)(fd, buf, len, offset);
}

GUARD_API ssize_t pread64(int fd, void *buf, size_t len, off64_t offset)
{
	if (READS(fd))
		GUARD_FOUND("pread", USE_IO);
	return GUARD_REAL(pread64)(fd, buf, len, offset);
}

GUARD_API ssize_t write(int fd, const void *buf, size_t len)
{
	if (WRITES(fd))
		GUARD_FOUND("write", USE_IO);
	return GUARD_REAL(write)(fd, buf, len);
}

GUARD_API ssize_t writev(int fd, const struct iovec *iov, int count)
{
	if (WRITES(fd))
		GUARD_FOUND("writev", USE_IO);
	return GUARD_REAL(writev)(fd, iov, count);
}

GUARD_API ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	if (WRITES(fd))
		GUARD_FOUND("pwrite", USE_IO);
	return GUARD_REAL(pwrite)(fd, buf, len, offset);
}

GUARD_API ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t offset)
{
	if (WRITES(fd))
		GUARD_FOUND("pwrite", USE_IO);
	return GUARD_REAL(pwrite64)(fd, buf, len, offset);
}

#define SOCKET_WAITS(fd, flags, guarded) (((flags)&MSG_DONTWAIT) == 0 && guarded(fd))

GUARD_API ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	if (SOCKET_WAITS(fd, flags, READS))
		GUARD_FOUND("recv", USE_IO);
	return GUARD_REAL(recv)(fd, buf, len, flags);
}

GUARD_API ssize_t recvfrom(
	int fd, void *buf, size_t len, int flags, __SOCKADDR_ARG addr, socklen_t *addr_len)
{
	if (SOCKET_WAITS(fd, flags, READS))
		GUARD_FOUND("recvfrom", USE_IO);
	return GUARD_REAL(recvfrom)(fd, buf, len, flags, addr, addr_len);
}

GUARD_API ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	if (SOCKET_WAITS(fd, flags, READS))
		GUARD_FOUND("recvmsg", USE_IO);
	return GUARD_REAL(recvmsg)(fd, msg, flags);
}

GUARD_API ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	if (SOCKET_WAITS(fd, flags, WRITES))
		GUARD_FOUND("send", USE_IO);
	return GUARD_REAL(send)(fd, buf, len, flags);
}

GUARD_API ssize_t sendto(int fd, const void *buf, size_t len, int flags, __CONST_SOCKADDR_ARG addr,
	socklen_t addr_len)
{
	if (SOCKET_WAITS(fd, flags, WRITES))
		GUARD_FOUND("sendto", USE_IO);
	return GUARD_REAL(sendto)(fd, buf, len, flags, addr, addr_len);
}

GUARD_API ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (SOCKET_WAITS(fd, flags, WRITES))
		GUARD_FOUND("sendmsg", USE_IO);
	return GUARD_REAL(sendmsg)(fd, msg, flags);
}

GUARD_API int accept(int fd, __SOCKADDR_ARG addr, socklen_t *addr_len)
{
	if (READS(fd))
		GUARD_FOUND("accept", USE_IO);
	return GUARD_REAL(accept)(fd, addr, addr_len);
}

GUARD_API int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *addr_len, int flags)
{
	if (READS(fd))
		GUARD_FOUND("accept4", USE_IO);
	return GUARD_REAL(accept4)(fd, addr, addr_len, flags);
}

GUARD_API int connect(int fd, __CONST_SOCKADDR_ARG addr, socklen_t addr_len)
{
	if (WRITES(fd))
		GUARD_FOUND("connect", USE_IO);
	return GUARD_REAL(connect)(fd, addr, addr_len);
}

/* What the headers of libc make of read() and its like with _FORTIFY_SOURCE. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
GUARD_API ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
GUARD_API ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags);

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	if (READS(fd))
		GUARD_FOUND("read", USE_IO);
	return GUARD_REAL(__read_chk)(fd, buf, len, room);
}

ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
	if (SOCKET_WAITS(fd, flags, READS))
		GUARD_FOUND("recv", USE_IO);
	return GUARD_REAL(__recv_chk)(fd, buf, len, room, flags);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

GUARD_API int fsync(int fd)
{
	if (guard_is_on())
		GUARD_FOUND("fsync", "soon_fsync() lets the others run");
	return GUARD_REAL(fsync)(fd);
}

GUARD_API int fdatasync(int fd)
{
	if (guard_is_on())
		GUARD_FOUND("fdatasync", "soon_fsync() lets the others run");
	return GUARD_REAL(fdatasync)(fd);
}

GUARD_API int syncfs(int fd)
{
	if (guard_is_on())
		GUARD_FOUND("syncfs", USE_OFFLOAD);
	return GUARD_REAL(syncfs)(fd);
}

GUARD_API void sync(void)
{
	if (guard_is_on())
		GUARD_FOUND("sync", USE_OFFLOAD);
	GUARD_REAL(sync)();
}

GUARD_API int flock(int fd, int operation)
{
	if ((operation & (LOCK_NB | LOCK_UN)) == 0 && guard_is_on())
		GUARD_FOUND("flock", USE_OFFLOAD);
	return GUARD_REAL(flock)(fd, operation);
}

GUARD_API int lockf(int fd, int command, off_t len)
{
	if (command == F_LOCK && guard_is_on())
		GUARD_FOUND("lockf", USE_OFFLOAD);
	return GUARD_REAL(lockf)(fd, command, len);
}

/* The third argument is a word, whatever the command makes of it. */
#define FCNTL(name)                                                                                \
	GUARD_API int name(int fd, int command, ...)                                               \
	{                                                                                          \
		va_list args;                                                                      \
		void *arg;                                                                         \
                                                                                                   \
		va_start(args, command);                                                           \
		arg = va_arg(args, void *);                                                        \
		va_end(args);                                                                      \
		if ((command == F_SETLKW || command == F_OFD_SETLKW) && guard_is_on())             \
			GUARD_FOUND("fcntl", USE_OFFLOAD);                                         \
		return GUARD_REAL(name)(fd, command, arg);                                         \
	}
FCNTL(fcntl)
FCNTL(fcntl64)
