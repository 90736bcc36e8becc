// SPDX-License-Identifier: Apache-2.0
/* Who and what is left when a body ends: tasks, operations, descriptors, memory. */
#include "ledger.h"

#include <soon/assert.h>

#include "core/spi/poller.h"
#include "core/spi/watch.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND   0
#define VALGRIND_COUNT_ERRORS 0u
#endif

enum {
	SHOWN_MAX = 16, /* culprits of one kind that are named */
};

/* There when the test is built with AddressSanitizer, whoever built the kit. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

static unsigned long errors_before;

void soon__kit_verdict_add(soon_verdict *verdict, const char *fmt, ...)
{
	size_t len = strlen(verdict->text);
	size_t room = sizeof verdict->text - len;
	va_list args;
	int n;

	verdict->is_ok = false;
	if (room < 2)
		return;
	va_start(args, fmt);
	n = vsnprintf(verdict->text + len, room - 1, fmt, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t)n > room - 2)
		n = (int)(room - 2);
	verdict->text[len + (size_t)n] = '\n';
	verdict->text[len + (size_t)n + 1] = '\0';
}

/* ---- descriptors ------------------------------------------------------------------------- */

void soon__kit_fds_read(struct soon__kit_fds *fds)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	*fds = (struct soon__kit_fds){ 0 };
	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL) {
		char *end;
		long fd = strtol(entry->d_name, &end, 10);

		if (*end == '\0' && end != entry->d_name && fd != dirfd(dir) && fd < KIT_FDS_MAX)
			fds->words[fd / 64] |= UINT64_C(1) << (fd % 64);
	}
	(void)closedir(dir);
}

static void name_fd(soon_verdict *verdict, int fd)
{
	char path[64], target[256];
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof target - 1);
	target[n > 0 ? n : 0] = '\0';
	soon__kit_verdict_add(verdict, "  descriptor %d was left open: %s", fd, target);
}

void soon__kit_fds_judge(soon_verdict *verdict, const struct soon__kit_fds *before, unsigned flags)
{
	static struct soon__kit_fds after;

	if (flags & SOON_T_FDS_OK)
		return;
	soon__kit_fds_read(&after);
	for (int fd = 0; fd < KIT_FDS_MAX; fd++) {
		uint64_t bit = UINT64_C(1) << (fd % 64);

		if (!(after.words[fd / 64] & bit) || (before->words[fd / 64] & bit))
			continue;
		if (verdict->descriptors++ < SHOWN_MAX)
			name_fd(verdict, fd);
	}
	if (verdict->descriptors > 0)
		soon__kit_verdict_add(verdict, "%u descriptors leaked", verdict->descriptors);
}

/* ---- memory ------------------------------------------------------------------------------ */

static bool has_lost_memory(void)
{
	unsigned long lost = 0, dubious = 0, reachable = 0, suppressed = 0;

	if (__lsan_do_recoverable_leak_check)
		return __lsan_do_recoverable_leak_check() != 0;
#ifdef VALGRIND_DO_LEAK_CHECK
	if (RUNNING_ON_VALGRIND) {
		VALGRIND_DO_LEAK_CHECK;
		VALGRIND_COUNT_LEAKS(lost, dubious, reachable, suppressed);
	}
#endif
	(void)dubious, (void)reachable, (void)suppressed;
	return lost > 0;
}

void soon__kit_memory_begin(unsigned flags)
{
	errors_before = VALGRIND_COUNT_ERRORS;
	/* What may be lost is not looked for at the exit of the process either. */
	if ((flags & SOON_T_MEMORY_OK) && __lsan_disable)
		__lsan_disable();
}

void soon__kit_memory_judge(soon_verdict *verdict, unsigned flags)
{
	if (VALGRIND_COUNT_ERRORS > errors_before)
		soon__kit_verdict_add(verdict, "Valgrind found errors, see above");
	if ((flags & SOON_T_MEMORY_OK) && __lsan_enable)
		__lsan_enable();
	if ((flags & SOON_T_MEMORY_OK) || !has_lost_memory())
		return;
	verdict->has_lost_memory = true;
	soon__kit_verdict_add(verdict, "memory leaked, see above");
}

/* ---- tasks and operations ---------------------------------------------------------------- */

static void name_task(const struct soon__live_task *task, void *data)
{
	soon_verdict *verdict = data;
	char timer[64] = "";

	if (verdict->tasks++ >= SHOWN_MAX)
		return;
	if (task->timer_at != SOON_NEVER)
		(void)snprintf(timer, sizeof timer, "; its timer is due in %.3f s",
			(double)(task->timer_at - soon_now()) / 1e9);
	soon__kit_verdict_add(verdict, "  task '%s', spawned at %s:%d, %s%s%s", task->name,
		task->site->file, task->site->line, task->what ? "waits in " : "is ready to run",
		task->what ? task->what : "", timer);
}

static void name_operation(const char *what, int fd, void *data)
{
	soon_verdict *verdict = data;
	char path[64], target[256];
	ssize_t n;

	if (verdict->operations++ >= SHOWN_MAX)
		return;
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = fd < 0 ? 0 : readlink(path, target, sizeof target - 1);
	target[n > 0 ? n : 0] = '\0';
	soon__kit_verdict_add(verdict, "  in flight: %s on descriptor %d %s", what, fd, target);
}

void soon__kit_live_judge(soon_verdict *verdict, unsigned flags)
{
	struct soon__poller *poller = soon__poller_self();

	if (!(flags & SOON_T_TASKS_OK)) {
		soon__watch_tasks(name_task, verdict);
		verdict->timers = (unsigned)soon__watch_timers();
		if (verdict->tasks > 0)
			soon__kit_verdict_add(
				verdict, "%u tasks outlived the body", verdict->tasks);
		if (verdict->timers > 0)
			soon__kit_verdict_add(verdict, "%u timers were armed when the body ended",
				verdict->timers);
	}
	if ((flags & SOON_T_IO_OK) || poller->ops->inflight(poller) == 0)
		return;
	poller->ops->each_inflight(poller, name_operation, verdict);
	verdict->operations = poller->ops->inflight(poller);
	soon__kit_verdict_add(
		verdict, "%u operations were in flight when the body ended", verdict->operations);
}
