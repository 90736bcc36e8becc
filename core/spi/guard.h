// SPDX-License-Identifier: Apache-2.0
/*
 * guard.h: between soon and libsoon-guard, the library that finds calls of libc which block.
 *
 * The guard stands between the program and libc, and works with any build of soon: it knows soon by
 * this table only, which a run hands to the symbol soon_guard_attach if the process has it.
 */
#ifndef CORE_SPI_GUARD_H
#define CORE_SPI_GUARD_H

#include <soon/base.h>

#define SOON__GUARD_VERSION 1u

/* What soon gives the guard. */
struct soon__guard_host {
	unsigned version;

	/* Whether a call that blocks now would keep a core's tasks waiting. Any thread. */
	bool (*is_guarded)(void);

	/*
	 * Files a report: `call` is made at `caller`, the address it returns to, and `instead` says
	 * what to do in its place.
	 */
	void (*found)(const char *call, const char *instead, const void *caller);

	/* Files a line about the guard itself. */
	void (*say)(const char *text);
};

/* What the guard gives soon: how often each place that was reported has called, at a run's end. */
struct soon__guard {
	unsigned version;
	void (*summarize)(void (*fn)(const char *call, const void *caller, unsigned long count));
};

/* Gives NULL when the versions do not match. */
typedef const struct soon__guard *soon__guard_attach_fn(const struct soon__guard_host *host);

#endif
