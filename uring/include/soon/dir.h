// SPDX-License-Identifier: Apache-2.0
/*
 * dir.h: what a directory holds, and changes that survive a crash.
 *
 *	soon_dir *dir;
 *	soon_dir_entry entry;
 *	int rc = soon_dir_open(AT_FDCWD, "/var/spool/jobs", &dir);
 *
 *	if (rc < 0)
 *		return rc;
 *	while ((rc = soon_dir_next(dir, &entry)) > 0)
 *		printf("%s\n", entry.name);
 *	(void)soon_dir_close(dir);
 *
 * The opening comments of <soon/io.h> and <soon/file.h> hold here, too.
 */
#ifndef SOON_DIR_H
#define SOON_DIR_H

#include <soon/file.h>

#include <dirent.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of a listing, which is read so much at a time: about a thousand entries. */
#define SOON_DIR_BYTES 32768

typedef SOON__HANDLE struct soon_dir soon_dir;

typedef struct soon_dir_entry {
	const char *name; /* ends with a NUL; any other bytes but '/', in no known encoding */
	size_t name_len;  /* 1 to 255 */
	uint64_t inode;
	unsigned char type; /* DT_REG, DT_DIR, DT_LNK, ...; DT_UNKNOWN: soon_statx() tells */
} soon_dir_entry;

/*
 * Opens a directory to list it. `path` starts at `dir_fd`, or AT_FDCWD.
 * Suspends: always. Cancel: cancellation point; nothing is left open.
 * Ownership: returns owned, to be given to soon_dir_close().
 * Errors: those of open(2), such as -ENOENT and -ENOTDIR; -ENOMEM.
 */
SOON_API SOON_NODISCARD int soon_dir_open(int dir_fd, const char *path, soon_dir **ret_dir)
	SOON_SUSPENDS;

/*
 * Gives the next entry, in no order; never "." and "..". What is there from the open to the end
 * comes once; what comes or goes meanwhile may come or not, also once.
 * Affinity: the core that opened it, in a task. Suspends: for every SOON_DIR_BYTES. Cancel:
 * cancellation point; no entry is lost by it, the next call goes on.
 * Ownership: the name is borrowed until the next call for this directory.
 * Returns: 1; 0 at the end, also when the directory itself was removed.
 * Errors: -ECANCELED. -EBUSY another task is in such a call. -EPERM not in a task, or another
 * core's. -EIO and others of getdents64(2), after which the next call tries again.
 */
SOON_API SOON_NODISCARD int soon_dir_next(soon_dir *dir, soon_dir_entry *ret_entry) SOON_SUSPENDS;

/*
 * Returns the directory's descriptor, for soon_openat(), soon_statx() and their like.
 * Suspends: never. Ownership: returns borrowed.
 */
SOON_API SOON_NODISCARD int soon_dir_fd(const soon_dir *dir);

/*
 * Ends a listing. No task may be in soon_dir_next().
 * Affinity: the core that opened it. Suspends: may. Cancel: not a cancellation point.
 * Ownership: takes `dir`. Null: nothing happens. Returns: 0. Errors: of close(2), and it is closed.
 */
SOON_API int soon_dir_close(soon_dir *SOON_NULLABLE dir) SOON_SUSPENDS;

/*
 * Has the names in a directory written to its disk: what was made, renamed or removed there is
 * still so after a crash of the machine. fsync of the files themselves does not include that.
 * Suspends: always. Cancel: cancellation point. Returns: 0. Errors: those of open(2) and fsync(2).
 */
SOON_API SOON_NODISCARD int soon_dir_sync(int dir_fd, const char *path) SOON_SUSPENDS;

/*
 * Replaces the whole contents of a file, or makes it, so that nobody ever sees a part, not even
 * after a crash: writes a file beside it, has that on the disk, gives it the name, and has the
 * directory on the disk. `path` is then a new file with `mode`, less the umask: owner, other names
 * and extended attributes of an old one are not taken over, a symbolic link is replaced itself.
 * Suspends: several times. Cancel: cancellation point; the old contents or the new are there,
 * whole, and nothing beside them.
 * Ownership: memory passed in is lent until the return. Null: `data` when `len` is 0.
 * Returns: 0, and it is on the disk.
 * Errors: -ECANCELED. -ENOSPC, -EDQUOT, -EFBIG, -EIO nothing is changed, or, when the last step
 * failed, the new contents are there but may be lost in a crash. -ENOENT no such directory. -EISDIR
 * `path` is a directory. -EACCES, -EROFS no file can be made beside it. -ENOMEM.
 * Limits: a process that ends in the middle leaves a file ".soon-NUMBER.tmp".
 */
SOON_API SOON_NODISCARD int soon_file_replace(
	int dir_fd, const char *path, const void *data, size_t len, mode_t mode) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
