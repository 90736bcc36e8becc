// SPDX-License-Identifier: Apache-2.0
/* The reports of a test: counted, the first kept, and passed on to the sink as ever. */
#include <soon/report.h>

#include "core/spi/watch.h"

#include "ledger.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
	REPORTS_KEPT = 64,
	REPORTS_SHOWN = 8,
};

struct kept {
	soon_report_level level;
	char text[SOON_REPORT_TEXT_BYTES];
	char task[48];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept kept[REPORTS_KEPT];
static unsigned kept_count;
static uint64_t error_count;
uint64_t soon__test_expected;

/* Called on whatever thread files. */
static int keep(const soon_report *report, void *data)
{
	(void)data;
	(void)pthread_mutex_lock(&lock);
	error_count += report->level == SOON_REPORT_ERROR;
	if (kept_count < REPORTS_KEPT) {
		struct kept *k = &kept[kept_count++];

		k->level = report->level;
		(void)snprintf(k->text, sizeof k->text, "%s", report->text);
		(void)snprintf(k->task, sizeof k->task, "%s", report->task ? report->task : "");
	}
	(void)pthread_mutex_unlock(&lock);
	return 0;
}

void soon__kit_reports_begin(void)
{
	kept_count = 0;
	error_count = 0;
	soon__test_expected = 0;
	soon__watch_reports(keep, NULL);
}

void soon__kit_reports_end(void)
{
	soon__watch_reports(NULL, NULL);
}

uint64_t soon_test_errors(void)
{
	uint64_t count;

	(void)pthread_mutex_lock(&lock);
	count = error_count;
	(void)pthread_mutex_unlock(&lock);
	return count;
}

void soon_test_expect_errors(uint64_t count)
{
	soon__test_expected += count;
}

bool soon_test_reported(const char *text)
{
	bool is_there = false;

	(void)pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < kept_count && !is_there; i++)
		is_there = strstr(kept[i].text, text) != NULL;
	(void)pthread_mutex_unlock(&lock);
	return is_there;
}

void soon__kit_reports_judge(soon_verdict *verdict, unsigned flags, uint64_t errors)
{
	unsigned shown = 0;

	verdict->errors = errors;
	if ((flags & SOON_T_ERRORS_OK) || errors == soon__test_expected)
		return;
	if (soon__test_expected > 0)
		soon__kit_verdict_add(verdict,
			"%ju reports of level ERROR were filed, %ju expected", (uintmax_t)errors,
			(uintmax_t)soon__test_expected);
	else
		soon__kit_verdict_add(
			verdict, "%ju reports of level ERROR were filed:", (uintmax_t)errors);
	for (unsigned i = 0; i < kept_count && shown < REPORTS_SHOWN; i++) {
		const struct kept *k = &kept[i];

		if (k->level != SOON_REPORT_ERROR)
			continue;
		shown++;
		soon__kit_verdict_add(
			verdict, "  %s%s%s", k->text, k->task[0] ? ", in task " : "", k->task);
	}
}
