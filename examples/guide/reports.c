// SPDX-License-Identifier: Apache-2.0
/*
 * reports.c: what a program does wrong, and what soon says about it. Each function has one mistake;
 * see docs/guide/cancellation.md.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <string.h>

static bool has_reported;

/* The program's own sink: warnings and errors on stdout, what is only for information nowhere. */
static int print_report(const soon_report *report, void *unused)
{
	(void)unused;
	if (report->level == SOON_REPORT_INFO)
		return 0;
	has_reported = true;
	return printf("%s: %s\n", report->level == SOON_REPORT_ERROR ? "error" : "warning",
		       report->text) < 0
		? -EIO
		: 0;
}

/* Takes every failure for one that trying again cures. */
static int poll_for_ever(soon_ns interval)
{
	for (int polls = 0; polls < 1000; polls++) {
		if (soon_sleep(interval) < 0)
			continue;
	}
	return 0;
}

static int ignores_cancel(void *unused)
{
	(void)unused;
	return (int)soon_within(SOON_MS(10), poll_for_ever(SOON_S(1)));
}

/* Invents the code that means "your scope was cancelled". */
static int give_up(void *unused)
{
	(void)unused;
	return -ECANCELED;
}

static int strays(void *unused)
{
	soon_failure why;
	ssize_t rc;
	SOON_GROUP(g);

	(void)unused;
	rc = soon_spawn(&g, give_up, NULL);
	rc = soon_group_close(&g, rc);
	if (soon_group_failures(&g, &why, 1) == 1)
		printf("failure of %s: %s\n", why.task, why.message);
	return (int)rc;
}

static int leaves_scope(void *unused)
{
	SOON_SCOPE(s, .timeout = SOON_S(1));

	(void)unused;
	return soon_scope_expired(&s); /* without soon_scope_close */
}

static int wait_for(soon_event *event)
{
	return soon_event_wait(event);
}

static int leaves_group(void *unused)
{
	static soon_event never = SOON_EVENT_INIT;
	int rc;
	SOON_GROUP(g);

	(void)unused;
	rc = soon_spawn(&g, wait_for, &never);
	return rc == 0 ? soon_yield() : rc; /* without soon_group_close */
}

/* Waits for what only its owner can end, and hides from the cancel meanwhile. */
static int hold_on(soon_event *event)
{
	return (int)soon_shielded(SOON_NEVER, soon_event_wait(event));
}

static int let_go_when_reported(soon_event *event)
{
	int rc = 0;

	while (rc == 0 && !has_reported)
		rc = soon_sleep(SOON_MS(1));
	(void)soon_event_set(event);
	return rc;
}

static int sticks(void *unused)
{
	soon_event held = SOON_EVENT_INIT;
	int rc;
	SOON_GROUP(outer);

	(void)unused;
	has_reported = false;
	rc = soon_spawn(&outer, let_go_when_reported, &held);
	if (rc == 0) {
		SOON_GROUP(inner);
		rc = soon_spawn(&inner, hold_on, &held);
		if (rc == 0)
			rc = soon_yield();
		soon_group_cancel(&inner, "over");
		rc = (int)soon_group_close(&inner, rc);
	}
	return (int)soon_group_close(&outer, rc);
}

struct pair {
	soon_mutex *first, *second;
};

static int lock_both(struct pair *pair)
{
	int rc = soon_mutex_lock(pair->first);

	if (rc < 0)
		return rc;
	SOON_MUTEX_OWN(pair->first);
	rc = soon_yield();
	if (rc == 0)
		rc = soon_mutex_lock(pair->second);
	if (rc == 0)
		(void)soon_mutex_unlock(pair->second);
	return rc;
}

static int deadlocks(void *unused)
{
	static soon_mutex a, b;
	struct pair ab = { &a, &b }, ba = { &b, &a };
	int rc;
	SOON_GROUP(g);

	(void)unused;
	rc = soon_spawn(&g, lock_both, &ab);
	if (rc == 0)
		rc = soon_spawn(&g, lock_both, &ba);
	return (int)soon_group_close(&g, rc);
}

/* A failure that was set for somebody who never looked. */
static int forgets_failure(void *unused)
{
	soon_future answer = { 0 };

	(void)unused;
	(void)soon_future_set(&answer, -ENOENT, 0);
	soon_future_fini(&answer);
	return 0;
}

static int fail_in_background(void *unused)
{
	(void)unused;
	return soon_fail(-EIO, "no disk");
}

static int fails_behind(void *unused)
{
	int rc = soon_background(fail_in_background, NULL);

	(void)unused;
	return rc == 0 ? soon_sleep_until(SOON_NEVER) : rc;
}

/* What all tasks do, at any moment: here one that waits. */
static int dumps(void *unused)
{
	static soon_event never = SOON_EVENT_INIT;
	char line[1024];
	FILE *file = tmpfile();
	int rc;
	SOON_GROUP(g);

	(void)unused;
	rc = file ? soon_spawn(&g, wait_for, &never) : -EIO;
	if (rc == 0)
		rc = soon_yield();
	if (rc == 0)
		rc = soon_dump(fileno(file), SOON_DUMP_NO_STACKS);
	if (file)
		rewind(file);
	while (rc == 0 && fgets(line, sizeof line, file)) {
		if (strstr(line, "'wait_for'"))
			printf("the dump has wait_for, in an event: %s\n",
				strstr(line, "event wait") ? "yes" : "no");
	}
	if (file)
		(void)fclose(file);
	soon_group_cancel(&g, "seen enough");
	return (int)soon_group_close(&g, rc);
}

int main(void)
{
	static const struct {
		const char *name;
		int (*fn)(void *);
	} mistakes[] = {
		{ "ignores cancel", ignores_cancel },
		{ "strays", strays },
		{ "leaves scope", leaves_scope },
		{ "leaves group", leaves_group },
		{ "sticks", sticks },
		{ "deadlocks", deadlocks },
		{ "forgets failure", forgets_failure },
		{ "fails behind", fails_behind },
		{ "dumps", dumps },
	};

	soon_on_report(print_report, NULL);
	for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
		soon_opts opts = { .grace = SOON_MS(20) };
		int rc;

		printf("-- %s\n", mistakes[i].name);
		rc = soon_run_with(&opts, mistakes[i].fn, NULL);
		printf("run: %s\n", rc < 0 ? strerror(-rc) : "fine");
	}
	printf("errors: %llu, lost: %llu\n", (unsigned long long)soon_report_errors(),
		(unsigned long long)soon_reports_lost());
	return 0;
}
