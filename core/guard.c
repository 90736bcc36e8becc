// SPDX-License-Identifier: Apache-2.0
#include "guard.h"

#include <soon/assert.h>
#include <soon/debug.h>

#include "core/spi/guard.h"
#include "core/spi/text.h"

#include "capture.h"
#include "core.h"
#include "symbol.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static const struct soon__guard *guard; /* NULL: the process has none */

/* How deep the thread is in calls that may block, being meant to. */
static _Thread_local unsigned pauses;

void soon__guard_pause(void)
{
	pauses++;
}

void soon__guard_resume(void)
{
	SOON_ASSERT(pauses > 0);
	pauses--;
}

static bool is_guarded(void)
{
	return soon__core && soon__core->sched.current && pauses == 0;
}

/* Not inlined: the calls and the text above them would be too much for one frame. */
static SOON_COLD void put_place(struct soon__text *text, const void *caller)
{
	struct soon__symbols *symbols = soon__symbols_borrow();
	struct soon__capture calls;

	soon__capture_own(&calls, caller);
	if (!symbols) {
		soon__text_hex(text, (uint64_t)(uintptr_t)caller);
		return;
	}
	soon__text_capture(text, symbols, &calls);
	soon__symbols_give_back();
}

static void found(const char *call, const char *instead, const void *caller)
{
	const soon_task *task = soon__core->sched.current;
	struct soon__text text;
	char buf[SOON_REPORT_TEXT_BYTES];

	/* What a report does to be told is meant. */
	pauses++;
	soon__text_init(&text, buf, sizeof buf, SOON__TEXT_NO_FD);
	soon__text_str(&text, call);
	soon__text_str(&text, "() on a core, which keeps all its tasks waiting; ");
	soon__text_str(&text, instead);
	soon__text_str(&text, ": in ");
	put_place(&text, caller);
	soon_report_at(SOON_REPORT_ERROR, 0, task->site, "%s", buf);
	pauses--;
}

static void say(const char *text)
{
	soon_report_file(SOON_REPORT_WARNING, 0, "%s", text);
}

static void attach(void)
{
	static const struct soon__guard_host host = {
		.version = SOON__GUARD_VERSION,
		.is_guarded = is_guarded,
		.found = found,
		.say = say,
	};
	void *symbol = dlsym(RTLD_DEFAULT, "soon_guard_attach");
	soon__guard_attach_fn *fn;

	if (!symbol)
		return;
	memcpy(&fn, &symbol, sizeof fn);
	guard = fn(&host);
	if (!guard)
		say("libsoon-guard is of another version than soon, and finds nothing");
}

void soon__guard_begin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, attach);
}

static void tell_count(const char *call, const void *caller, unsigned long count)
{
	struct soon__symbols *symbols = soon__symbols_borrow();
	const struct soon__symbol *symbol;

	if (!symbols)
		return;
	symbol = soon__symbol_find(symbols, (uintptr_t)caller, true);
	soon_report_file(SOON_REPORT_INFO, 0, "%s() was called on a core %lu times by %s+0x%jx",
		call, count, symbol->name[0] ? symbol->name : "?", (uintmax_t)symbol->offset);
	soon__symbols_give_back();
}

void soon__guard_end(void)
{
	if (guard)
		guard->summarize(tell_count);
}
