// SPDX-License-Identifier: Apache-2.0
/*
 * log_sink.c: where lines go, and what is done when it takes none.
 *
 * The writer may wait for a descriptor as long as it takes: the rings fill up meanwhile, and the
 * cores go on. Everybody else who writes, at the end of the process or in its stead, asks whether
 * the descriptor takes anything before each piece of a size that then goes through at once.
 *
 * A line that was refused is counted and not tried again; the next one that gets through is
 * preceded by one that says how many were lost, and why.
 *
 * This is the only place in core that opens a file.
 */
#include <soon/assert.h>
#include <soon/time.h>

#include "core/spi/text.h"

#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BUFFER_BYTES = SOON__LOG_LINE_BYTES * 3,
	PIECE_BYTES = 4096, /* PIPE_BUF: a pipe that says it takes something takes this */
	PATH_BYTES = 4096,
	FILE_MODE = 0640,
	NOTICE_BYTES = 512,
	RING_BYTES_DEFAULT = 256 * 1024,
	RING_BYTES_MIN = 16 * 1024,
};

static const soon_ns EXIT_TIMEOUT_DEFAULT = SOON_S(1);

static struct {
	soon_log_sink fn; /* NULL: a descriptor */
	void *data;
	int fd;
	bool is_own; /* the descriptor was opened by a path */
	bool is_mid_line;
	int refused_rc;          /* why lines were refused last */
	uint64_t refused_told;   /* how many of them a line has told, or one in the buffer does */
	uint64_t refused_before; /* the same without the line in the buffer */
	bool has_told;           /* there is one, and it comes first */
	struct soon__log_style style;
	size_t start, len; /* what of the buffer is to be written */
	char path[PATH_BYTES];
	char buffer[BUFFER_BYTES];
} sink = { .fd = STDERR_FILENO };

/* What other threads read. */
static _Atomic(uint64_t) refused;
static _Atomic(bool) is_json, is_format_known, has_path, is_reopen_wanted, leaves_signals;
static _Atomic(soon_ns) exit_timeout;
static _Atomic(size_t) ring_bytes;

uint64_t soon__log_refused(void)
{
	return atomic_load_explicit(&refused, memory_order_relaxed);
}

bool soon__log_sink_wants_signals(void)
{
	return !atomic_load_explicit(&leaves_signals, memory_order_relaxed);
}

soon_ns soon__log_exit_timeout(void)
{
	soon_ns timeout = atomic_load_explicit(&exit_timeout, memory_order_relaxed);

	return timeout ? timeout : EXIT_TIMEOUT_DEFAULT;
}

size_t soon__log_ring_bytes(void)
{
	size_t bytes = atomic_load_explicit(&ring_bytes, memory_order_relaxed);

	return bytes ? bytes : RING_BYTES_DEFAULT;
}

/* Of a log that nobody opened, at its first line. */
static void format_from_environment(void)
{
	const char *name = getenv("SOON_LOG_FORMAT");

	atomic_store_explicit(&is_json, name && strcmp(name, "json") == 0, memory_order_relaxed);
	atomic_store_explicit(&is_format_known, true, memory_order_relaxed);
}

bool soon__log_sink_is_json(void)
{
	if (!atomic_load_explicit(&is_format_known, memory_order_relaxed))
		format_from_environment();
	return atomic_load_explicit(&is_json, memory_order_relaxed);
}

static int open_path(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, FILE_MODE);

	return fd < 0 ? -errno : fd;
}

static size_t rounded_up(size_t bytes)
{
	size_t size = RING_BYTES_MIN;

	while (size < bytes && size < (size_t)1 << 30)
		size *= 2;
	return bytes ? size : 0;
}

int soon__log_sink_set(const soon_log_opts *opts)
{
	int fd = opts->fd > 0 ? opts->fd : STDERR_FILENO;

	if (opts->path) {
		if (strlen(opts->path) >= PATH_BYTES)
			return -ENAMETOOLONG;
		fd = open_path(opts->path);
		if (fd < 0)
			return fd;
	}
	if (sink.is_own)
		(void)close(sink.fd);
	(void)stpncpy(sink.path, opts->path ? opts->path : "", sizeof sink.path);
	sink.is_own = opts->path != NULL;
	sink.fd = fd;
	sink.fn = opts->path ? NULL : opts->sink;
	sink.data = opts->data;
	sink.is_mid_line = false;
	soon__log_sink_clear();
	atomic_store_explicit(&has_path, sink.is_own, memory_order_relaxed);
	atomic_store_explicit(&is_reopen_wanted, false, memory_order_relaxed);
	atomic_store_explicit(&exit_timeout, opts->exit_timeout, memory_order_relaxed);
	atomic_store_explicit(&ring_bytes, rounded_up(opts->ring_bytes), memory_order_relaxed);
	atomic_store_explicit(&leaves_signals, opts->no_fatal, memory_order_relaxed);
	format_from_environment();
	if (opts->format != SOON_LOG_AUTO)
		atomic_store_explicit(
			&is_json, opts->format == SOON_LOG_JSON, memory_order_relaxed);
	return 0;
}

int soon_log_reopen(void)
{
	if (!atomic_load_explicit(&has_path, memory_order_relaxed))
		return -EOPNOTSUPP;
	/* Release: pairs with reopen_if_wanted(), what was done to the file comes before. */
	atomic_store_explicit(&is_reopen_wanted, true, memory_order_release);
	return 0;
}

/* ---- lines ------------------------------------------------------------------------------- */

void soon__log_sink_begin(const struct soon__log_style *style)
{
	sink.style = *style;
}

/* Whether lines go to a function, one by one. */
static bool is_function(void)
{
	return sink.fn && !sink.style.is_last;
}

static void refuse(uint64_t count, int rc)
{
	sink.refused_rc = rc;
	atomic_fetch_add_explicit(&refused, count, memory_order_relaxed);
}

/* A line into the buffer, or to the function; a process that dies does not call that. */
static int put_line(const struct soon__log_record *record)
{
	char *line = sink.buffer + sink.len;
	size_t len;

	SOON_ASSERT(BUFFER_BYTES - sink.len >= SOON__LOG_LINE_BYTES);
	len = soon__log_line(record, &sink.style, line);
	if (is_function())
		return sink.fn(line, len, (soon_level)record->site->level, sink.data);
	sink.len += len;
	return 0;
}

/* A line of the log's own. */
static int put_notice(
	const soon__log_site *site, int core, const soon_field *fields, unsigned count)
{
	_Alignas(struct soon__log_record) char memory[NOTICE_BYTES];
	struct soon__log_record *record = (void *)memory;
	struct soon__log_source source = {
		.site = site,
		.at = soon__log_now(),
		.core = core,
		.thread = core < 0 ? soon__log_thread() : 0,
		.fields = fields,
		.count = count,
	};
	struct soon__log_sizes sizes;

	if (soon__log_measure(&source, &sizes) > sizeof memory)
		return 0;
	soon__log_encode(record, &source, &sizes);
	return put_line(record);
}

#define NOTICE_SITE(name, text)                                                                    \
	static const soon__log_site name = { { __FILE__, __func__, text, __LINE__ }, "soon", NULL, \
		SOON_LOG_WARN, SOON__LOG_SITE_ON }

void soon__log_sink_put_lost(uint64_t count, int core)
{
	NOTICE_SITE(site, "log records dropped, their ring was full");
	const soon_field fields[] = { SOON_F("count", count) };

	/* It is told once; that it was dropped stays counted. */
	(void)put_notice(&site, core, fields, 1);
}

/* Next to the first line that gets through after those that were refused. */
static void tell_refused(void)
{
	NOTICE_SITE(site, "log lines lost, they could not be written");
	uint64_t count = soon__log_refused();
	const soon_field fields[] = {
		SOON_F("count", count - sink.refused_told),
		SOON_F_ERR("rc", sink.refused_rc),
	};

	sink.refused_before = sink.refused_told;
	sink.refused_told = count;
	sink.has_told = !is_function();
	if (put_notice(&site, -1, fields, 2) < 0)
		sink.refused_told = sink.refused_before;
}

static void reopen(void)
{
	NOTICE_SITE(site, "log file not reopened, going on with the old one");
	int fd = open_path(sink.path);
	const soon_field fields[] = { SOON_F_ERR("rc", fd), SOON_F("path", sink.path) };

	if (fd < 0) {
		(void)put_notice(&site, -1, fields, 2);
		return;
	}
	(void)close(sink.fd);
	sink.fd = fd;
	sink.is_mid_line = false;
}

void soon__log_sink_put(const struct soon__log_record *record)
{
	bool has_refused = soon__log_refused() > sink.refused_told;
	int rc;

	if (has_refused && !is_function() && sink.len == 0)
		tell_refused();
	rc = put_line(record);
	if (rc < 0)
		refuse(1, rc);
	else if (has_refused && is_function())
		tell_refused();
}

/* ---- writing ----------------------------------------------------------------------------- */

void soon__log_sink_clear(void)
{
	sink.start = sink.len = 0;
	sink.has_told = false;
}

static int milliseconds_until(soon_ns deadline)
{
	soon_ns left;

	if (deadline == SOON_NEVER)
		return -1;
	left = deadline - soon__log_now();
	if (left <= 0)
		return 0;
	return left > SOON_S(60) ? 60000 : (int)((left + SOON_MS(1) - 1) / SOON_MS(1));
}

/* Until the descriptor takes something, or has an error to tell. */
static int wait_writable(int fd, soon_ns deadline)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	int n;

	do {
		n = poll(&poll_fd, 1, milliseconds_until(deadline));
		if (n < 0)
			n = -errno;
	} while (n == -EINTR);
	return n == 0 ? -ETIMEDOUT : n < 0 ? n : 0;
}

static ssize_t write_piece(int fd, soon_ns deadline)
{
	size_t len = sink.len - sink.start;
	ssize_t n;
	int rc;

	if (deadline != SOON_NEVER) {
		rc = wait_writable(fd, deadline);
		if (rc < 0)
			return rc;
		len = len < PIECE_BYTES ? len : PIECE_BYTES;
	}
	n = soon__write_once(fd, sink.buffer + sink.start, len);
	if (n != -EAGAIN)
		return n == 0 ? -EIO : n;
	rc = wait_writable(fd, deadline);
	return rc < 0 ? rc : 0;
}

/* Lines of which nothing, or not all, was written. */
static uint64_t lines_left(void)
{
	uint64_t count = 0;

	for (size_t at = sink.start; at < sink.len; at++)
		count += sink.buffer[at] == '\n';
	return count;
}

static void give_up(int rc)
{
	bool is_cut = sink.start > 0 && sink.buffer[sink.start - 1] != '\n';

	uint64_t count = lines_left();

	sink.is_mid_line = sink.is_mid_line || is_cut;
	if (sink.has_told && sink.start == 0) {
		sink.refused_told = sink.refused_before; /* to be told again, with more */
		count--;
	}
	refuse(count, rc);
	soon__log_sink_clear();
}

int soon__log_sink_flush(soon_ns deadline)
{
	int fd = sink.fn ? STDERR_FILENO : sink.fd;

	if (is_function())
		return 0;
	/* The start of a line that could not be ended is ended now. */
	if (sink.is_mid_line && sink.start < sink.len && soon__write_once(fd, "\n", 1) == 1)
		sink.is_mid_line = false;
	while (sink.start < sink.len) {
		ssize_t n = write_piece(fd, deadline);

		if (n == -ETIMEDOUT)
			return -ETIMEDOUT;
		if (n < 0) {
			give_up((int)n);
			return 0;
		}
		sink.start += (size_t)n;
	}
	soon__log_sink_clear();
	return 0;
}

int soon__log_sink_make_room(soon_ns deadline)
{
	int rc = 0;

	if (BUFFER_BYTES - sink.len < 2 * SOON__LOG_LINE_BYTES)
		rc = soon__log_sink_flush(deadline);
	/* Acquire: pairs with soon_log_reopen(). */
	if (rc == 0 && sink.is_own &&
		atomic_exchange_explicit(&is_reopen_wanted, false, memory_order_acquire)) {
		/* What was put before the call belongs to the old file. */
		rc = soon__log_sink_flush(deadline);
		if (rc == 0)
			reopen();
	}
	return rc;
}
