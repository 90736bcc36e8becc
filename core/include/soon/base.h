// SPDX-License-Identifier: Apache-2.0
/*
 * base.h: what every other header of soon stands on.
 *
 * Results are int or ssize_t: zero or positive is success, negative is an errno. The variable
 * errno is never part of this interface, because another task may run between a failure and its
 * reading. Out-parameters come last, are named ret_x, and are untouched on failure.
 *
 * Markers in a declaration say where a function may be called:
 *   SOON_SUSPENDS    only inside a task; other tasks may run before it returns.
 *   SOON_ON_CORE     on a core's thread (in a task or in a callback posted to it); never suspends.
 *   SOON_ANY_THREAD  from every thread.
 * They are for your functions, too. With clang, defining SOON_CHECK_AFFINITY turns the first two
 * into -Wthread-safety checks: who calls a function with a marker has to bear it, or assert it.
 * Define it for a run of the compiler that only checks. For gcc's analyser see <soon/pairing.h>.
 */
#ifndef SOON_BASE_H
#define SOON_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOON_API               __attribute__((visibility("default")))
#define SOON_NODISCARD         __attribute__((warn_unused_result))
#define SOON_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SOON_COLD              __attribute__((cold, noinline))
#define SOON_NULLABLE

#if defined(__clang__) && defined(SOON_CHECK_AFFINITY)
struct __attribute__((capability("role"))) soon__role {
	char unused;
};
extern struct soon__role soon__role_core, soon__role_task;
#define SOON__ROLES(how, ...) __attribute__((how##_capability(__VA_ARGS__)))
#else
#define SOON__ROLES(how, ...)
#endif
#define SOON_SUSPENDS SOON__ROLES(requires, soon__role_task, soon__role_core)
#define SOON_ON_CORE  SOON__ROLES(requires, soon__role_core)
#define SOON_ANY_THREAD

/*
 * For functions whose type is given, so that callers cannot be told by a marker: these abort when
 * they are not in a task, or not on a core's thread, and tell the check that they are.
 */
#define SOON_ASSERT_TASK() soon__assert_task(__func__)
#define SOON_ASSERT_CORE() soon__assert_core(__func__)
SOON_API void soon__assert_task(const char *func)
	SOON__ROLES(assert, soon__role_task, soon__role_core);
SOON_API void soon__assert_core(const char *func) SOON__ROLES(assert, soon__role_core);

/* A call that soon_offload() has a thread make: to be checked as one without any role. */
#if defined(__clang__) && defined(SOON_CHECK_AFFINITY)
static inline bool __attribute__((no_thread_safety_analysis)) soon__as_thread(void)
	SOON__ROLES(release, soon__role_task, soon__role_core)
{
	return false;
}
static inline void __attribute__((no_thread_safety_analysis)) soon__as_task(void)
	SOON__ROLES(acquire, soon__role_task, soon__role_core)
{
}
#define SOON__CHECK_ON_THREAD(call)                                                                \
	do {                                                                                       \
		if (soon__as_thread())                                                             \
			(void)(call);                                                              \
		soon__as_task();                                                                   \
	} while (0)
#else
#define SOON__CHECK_ON_THREAD(call) ((void)0)
#endif

/* What the handles of soon are behind their names; see <soon/pairing.h>. */
#if defined(SOON_CHECK_PAIRING) && !defined(__cplusplus)
#define SOON__HANDLE const
#else
#define SOON__HANDLE
#endif

/* Nanoseconds: a duration, or a point on the monotonic clock of the core. */
typedef int64_t soon_ns;

/* A piece of somebody's memory. Who may read it and until when is said where one is handed out. */
typedef struct soon_slice {
	const char *ptr;
	size_t len;
} soon_slice;

/* A place in the source, recorded where a task is spawned, a scope opened, a cancel asked for. */
typedef struct soon_site {
	const char *file;
	const char *func;
	const char *what; /* the expression: the spawned function, the reason given */
	int line;
} soon_site;

/* A name of its own for what a macro declares, so that its uses may nest. */
#define SOON__PASTE_NOW(a, b) a##b
#define SOON__PASTE(a, b)     SOON__PASTE_NOW(a, b)
#define SOON__UNIQUE(prefix)  SOON__PASTE(prefix, __COUNTER__)

/* Initialises opaque storage of which at most the first word is not zero. */
/* clang-format off */
#define SOON__STORAGE(first) { { (first) } }
/* clang-format on */

/* Statement expressions give a call its own static record of where it was made. */
#define SOON__SITE(what_text)                                                                      \
	static const soon_site soon__site = { __FILE__, __func__, what_text, __LINE__ }

/* gcc forgets warn_unused_result at the end of a statement expression; these remind it. */
static inline SOON_NODISCARD int soon__used(int rc)
{
	return rc;
}

static inline SOON_NODISCARD ssize_t soon__used_size(ssize_t rc)
{
	return rc;
}

#ifdef __cplusplus
}
#endif

#endif
