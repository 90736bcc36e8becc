// SPDX-License-Identifier: Apache-2.0
/*
 * notify.c: datagrams to the service manager. A socket for each: they are rare, and the manager may
 * have been started anew since the last one.
 */
#include <soon/assert.h>
#include <soon/io.h>
#include <soon/notify.h>
#include <soon/scope.h>

#include "errtext.h"
#include "inherit.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* For a manager that does not take anything: it may be started anew at this moment. */
#define QUEUE_PATIENCE SOON_S(5)

struct message {
	struct msghdr header;
	struct iovec text;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(SOON_NOTIFY_FDS_MAX * sizeof(int))];
};

static const char *manager_socket(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path != NULL && *path != '\0' ? path : NULL;
}

static int address_of(const char *path, struct sockaddr_un *ret, socklen_t *ret_len)
{
	size_t len = strlen(path);

	if (path[0] != '/' && path[0] != '@')
		return -EAFNOSUPPORT;
	if (len >= sizeof ret->sun_path)
		return -ENAMETOOLONG;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, path, len);
	if (path[0] == '@')
		ret->sun_path[0] = '\0';
	/* A path ends with a zero, an abstract name where the length says. */
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/'));
	return 0;
}

static void message_init(
	struct message *message, const char *lines, const int *fds, unsigned fds_count)
{
	*message = (struct message){ .text = { (char *)(uintptr_t)lines, strlen(lines) } };
	message->header = (struct msghdr){ .msg_iov = &message->text, .msg_iovlen = 1 };
	if (fds_count == 0)
		return;
	message->header.msg_control = message->control;
	message->header.msg_controllen = CMSG_SPACE(fds_count * sizeof(int));

	struct cmsghdr *rights = CMSG_FIRSTHDR(&message->header);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
	memcpy(CMSG_DATA(rights), fds, fds_count * sizeof(int));
}

static int try_send(int fd, const struct message *message)
{
	if (sendmsg(fd, &message->header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return 1;
}

static int send_in_time(int fd, const struct message *message) SOON_SUSPENDS
{
	int rc = try_send(fd, message);

	while (rc == -EAGAIN) {
		rc = soon_poll_fd(fd, POLLOUT);
		if (rc >= 0)
			rc = try_send(fd, message);
	}
	return rc;
}

static int send_to(const char *path, const struct message *message) SOON_SUSPENDS
{
	struct sockaddr_un un;
	socklen_t len;
	int rc = address_of(path, &un, &len);
	int fd;

	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Connected, so that a poll tells when there is room in its queue, and not in ours. */
	if (connect(fd, (const struct sockaddr *)&un, len) < 0)
		rc = -errno;
	else
		rc = (int)soon_shielded(QUEUE_PATIENCE, send_in_time(fd, message));
	(void)soon_close(fd); /* a datagram is sent or it is not */
	return rc;
}

static const char *advice(int rc)
{
	switch (-rc) {
	case ENOENT:
	case ECONNREFUSED:
		return "nobody is there; a container or chroot needs the manager's socket mounted";
	case EACCES:
	case EPERM:
		return "this user may not write to it; does the unit say Type=notify and "
		       "NotifyAccess=?";
	case EAFNOSUPPORT:
		return "it has to be a path or \"@name\"; others are not known here";
	case ETIMEDOUT:
		return "the manager reads nothing";
	case EMFILE:
	case ENFILE:
		return "no descriptor is left; raise the limit (ulimit -n, LimitNOFILE=)";
	default:
		return "see sd_notify(3)";
	}
}

int soon_notify_fds(const char *lines, const int *fds, unsigned fds_count)
{
	const char *path = manager_socket();
	struct message message;
	int rc;

	SOON_ASSERT(lines != NULL);
	SOON_ASSERT(fds != NULL || fds_count == 0);
	if (fds_count > SOON_NOTIFY_FDS_MAX)
		return -EINVAL;
	if (path == NULL)
		return 0;
	message_init(&message, lines, fds, fds_count);
	rc = send_to(path, &message);
	if (rc < 0)
		soon_report_file(SOON_REPORT_WARNING, rc,
			"cannot tell the service manager \"%.40s\" by NOTIFY_SOCKET=%.100s: %s: %s",
			lines, path, soon__error_text(rc), advice(rc));
	return rc;
}

int soon_notify(const char *lines)
{
	return soon_notify_fds(lines, NULL, 0);
}

int soon_notify_ready(void)
{
	int told = soon__takeover_say_ready();
	int rc = soon_notify("READY=1");

	return rc == 0 ? told : rc;
}

int soon_notify_reloading(void)
{
	char lines[64];
	struct timespec now;

	/* The manager's clock, whatever the run's is. */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	return soon_notify(lines);
}

int soon_notify_stopping(void)
{
	return soon_notify("STOPPING=1");
}

int soon_notify_status(const char *fmt, ...)
{
	static const char name[] = "STATUS=";
	char lines[sizeof name - 1 + SOON_NOTIFY_STATUS_BYTES];
	char *text = lines + sizeof name - 1;
	va_list args;

	SOON_ASSERT(fmt != NULL);
	memcpy(lines, name, sizeof name);
	va_start(args, fmt);
	(void)vsnprintf(text, SOON_NOTIFY_STATUS_BYTES, fmt, args);
	va_end(args);
	/* A new line would be an assignment of its own. */
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ')
			*text = ' ';
	return soon_notify(lines);
}
