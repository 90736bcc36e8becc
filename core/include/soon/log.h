// SPDX-License-Identifier: Apache-2.0
/*
 * log.h: log lines that never make a core wait.
 *
 * A record is copied into a ring of the calling core and written by one thread of the process:
 * text, or JSON, one line each. When the ring is full the record is dropped and counted, and a
 * later line says how many were. A level that is off costs a load and a branch.
 *
 *	soon_log_info("accepted", SOON_F("peer", name), SOON_F("fd", fd));
 *	soon_log_warn("cannot store", SOON_F_ERR("rc", rc), SOON_F("key", key));
 *	soon_logf(SOON_LOG_DEBUG, "%u of %u blocks", done, all);
 *
 * The message says what happened and is a literal; what was different this time goes into fields.
 * Time, level, category, core, task and source are added. Levels are set for each category by
 * soon_log_level() or the environment, SOON_LOG=info,http=debug. The category of a file is what
 * SOON_LOG_CATEGORY says there.
 *
 * Code that logs may not be unloaded by dlclose(): its messages stay where they are.
 */
#ifndef SOON_LOG_H
#define SOON_LOG_H

#include <soon/local.h>
#include <soon/report.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Redefine it before the lines it is meant for, or by -D: a literal, at most 31 characters. */
#ifndef SOON_LOG_CATEGORY
#define SOON_LOG_CATEGORY "app"
#endif

#define SOON_LOG_FIELDS_MAX     16   /* in one record */
#define SOON_LOG_RECORD_BYTES   4096 /* of a record, fields and all; texts are cut to fit */
#define SOON_LOG_TEXT_BYTES     256  /* of a formatted message, its end included; cut beyond */
#define SOON_LOG_CATEGORIES_MAX 64   /* further ones go by the default level */
#define SOON_LOG_CONTEXT_MAX    4    /* task-locals that are added to each record */

typedef enum soon_level {
	SOON_LOG_OFF,
	SOON_LOG_ERROR,
	SOON_LOG_WARN,
	SOON_LOG_INFO,
	SOON_LOG_DEBUG,
	SOON_LOG_TRACE,
} soon_level;

typedef enum soon_log_format {
	SOON_LOG_AUTO, /* as the environment's SOON_LOG_FORMAT says, text or json; else text */
	SOON_LOG_TEXT,
	SOON_LOG_JSON,
} soon_log_format;

/*
 * Takes a line with its end; a negative result says that it was lost. Called on the log's thread,
 * or on one in soon_log_flush(), never on two at once. It may block.
 */
typedef int (*soon_log_sink)(const char *line, size_t len, soon_level level, void *data);

/* Zero means the default in every field. Of path, sink and fd the first that is set counts. */
typedef struct soon_log_opts {
	soon_log_format format;
	const char *path; /* a file to append to, made if need be */
	soon_log_sink sink;
	void *data;           /* the sink's */
	int fd;               /* stays the caller's; default stderr */
	size_t ring_bytes;    /* of a core's ring that is made later; 256 KiB, at least 16 */
	soon_ns exit_timeout; /* how long the end of a run or of the process waits for it; 1 s */
	bool no_fatal;        /* leave SIGABRT, SIGSEGV, SIGBUS, SIGFPE and SIGILL alone */
} soon_log_opts;

/*
 * Says how and where lines are written; until then, and by NULL, the defaults do. What was logged
 * before is written to the old place first. Unless told otherwise it also sees to it that a fatal
 * signal whose meaning is the default one has the dying thread write what is in the rings.
 * Affinity: any, outside tasks. Suspends: blocks the thread, for exit_timeout at most and open(2).
 * Ownership: borrows `opts` and its path until return. `data` and `fd` are lent until the next
 * call, or to the end of the process.
 * Errors: those of open(2); -ENAMETOOLONG; -EBUSY the old place takes nothing. Nothing has changed.
 */
SOON_API SOON_NODISCARD int soon_log_open(const soon_log_opts *SOON_NULLABLE opts) SOON_ANY_THREAD;

/*
 * Has the path of soon_log_open() opened anew before the next line, as after a logrotate. When that
 * fails the old file is gone on with, and a line says so.
 * Affinity: any, signal-safe. Suspends: never. Errors: -EOPNOTSUPP lines go elsewhere.
 */
SOON_API SOON_NODISCARD int soon_log_reopen(void) SOON_ANY_THREAD;

/*
 * Returns when all that was logged before the call has been written, or dropped by the sink. The
 * end of a run and exit() do it. In a task use soon_offload(), or the core waits, too.
 * Affinity: any. Suspends: blocks the thread. Errors: -ETIMEDOUT; -EDEADLK in the sink.
 */
SOON_API SOON_NODISCARD int soon_log_flush(soon_ns timeout) SOON_ANY_THREAD;

/*
 * Sets the level of a category, and of all without one of their own by NULL: records of this
 * level and those above it in importance are kept. The default is INFO.
 * Affinity: any. Suspends: never; takes a lock.
 * Errors: -ENAMETOOLONG; -ENOSPC the category is one too many.
 */
SOON_API SOON_NODISCARD int soon_log_level(const char *SOON_NULLABLE category, soon_level level)
	SOON_ANY_THREAD;

/*
 * Sets levels by a text such as "info,http=debug,soon=off". SOON_LOG has been read like this
 * before the first record. Errors: -EINVAL a word is not understood; those before it hold.
 */
SOON_API SOON_NODISCARD int soon_log_levels(const char *text) SOON_ANY_THREAD;

/*
 * Adds a task-local to each record of a task that has a value for it, under the key's name: text
 * that ends with a zero, or with `is_number` the pointer's value as a number. For good.
 * Affinity: setup (before the run). Errors: -ENOSPC; -EINVAL the key has no name.
 * Cost: a look at the task's values for each record.
 */
SOON_API SOON_NODISCARD int soon_log_context(const soon_local *key, bool is_number);

/* Returns how many records were dropped, or refused by where they go, since the process began. */
SOON_API uint64_t soon_log_lost(void) SOON_ANY_THREAD;

/*
 * A sink of reports, for soon_on_report(): they become records of the category "soon", in order
 * with all others. One that has no room goes to stderr, as it would have without.
 */
SOON_API SOON_NODISCARD int soon_log_report(const soon_report *report, void *SOON_NULLABLE unused)
	SOON_ANY_THREAD;

/*
 * soon_log(level, message, field...) and, by level, soon_log_error() to soon_log_trace().
 * `level` is a constant, `message` a literal, each field one of those below; they are evaluated
 * only where the level is on. Texts are copied, cut where the record is full.
 * Affinity: any; signal-safe once something was logged outside of signal handlers, or
 * soon_log_open() called. Suspends: never.
 * Limits: above; a full ring drops. Cost: a system call only when the log's thread sleeps.
 */
#define soon_log(level, ...) SOON__LOG(level, __VA_ARGS__, SOON__FIELD_END)
#define soon_log_error(...)  soon_log(SOON_LOG_ERROR, __VA_ARGS__)
#define soon_log_warn(...)   soon_log(SOON_LOG_WARN, __VA_ARGS__)
#define soon_log_info(...)   soon_log(SOON_LOG_INFO, __VA_ARGS__)
#define soon_log_debug(...)  soon_log(SOON_LOG_DEBUG, __VA_ARGS__)
#define soon_log_trace(...)  soon_log(SOON_LOG_TRACE, __VA_ARGS__)

/*
 * soon_logf(level, format, arg...): a message formatted as by printf, on the spot. Not signal-safe.
 */
#define soon_logf(level, ...)                                                                      \
	do {                                                                                       \
		SOON__LOG_SITE(level, NULL);                                                       \
		if (soon__log_is_on(&soon__log_here))                                              \
			soon__logf(&soon__log_here, __VA_ARGS__);                                  \
	} while (0)

/* Returns, for what is costly to find out, whether a record of this level would be kept here. */
#define soon_log_is_on(level)                                                                      \
	__extension__({                                                                            \
		SOON__LOG_SITE(level, NULL);                                                       \
		soon__log_is_on(&soon__log_here);                                                  \
	})

/*
 * Fields. Keys are literals. SOON_F(key, value) takes every integer, bool, float, double, char *
 * (NULL shows as such), soon_slice and void *; what it does not know does not compile.
 */
#define SOON_F_ERR(key, rc)   soon__field_err("" key, (rc)) /* -ENOENT */
#define SOON_F_NS(key, ns)    soon__field_ns("" key, (ns))  /* 3.4ms; JSON: nanoseconds */
#define SOON_F_HEX(key, bits) soon__field_hex("" key, (bits))
#define SOON_F_BYTES(key, ptr, len)                                                                \
	soon__field_slice("" key, soon__slice_of((const char *)(ptr), (len)))
#ifdef __cplusplus
#define SOON_F(key, value) soon__field("" key, (value))
#else
/* clang-format off */
#define SOON_F(key, value) _Generic((value),                                                       \
	_Bool: soon__field_bool, char: soon__field_int, signed char: soon__field_int,              \
	unsigned char: soon__field_uint, short: soon__field_int, int: soon__field_int,             \
	unsigned short: soon__field_uint, unsigned: soon__field_uint,                              \
	long: soon__field_int, long long: soon__field_int,                                         \
	unsigned long: soon__field_uint, unsigned long long: soon__field_uint,                     \
	float: soon__field_double, double: soon__field_double,                                     \
	char *: soon__field_text, const char *: soon__field_text,                                  \
	soon_slice: soon__field_slice,                                                             \
	void *: soon__field_ptr, const void *: soon__field_ptr)("" key, (value))
/* clang-format on */
#endif

#ifdef __cplusplus
}
#endif

#include <soon/log_impl.h>

#endif
