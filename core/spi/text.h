// SPDX-License-Identifier: Apache-2.0
/*
 * text.h: putting lines together where stdio may not be used: in signal handlers, and where a
 * failure is told that may be stdio's own.
 *
 * Nothing here allocates, locks or reads the locale. A text has a buffer of the caller's, and
 * either ends there, cut, or goes to a descriptor each time that the buffer is full. Control
 * characters in what is appended become '?', so that one line stays one line whatever the names in
 * it are; soon__text_end_line() is the only one that ends it.
 */
#ifndef CORE_SPI_TEXT_H
#define CORE_SPI_TEXT_H

#include <soon/base.h>

#include <sys/uio.h>

#define SOON__TEXT_NO_FD (-1)

struct soon__text {
	char *buf;   /* always ended by a zero */
	size_t size; /* of it, at least 1 */
	size_t len;  /* without the zero */
	int fd;      /* where a full buffer goes; SOON__TEXT_NO_FD: what does not fit is cut */
	int rc;      /* the first failure of a write; nothing is written after it */

	/* Takes each line as it ends, cut where the buffer does; NULL: lines stay together. */
	void (*line)(const char *line);
};

void soon__text_init(struct soon__text *text, char *buf, size_t size, int fd);

/* Appends; NULL gives "?". */
void soon__text_str(struct soon__text *text, const char *str);

void soon__text_uint(struct soon__text *text, uint64_t value);
void soon__text_int(struct soon__text *text, int64_t value);
void soon__text_hex(struct soon__text *text, uint64_t value);

/* "12 ns", "3.4 ms", "5.6 s", "2 h 3 min": two digits or a little more; negative ones as 0. */
void soon__text_duration(struct soon__text *text, soon_ns duration);

/* "server.c:12"; "?" for NULL. */
void soon__text_site(struct soon__text *text, const soon_site *site);

/* "-EIO", or the number where the errno has no name. */
void soon__text_errno(struct soon__text *text, int rc);

void soon__text_spaces(struct soon__text *text, unsigned count);
void soon__text_end_line(struct soon__text *text);

/* Writes what the buffer holds; nothing happens without a descriptor. */
void soon__text_flush(struct soon__text *text);

/*
 * Writes all of it, or fails: -EPIPE without the signal, -EAGAIN when a descriptor that does not
 * block takes nothing for a second. Leaves errno alone. Signal-safe.
 */
int soon__write_all(int fd, const char *data, size_t len);

/* Writes some of it and returns how much, or fails; -EPIPE without the signal. Signal-safe. */
ssize_t soon__write_once(int fd, const char *data, size_t len);

/* Writes `len` bytes in pieces by one system call, or fails as above; -EIO when a part got out. */
int soon__writev_all(int fd, const struct iovec *pieces, int count, size_t len);

#endif
