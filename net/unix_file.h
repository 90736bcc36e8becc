// SPDX-License-Identifier: Apache-2.0
/* unix_file.h: the file that a bound unix socket stands for, private to net/. */
#ifndef NET_UNIX_FILE_H
#define NET_UNIX_FILE_H

#include <soon/addr.h>

/* Which file it is, so that only our own is removed. */
struct soon__unix_file {
	dev_t dev;
	ino_t ino; /* 0: there is none */
};

/* Returns the path in it; NULL for addresses without a file. */
const char *soon__unix_path(const soon_addr *addr);

/*
 * Removes the file of a unix socket, of type `type` (SOCK_STREAM, ...), that nobody is behind.
 * Returns: 0 when it is out of the way. Errors: -EADDRINUSE somebody is. -ENOTSOCK.
 */
SOON_NODISCARD int soon__unix_stale_remove(const soon_addr *addr, int type);

/*
 * As bind(2), once more where the file of a socket that nobody is behind was in the way.
 * Returns: 0. Errors: those of bind(2) and of soon__unix_stale_remove.
 */
SOON_NODISCARD int soon__bind(int fd, const soon_addr *addr, int type);

/* Notes the file of a socket that was just bound to `addr`. */
void soon__unix_file_note(const soon_addr *addr, struct soon__unix_file *ret_file);

/* Removes the file, if it is still the one that was noted. */
void soon__unix_file_remove(const soon_addr *addr, const struct soon__unix_file *file);

#endif
