// SPDX-License-Identifier: Apache-2.0
/*
 * dir.c: listing a directory. The kernel has no request for it, so a thread reads a buffer full at
 * a time, and tasks take the entries out of it.
 */
#include <soon/dir.h>
#include <soon/mem.h>
#include <soon/scope.h>

#include "op.h"
#include "track.h"

#include <string.h>

struct soon_dir {
	struct soon__io *io;
	int fd;
	bool is_reading; /* a task is in soon_dir_next() */
	uint32_t pos;    /* of the next record in `records` */
	uint32_t end;
	_Alignas(struct dirent64) char records[SOON_DIR_BYTES];
};

static int open_directory(int dir_fd, const char *path) SOON_SUSPENDS
{
	return soon_openat(dir_fd, path, O_RDONLY | O_DIRECTORY, 0);
}

int soon_dir_open(int dir_fd, const char *path, soon_dir **ret_dir)
{
	soon_dir *dir;
	int fd = open_directory(dir_fd, path);

	if (fd < 0)
		return fd;
	dir = soon_malloc(sizeof(*dir));
	if (dir == NULL) {
		(void)soon_close(fd);
		return -ENOMEM;
	}
	soon__fd_untrack(fd);
	dir->io = soon__io_self();
	dir->fd = soon__fd_opened(fd, "directory", __builtin_return_address(0));
	dir->is_reading = false;
	dir->pos = dir->end = 0;
	*ret_dir = dir;
	return 0;
}

/* Reads on. Returns: 1, or 0 at the end. */
static int fill(soon_dir *dir) SOON_SUSPENDS
{
	struct soon__op op = {
		.code = SOON__OP_GETDENTS,
		.fd = dir->fd,
		.addr = dir->records,
		.len = sizeof(dir->records),
	};
	ssize_t n = soon__op_call(&op, "getdents");

	if (n == -ENOENT)
		return 0; /* the directory was removed: nothing is in it */
	if (n <= 0)
		return (int)n;
	dir->pos = 0;
	dir->end = (uint32_t)n;
	return 1;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static int next(soon_dir *dir, soon_dir_entry *ret_entry) SOON_SUSPENDS
{
	const struct dirent64 *record;

	do {
		int rc = dir->pos < dir->end ? 1 : fill(dir);

		if (rc <= 0)
			return rc;
		record = (const struct dirent64 *)(const void *)(dir->records + dir->pos);
		SOON_ASSERT(record->d_reclen <= dir->end - dir->pos);
		dir->pos += record->d_reclen;
	} while (is_dots(record->d_name));
	*ret_entry = (soon_dir_entry){
		.name = record->d_name,
		.name_len = strlen(record->d_name),
		.inode = record->d_ino,
		.type = record->d_type,
	};
	return 1;
}

int soon_dir_next(soon_dir *dir, soon_dir_entry *ret_entry)
{
	int rc;

	SOON_ASSERT(dir != NULL);
	rc = soon__io_enter(dir->io, dir->fd, "dir_next");
	if (rc == 0)
		rc = soon_checkpoint();
	if (rc < 0)
		return rc;
	if (dir->is_reading)
		return -EBUSY;
	dir->is_reading = true;
	rc = next(dir, ret_entry);
	dir->is_reading = false;
	return rc;
}

int soon_dir_fd(const soon_dir *dir)
{
	return dir->fd;
}

int soon_dir_close(soon_dir *dir)
{
	int rc;

	if (dir == NULL)
		return 0;
	if (dir->is_reading)
		soon_die("soon_dir_close: a task is in soon_dir_next");
	rc = soon_close(dir->fd);
	soon_free(dir);
	return rc;
}

int soon_dir_sync(int dir_fd, const char *path)
{
	int fd = open_directory(dir_fd, path);
	int rc;

	if (fd < 0)
		return fd;
	rc = soon_fsync(fd, false);
	(void)soon_close(fd); /* it was only read */
	return rc;
}
