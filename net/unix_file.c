// SPDX-License-Identifier: Apache-2.0
/* See unix_file.h. */
#include "unix_file.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

const char *soon__unix_path(const soon_addr *addr)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&addr->storage;

	if (addr->storage.ss_family != AF_UNIX || un->sun_path[0] == '\0')
		return NULL;
	return un->sun_path;
}

int soon__unix_stale_remove(const soon_addr *addr, int type)
{
	const char *path = soon__unix_path(addr);
	struct stat st;
	int fd, rc;

	if (path == NULL)
		return -EADDRINUSE;
	rc = lstat(path, &st) < 0 ? -errno : 0;
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)&addr->storage, addr->len) < 0 ? -errno : 0;
	(void)close(fd); /* it was never used */
	if (rc != -ECONNREFUSED)
		return rc == -ENOENT ? 0 : -EADDRINUSE;
	rc = unlink(path) < 0 ? -errno : 0;
	return rc == -ENOENT ? 0 : rc;
}

int soon__bind(int fd, const soon_addr *addr, int type)
{
	const struct sockaddr *to = (const struct sockaddr *)&addr->storage;
	int rc = bind(fd, to, addr->len) < 0 ? -errno : 0;

	if (rc != -EADDRINUSE)
		return rc;
	rc = soon__unix_stale_remove(addr, type);
	return rc < 0 || bind(fd, to, addr->len) == 0 ? rc : -errno;
}

void soon__unix_file_note(const soon_addr *addr, struct soon__unix_file *ret_file)
{
	const char *path = soon__unix_path(addr);
	struct stat st;

	*ret_file = (struct soon__unix_file){ 0 };
	if (path != NULL && lstat(path, &st) == 0)
		*ret_file = (struct soon__unix_file){ .dev = st.st_dev, .ino = st.st_ino };
}

void soon__unix_file_remove(const soon_addr *addr, const struct soon__unix_file *file)
{
	const char *path = soon__unix_path(addr);
	struct stat st;

	if (path == NULL || file->ino == 0 || lstat(path, &st) < 0)
		return;
	if (st.st_dev == file->dev && st.st_ino == file->ino)
		(void)unlink(path); /* somebody else may just have done it */
}
