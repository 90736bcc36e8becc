// SPDX-License-Identifier: Apache-2.0
/*
 * guard.h: what every function that stands in for one of libc's is made of.
 *
 *	int usleep(useconds_t us)
 *	{
 *		if (guard_is_on() && us > 0)
 *			GUARD_FOUND("usleep", USE_SLEEP);
 *		return GUARD_REAL(usleep)(us);
 *	}
 *
 * They run on every thread of the process, also before main() and in a child of a fork, so they do
 * nothing but ask until they find something.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include "core/spi/guard.h"

#include <string.h>

#define GUARD_API __attribute__((visibility("default")))

/* The task that calls is on a core: a call that blocks is to be found. */
bool guard_is_on(void);

/*
 * Tells of a call by its place: the first one is reported, the others are counted. `is_ours`
 * callers, soon and the allocator, are left alone.
 */
void guard_found(const char *call, const char *instead, const void *caller);

#define GUARD_FOUND(call, instead) guard_found((call), (instead), __builtin_return_address(0))

/* Whether a call on the descriptor may wait; kinds of descriptors are in io.c. */
bool guard_reads_wait(int fd);
bool guard_writes_wait(int fd);

/* Whether SOON_GUARD lists `files`: reads and writes of files are to be found as well. */
bool guard_has_files(void);

/* The next one of that name in the process, which is libc's; ends the process if there is none. */
void *guard_find(const char *name, const char *version);

#define GUARD_REAL_VERSION(name, version)                                                          \
	__extension__({                                                                            \
		static __typeof__(&name) found_;                                                   \
		/* Relaxed: whoever finds it finds the same. */                                    \
		__typeof__(&name) fn_ = __atomic_load_n(&found_, __ATOMIC_RELAXED);                \
		if (!fn_) {                                                                        \
			void *symbol_ = guard_find(#name, (version));                              \
			memcpy(&fn_, &symbol_, sizeof fn_);                                        \
			__atomic_store_n(&found_, fn_, __ATOMIC_RELAXED);                          \
		}                                                                                  \
		fn_;                                                                               \
	})
#define GUARD_REAL(name) GUARD_REAL_VERSION(name, NULL)

/* What to do instead. */
#define USE_SLEEP   "soon_sleep() lets the others run"
#define USE_IO      "use the soon_ call of that name, or make the descriptor non-blocking"
#define USE_POLL    "soon_poll_fd() waits for a descriptor"
#define USE_OFFLOAD "soon_offload() runs it on a thread"
#define USE_PROC    "soon_proc_spawn() and its family run other programs"
#define USE_SIGNAL  "soon_signal_wait() waits for a signal"
#define USE_SYNC    "objects of soon, such as soon_mutex or soon_future, let the others run"
#define USE_NAMES   "soon_dial() and soon_listen() look names up; soon_offload() runs the rest"

#endif
