// SPDX-License-Identifier: Apache-2.0
#include "core/spi/text.h"

#include <soon/assert.h>
#include <soon/time.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	DIGITS_MAX = 20, /* of a 64-bit number */
	WRITE_WAIT_MS = 1000,
};

void soon__text_init(struct soon__text *text, char *buf, size_t size, int fd)
{
	SOON_ASSERT(size > 0);
	*text = (struct soon__text){ .buf = buf, .size = size, .fd = fd };
	buf[0] = '\0';
}

static void put(struct soon__text *text, char c)
{
	if (text->len + 1 == text->size)
		soon__text_flush(text);
	if (text->len + 1 == text->size)
		return;
	text->buf[text->len++] = c;
	text->buf[text->len] = '\0';
}

void soon__text_str(struct soon__text *text, const char *str)
{
	if (!str)
		str = "?";
	for (; *str; str++)
		put(text, (unsigned char)*str < ' ' || *str == 0x7f ? '?' : *str);
}

static void put_number(struct soon__text *text, uint64_t value, unsigned base)
{
	char digits[DIGITS_MAX];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value > 0);
	while (count > 0)
		put(text, digits[--count]);
}

void soon__text_uint(struct soon__text *text, uint64_t value)
{
	put_number(text, value, 10);
}

void soon__text_int(struct soon__text *text, int64_t value)
{
	if (value < 0)
		put(text, '-');
	put_number(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
}

void soon__text_hex(struct soon__text *text, uint64_t value)
{
	soon__text_str(text, "0x");
	put_number(text, value, 16);
}

void soon__text_duration(struct soon__text *text, soon_ns duration)
{
	static const struct {
		soon_ns ns;
		const char *name;
	} units[] = {
		{ SOON_S(1), " s" },
		{ SOON_MS(1), " ms" },
		{ SOON_US(1), " us" },
		{ 1, " ns" },
	};
	const soon_ns minute = SOON_S(60), hour = 60 * minute;
	unsigned i = 0;

	if (duration < 0)
		duration = 0;
	if (duration >= hour) {
		soon__text_int(text, duration / hour);
		soon__text_str(text, " h ");
		duration %= hour;
		soon__text_int(text, duration / minute);
		soon__text_str(text, " min");
		return;
	}
	while (units[i].ns > 1 && duration < units[i].ns)
		i++;
	soon__text_int(text, duration / units[i].ns);
	if (units[i].ns > 1 && duration < 100 * units[i].ns) {
		put(text, '.');
		soon__text_int(text, duration % units[i].ns / (units[i].ns / 10));
	}
	soon__text_str(text, units[i].name);
}

void soon__text_site(struct soon__text *text, const soon_site *site)
{
	if (!site) {
		put(text, '?');
		return;
	}
	soon__text_str(text, site->file);
	put(text, ':');
	soon__text_int(text, site->line);
}

void soon__text_errno(struct soon__text *text, int rc)
{
	const char *name = rc < 0 ? strerrorname_np(-rc) : NULL;

	if (!name) {
		soon__text_int(text, rc);
		return;
	}
	put(text, '-');
	soon__text_str(text, name);
}

void soon__text_spaces(struct soon__text *text, unsigned count)
{
	while (count-- > 0)
		put(text, ' ');
}

void soon__text_end_line(struct soon__text *text)
{
	if (!text->line) {
		put(text, '\n');
		return;
	}
	text->line(text->buf);
	text->len = 0;
	text->buf[0] = '\0';
}

void soon__text_flush(struct soon__text *text)
{
	if (text->fd == SOON__TEXT_NO_FD)
		return;
	if (text->rc == 0)
		text->rc = soon__write_all(text->fd, text->buf, text->len);
	text->len = 0;
	text->buf[0] = '\0';
}

static int write_some(int fd, const char *data, size_t len)
{
	const struct timespec moment = { .tv_nsec = SOON_MS(1) };
	unsigned waited_ms = 0;

	while (len > 0) {
		ssize_t n = write(fd, data, len);
		int rc = n < 0 ? -errno : 0;

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (rc == -EAGAIN && waited_ms++ < WRITE_WAIT_MS) {
			(void)nanosleep(&moment, NULL);
		} else if (rc != -EINTR) {
			return rc < 0 ? rc : -EIO;
		}
	}
	return 0;
}

static int writev_once(int fd, const struct iovec *pieces, int count, size_t len)
{
	ssize_t n;

	do {
		n = writev(fd, pieces, count);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* A reader that went away must not end the process by a signal: not for a report. */
struct pipe_guard {
	sigset_t before, pending;
	int saved_errno; /* the interrupted code may be about to read it */
};

static void pipe_signal_only(sigset_t *ret_set)
{
	(void)sigemptyset(ret_set);
	(void)sigaddset(ret_set, SIGPIPE);
}

static void guard_begin(struct pipe_guard *guard)
{
	sigset_t pipe_only;

	guard->saved_errno = errno;
	pipe_signal_only(&pipe_only);
	(void)sigemptyset(&guard->pending);
	(void)sigpending(&guard->pending);
	(void)pthread_sigmask(SIG_BLOCK, &pipe_only, &guard->before);
}

static void guard_end(const struct pipe_guard *guard, int rc)
{
	const struct timespec no_time = { 0 };
	sigset_t pipe_only;

	pipe_signal_only(&pipe_only);
	if (rc == -EPIPE && !sigismember(&guard->pending, SIGPIPE))
		(void)sigtimedwait(&pipe_only, NULL, &no_time);
	(void)pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
	errno = guard->saved_errno;
}

int soon__write_all(int fd, const char *data, size_t len)
{
	struct pipe_guard guard;
	int rc;

	guard_begin(&guard);
	rc = write_some(fd, data, len);
	guard_end(&guard, rc);
	return rc;
}

ssize_t soon__write_once(int fd, const char *data, size_t len)
{
	struct pipe_guard guard;
	ssize_t n;

	guard_begin(&guard);
	do {
		n = write(fd, data, len);
		if (n < 0)
			n = -errno;
	} while (n == -EINTR);
	guard_end(&guard, n < 0 ? (int)n : 0);
	return n;
}

int soon__writev_all(int fd, const struct iovec *pieces, int count, size_t len)
{
	struct pipe_guard guard;
	int rc;

	guard_begin(&guard);
	rc = writev_once(fd, pieces, count, len);
	guard_end(&guard, rc);
	return rc;
}
