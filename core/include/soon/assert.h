// SPDX-License-Identifier: Apache-2.0
/*
 * assert.h: checks that stay in every build. A failed one is a programmer's error, of the library
 * or of its user, that would corrupt memory if it went on: it aborts with the function, the
 * expression and the running task's name.
 */
#ifndef SOON_ASSERT_H
#define SOON_ASSERT_H

#include <soon/report.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOON_LIKELY(c)   __builtin_expect(!!(c), 1)
#define SOON_UNLIKELY(c) __builtin_expect(!!(c), 0)

/* O(1) and cheap; on in every build. */
#define SOON_ASSERT(c)                                                                             \
	do {                                                                                       \
		if (SOON_UNLIKELY(!(c)))                                                           \
			soon__assert_failed(#c, __func__, __FILE__, __LINE__);                     \
	} while (0)

/* O(n) walks; only where SOON_DEBUG_CHECKS is defined. */
#ifdef SOON_DEBUG_CHECKS
#define SOON_DASSERT(c) SOON_ASSERT(c)
#else
#define SOON_DASSERT(c) ((void)sizeof(c))
#endif

SOON_API __attribute__((noreturn)) SOON_COLD void soon__assert_failed(
	const char *expr, const char *func, const char *file, int line);

/* Aborts with a formatted message, for misuse that would corrupt memory. Affinity: any. */
SOON_API __attribute__((noreturn)) SOON_COLD void soon_die(const char *fmt, ...) SOON_PRINTF(1, 2);

/*
 * Files a report, see <soon/report.h>. `rc` is a negative errno or 0.
 * Affinity: any; not signal-safe. Limits: SOON_REPORT_TEXT_BYTES, cut beyond.
 */
SOON_API SOON_COLD void soon_report_file(soon_report_level level, int rc, const char *fmt, ...)
	SOON_PRINTF(3, 4);

/* Likewise about `site`, which the report's reader gets, too. Null: `site` for none. */
SOON_API SOON_COLD void soon_report_at(soon_report_level level, int rc,
	const soon_site *SOON_NULLABLE site, const char *fmt, ...) SOON_PRINTF(4, 5);

/* The object that has `member` at `ptr`. */
#define SOON_CONTAINER_OF(ptr, type, member)                                                       \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* The same for what may only be read. */
#define SOON_CONTAINER_OF_CONST(ptr, type, member)                                                 \
	((const type *)(const void *)((const char *)(ptr)-offsetof(type, member)))

#ifdef __cplusplus
}
#endif

#endif
