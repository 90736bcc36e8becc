// SPDX-License-Identifier: Apache-2.0
/*
 * file.h: opening and asking about files, without blocking the thread. Reading and writing them,
 * fsync and close are in <soon/io.h>, whose opening comment says what holds for every call here.
 *
 * The kernel runs what cannot be done at once (a path not in its cache, an fsync) on threads of its
 * own. For many such calls in a row, soon_offload with one function that makes them all is cheaper.
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

/* Removes a name; `flags` may be AT_REMOVEDIR. Returns: 0. See: unlinkat(2). */
SOON_API SOON_NODISCARD int soon_unlinkat(int dir_fd, const char *path, int flags) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
