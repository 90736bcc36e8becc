// SPDX-License-Identifier: Apache-2.0
/*
 * file.h: files and their names, without blocking the thread. Reading and writing, fsync and close
 * are in <soon/io.h>, whose opening comment says what holds for every call here; what a directory
 * holds, and replacing a file as a whole, is in <soon/dir.h>.
 *
 * The kernel runs what cannot be done at once (a path not in its cache, an fsync) on threads of its
 * own; what it has no request for, and everything on epoll, runs on the pool "io". For many such
 * calls in a row, soon_offload with one function that makes them all is cheaper.
 *
 * What has begun on a thread is waited for, whatever is cancelled: on a file system that hangs, a
 * task hangs past its deadline. After -ECANCELED nothing has happened.
 */
#ifndef SOON_FILE_H
#define SOON_FILE_H

#include <soon/io.h>

#include <fcntl.h>

#ifdef __cplusplus
extern "C" {
#endif

struct statx;

/*
 * Opens a file; O_CLOEXEC is implied. `mode` counts only with O_CREAT or O_TMPFILE.
 * Ownership: `path` is lent until the return; the descriptor is the caller's, and a cancel never
 * loses one. Returns: the descriptor. See: open(2).
 */
SOON_API SOON_NODISCARD int soon_open(const char *path, int flags, mode_t mode) SOON_SUSPENDS;

/* As soon_open, with relative paths starting at `dir_fd`, or AT_FDCWD. See: openat(2). */
SOON_API SOON_NODISCARD int soon_openat(int dir_fd, const char *path, int flags, mode_t mode)
	SOON_SUSPENDS;

/*
 * Asks about a file; needs <sys/stat.h> with _GNU_SOURCE for the structure and the constants.
 * Returns: 0. See: statx(2).
 */
SOON_API SOON_NODISCARD int soon_statx(int dir_fd, const char *path, int flags, unsigned mask,
	struct statx *ret_stat) SOON_SUSPENDS;

/* ---- names ------------------------------------------------------------------------------- */

/* Removes a name; `flags` may be AT_REMOVEDIR. Returns: 0. See: unlinkat(2). */
SOON_API SOON_NODISCARD int soon_unlinkat(int dir_fd, const char *path, int flags) SOON_SUSPENDS;

/* Removes the name of a file. Returns: 0. See: unlink(2). */
SOON_API SOON_NODISCARD int soon_unlink(const char *path) SOON_SUSPENDS;

/* Removes an empty directory. Returns: 0. Errors: -ENOTEMPTY it is not. See: rmdir(2). */
SOON_API SOON_NODISCARD int soon_rmdir(const char *path) SOON_SUSPENDS;

/* Makes a directory. Returns: 0. Errors: -EEXIST the name is taken. See: mkdirat(2). */
SOON_API SOON_NODISCARD int soon_mkdirat(int dir_fd, const char *path, mode_t mode) SOON_SUSPENDS;
SOON_API SOON_NODISCARD int soon_mkdir(const char *path, mode_t mode) SOON_SUSPENDS;

/*
 * Gives a file another name, whatever had that name before, in one step. It is on the disk after
 * soon_dir_sync() of the directories. `flags` may be RENAME_NOREPLACE or RENAME_EXCHANGE.
 * Returns: 0. Errors: -EXDEV on another file system. -EEXIST RENAME_NOREPLACE, and the name is
 * taken. -EINVAL the file system does not know the flag. See: renameat2(2).
 */
SOON_API SOON_NODISCARD int soon_renameat(int old_dir_fd, const char *old_path, int new_dir_fd,
	const char *new_path, unsigned flags) SOON_SUSPENDS;
SOON_API SOON_NODISCARD int soon_rename(const char *old_path, const char *new_path) SOON_SUSPENDS;

/* Gives a file one more name; `flags` as linkat(2). Returns: 0. Errors: -EEXIST. */
SOON_API SOON_NODISCARD int soon_linkat(int old_dir_fd, const char *old_path, int new_dir_fd,
	const char *new_path, int flags) SOON_SUSPENDS;

/* Makes a symbolic link with this text. Returns: 0. Errors: -EEXIST. See: symlinkat(2). */
SOON_API SOON_NODISCARD int soon_symlinkat(const char *target, int dir_fd, const char *path)
	SOON_SUSPENDS;

/*
 * Reads the text of a symbolic link. Other than the system call it ends it with a NUL, for which
 * there has to be room, and cuts nothing.
 * Returns: its length. Errors: -EINVAL no symbolic link. -ENAMETOOLONG more than `size` - 1 bytes.
 * See: readlinkat(2).
 */
SOON_API SOON_NODISCARD ssize_t soon_readlinkat(
	int dir_fd, const char *path, char *buf, size_t size) SOON_SUSPENDS;

/* ---- open files -------------------------------------------------------------------------- */

/* Cuts a file, or makes it longer with zeros. Returns: 0. See: ftruncate(2). */
SOON_API SOON_NODISCARD int soon_ftruncate(int fd, off_t length) SOON_SUSPENDS;

/*
 * Gets room on the disk for a part of a file, so that writing there cannot fail for want of it.
 * `mode` is 0 or the FALLOC_FL_ flags. Returns: 0. Errors: -ENOSPC. -EOPNOTSUPP the file system has
 * no such thing: nothing is written in its place. See: fallocate(2).
 */
SOON_API SOON_NODISCARD int soon_fallocate(int fd, int mode, off_t offset, off_t length)
	SOON_SUSPENDS;

/*
 * Tells the kernel how a part of a file will be used; POSIX_FADV_WILLNEED has it read ahead, and
 * `length` 0 is all that follows. Returns: 0. See: posix_fadvise(2).
 */
SOON_API SOON_NODISCARD int soon_fadvise(int fd, off_t offset, off_t length, int advice)
	SOON_SUSPENDS;

/*
 * Sends `count` bytes of a file from `offset` on to a socket, pipe or other file, or all that
 * follow if it is SIZE_MAX. Through memory, as soon_pread and soon_send or soon_write do it; to a
 * stream soon_stream_sendfile() does it.
 * Suspends: always. Cancel: cancellation point; `*ret_done` bytes have gone out by then.
 * Null: `ret_done` when the count at a failure is not wanted; otherwise it is set on every return.
 * Returns: the bytes that went out; fewer than `count` only where the file ended.
 * Errors: -ESPIPE `in_fd` is a pipe or a socket, which has no offsets. -EINVAL `offset` is
 * negative. -ENOMEM. Those of pread(2), and of send(2) or write(2).
 * Cost: one allocation, of at most 128 KiB.
 */
SOON_API SOON_NODISCARD ssize_t soon_sendfile(int out_fd, int in_fd, off_t offset, size_t count,
	size_t *SOON_NULLABLE ret_done) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
