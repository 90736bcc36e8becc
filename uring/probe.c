// SPDX-License-Identifier: Apache-2.0
/* The set-up ladder and the trials; see probe.h. */
#include "probe.h"

#include <soon/assert.h>

#include "mem_san.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Waits inside the kernel go through the ring's own argument for them: 5.11, and needed. */
#define FEATURES_NEEDED (IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_RW_CUR_POS)

#define FLAGS_ALWAYS (IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP)

/* From the best to the plainest; a kernel that does not know a flag says EINVAL. */
static const unsigned ladder[] = {
	/* 6.1: completions are worked off only where we ask for them. */
	FLAGS_ALWAYS | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
		IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	/* 6.0 */
	FLAGS_ALWAYS | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	/* 5.19 */
	FLAGS_ALWAYS | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
		IORING_SETUP_TASKRUN_FLAG,
	FLAGS_ALWAYS,
};

#define LADDER_COUNT (sizeof(ladder) / sizeof(ladder[0]))

/* Reads a small file of the kernel's; an empty text if there is none. */
static void read_text(const char *path, char *ret_text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret_text, size - 1);

	if (fd >= 0)
		(void)close(fd);
	ret_text[n > 0 ? n : 0] = '\0';
	ret_text[strcspn(ret_text, "\n")] = '\0';
}

bool soon__probe_is_refusal(int rc)
{
	switch (-rc) {
	case ENOSYS:
	case EPERM:
	case EACCES:
	case EOPNOTSUPP:
	case EINVAL: /* on every rung: an old kernel */
		return true;
	default:
		return false;
	}
}

static void report_refusal(int rc, bool has_other)
{
	soon_report_level level = has_other ? SOON_REPORT_INFO : SOON_REPORT_WARNING;
	const char *used = has_other ? "epoll is used: " : "";
	char sysctl[16];

	switch (-rc) {
	case EPERM:
		read_text("/proc/sys/kernel/io_uring_disabled", sysctl, sizeof(sysctl));
		soon_report_file(level, rc,
			"%sio_uring is forbidden here (EPERM): the sysctl "
			"kernel.io_uring_disabled is %s and has to be 0; and a container's seccomp "
			"profile has to allow io_uring_setup, io_uring_enter and io_uring_register "
			"(Docker from 25 and containerd from 2 on do not by default)",
			used, sysctl[0] != '\0' ? sysctl : "not there");
		break;
	case ENOSYS:
		soon_report_file(level, rc,
			"%sio_uring is not there (ENOSYS): the kernel is built without it, or a "
			"sandbox hides it (the seccomp profile of Podman and CRI-O does, gVisor "
			"does); allow io_uring_setup, io_uring_enter and io_uring_register",
			used);
		break;
	case EINVAL:
		soon_report_file(level, rc,
			"%sio_uring cannot be set up: %s; this kernel's is too old", used,
			strerrordesc_np(EINVAL));
		break;
	default:
		soon_report_file(level, rc,
			"%sio_uring is refused here (%s): a security module or the platform's "
			"sandbox forbids it; allow io_uring_setup, io_uring_enter and "
			"io_uring_register",
			used, strerrorname_np(-rc));
	}
}

void soon__probe_report(int rc, const char *what, bool has_other)
{
	switch (-rc) {
	case ENOMEM:
		soon_report_file(SOON_REPORT_WARNING, rc,
			"%s: no memory for it: raise the limit on locked memory "
			"(ulimit -l, RLIMIT_MEMLOCK, LimitMEMLOCK= of a unit) or the memory limit",
			what);
		break;
	case EMFILE:
	case ENFILE:
		soon_report_file(SOON_REPORT_WARNING, rc,
			"%s: no descriptor left for it: raise the limit on open files "
			"(ulimit -n, RLIMIT_NOFILE, LimitNOFILE= of a unit%s)",
			what, rc == -ENFILE ? "; sysctl fs.file-max" : "");
		break;
	default:
		if (soon__probe_is_refusal(rc) && strcmp(what, "io_uring") == 0)
			report_refusal(rc, has_other);
		else
			soon_report_file(SOON_REPORT_WARNING, rc, "%s cannot be set up: %s", what,
				strerrordesc_np(-rc));
	}
}

/* Waits for a completion, a second at most: a ring that loses requests is none. */
static int reap_one(struct io_uring *ring, struct io_uring_cqe *ret_cqe)
{
	struct __kernel_timespec second = { .tv_sec = 1 };
	struct io_uring_cqe *cqe;
	int rc = io_uring_wait_cqe_timeout(ring, &cqe, &second);

	if (rc < 0)
		return rc;
	*ret_cqe = *cqe;
	io_uring_cqe_seen(ring, cqe);
	return 0;
}

static int submit_one(struct io_uring *ring, struct io_uring_cqe *ret_cqe)
{
	int rc = io_uring_submit_and_get_events(ring);

	return rc < 0 ? rc : reap_one(ring, ret_cqe);
}

/* The trials submit one request at a time, so there is always room. */
static struct io_uring_sqe *get_sqe(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	SOON_ASSERT(sqe != NULL);
	return sqe;
}

static int try_nop(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = get_sqe(ring);
	struct io_uring_cqe cqe;
	int rc;

	io_uring_prep_nop(sqe);
	rc = submit_one(ring, &cqe);
	return rc < 0 ? rc : cqe.res;
}

static int try_rung(unsigned flags, unsigned sq_count, unsigned cq_count, struct io_uring *ring)
{
	struct io_uring_params params = { .flags = flags, .cq_entries = cq_count };
	int rc = io_uring_queue_init_params(sq_count, ring, &params);

	if (rc < 0)
		return rc;
	soon__san_ring_begun();
	rc = (ring->features & FEATURES_NEEDED) == FEATURES_NEEDED ? try_nop(ring) : -ENOSYS;
	if (rc < 0) {
		soon__san_ring_ends();
		io_uring_queue_exit(ring);
	}
	return rc;
}

int soon__probe_open(
	unsigned sq_count, unsigned cq_count, unsigned allowed, struct io_uring *ret_ring)
{
	int rc = -EINVAL;

	for (unsigned i = 0; i < LADDER_COUNT && rc == -EINVAL; i++)
		if ((ladder[i] & ~allowed) == 0)
			rc = try_rung(ladder[i], sq_count, cq_count, ret_ring);
	return rc;
}

/* One request on sockets[0], armed before a byte is sent to it. */
static int try_receive(struct io_uring *ring, unsigned group, const int *sockets)
{
	struct io_uring_sqe *sqe = get_sqe(ring);
	struct io_uring_cqe cqe;
	int rc;

	io_uring_prep_recv_multishot(sqe, sockets[0], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = (uint16_t)group;
	if (write(sockets[1], "x", 1) != 1)
		return -errno;
	rc = submit_one(ring, &cqe);
	if (rc < 0)
		return rc;
	if (cqe.res != 1 || (cqe.flags & IORING_CQE_F_BUFFER) == 0)
		return cqe.res < 0 ? cqe.res : -EOPNOTSUPP;
	if ((cqe.flags & IORING_CQE_F_MORE) == 0)
		return -EOPNOTSUPP;
	rc = (int)(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
	/* The end of the stream is the request's end. */
	(void)shutdown(sockets[1], SHUT_WR);
	if (submit_one(ring, &cqe) < 0 || cqe.res != 0)
		return -EOPNOTSUPP;
	return rc;
}

int soon__probe_streams(struct io_uring *ring, unsigned group, bool has_other)
{
	int sockets[2];
	int rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
		return -errno;
	rc = try_receive(ring, group, sockets);
	(void)close(sockets[0]);
	(void)close(sockets[1]);
	if (rc >= 0)
		return rc;
	soon_report_file(has_other ? SOON_REPORT_INFO : SOON_REPORT_WARNING, rc,
		"%sio_uring: this kernel does not receive into provided buffers; Linux 6.0 does",
		has_other ? "epoll is used: " : "");
	return -EOPNOTSUPP;
}

/* One send of `bytes`; returns its completion's result, INT32_MAX when there was none. */
static int try_send(struct io_uring *ring, int fd, const char *data, size_t bytes)
{
	struct io_uring_sqe *sqe = get_sqe(ring);
	struct io_uring_cqe *cqe;
	int res;
	int rc;

	io_uring_prep_send(sqe, fd, data, bytes, MSG_NOSIGNAL | MSG_WAITALL | MSG_DONTWAIT);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	rc = io_uring_submit_and_get_events(ring);
	if (rc < 0)
		return rc;
	if (io_uring_peek_cqe(ring, &cqe) < 0)
		return INT32_MAX;
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

/* Fills the socket: a part must be told, then that there is no room. */
static bool tells_partial(struct io_uring *ring, int fd)
{
	static const char data[4096];
	bool is_told = false;

	for (unsigned i = 0; i < 1024 && !is_told; i++)
		is_told = try_send(ring, fd, data, sizeof(data)) < INT32_MAX;
	return is_told && try_send(ring, fd, data, sizeof(data)) == -EAGAIN;
}

bool soon__probe_try(struct io_uring *ring)
{
	const int small = 4096;
	int sockets[2];
	char byte;
	bool is_good;

	if ((ring->features & IORING_FEAT_CQE_SKIP) == 0)
		return false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
		return false;
	(void)setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	is_good = try_send(ring, sockets[0], "y", 1) == INT32_MAX &&
		recv(sockets[1], &byte, 1, MSG_DONTWAIT) == 1 && byte == 'y' &&
		tells_partial(ring, sockets[0]);
	(void)close(sockets[0]);
	(void)close(sockets[1]);
	return is_good;
}

/* A connection to the listener, which one request has to take and to go on. */
static bool accepts_another(
	struct io_uring *ring, const struct sockaddr_un *addr, socklen_t addr_bytes)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct io_uring_cqe cqe = { .res = -1 };
	bool is_good;

	if (fd < 0)
		return false;
	is_good = connect(fd, (const struct sockaddr *)addr, addr_bytes) == 0 &&
		submit_one(ring, &cqe) == 0 && cqe.res >= 0;
	(void)close(fd);
	if (cqe.res >= 0)
		(void)close(cqe.res);
	return is_good && (cqe.flags & IORING_CQE_F_MORE) != 0;
}

bool soon__probe_accept(struct io_uring *ring)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t addr_bytes = sizeof(addr);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_good = false;

	if (fd < 0)
		return false;
	/* With nothing but the family the kernel finds a name that no other socket has. */
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr.sun_family)) == 0 &&
		listen(fd, 2) == 0 && getsockname(fd, (struct sockaddr *)&addr, &addr_bytes) == 0) {
		io_uring_prep_multishot_accept(get_sqe(ring), fd, NULL, NULL, SOCK_CLOEXEC);
		is_good = accepts_another(ring, &addr, addr_bytes);
		is_good = is_good && accepts_another(ring, &addr, addr_bytes);
	}
	(void)close(fd);
	return is_good;
}
