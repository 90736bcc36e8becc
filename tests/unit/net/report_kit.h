// SPDX-License-Identifier: Apache-2.0
/* report_kit.h: the last report that was filed; soon_on_report(report_keep, NULL) begins it. */
#ifndef TESTS_UNIT_NET_REPORT_KIT_H
#define TESTS_UNIT_NET_REPORT_KIT_H

#include <soon/report.h>

#include "support/harness.h"

#include <stdio.h>
#include <string.h>

static char last_report[1024];

static inline int report_keep(const soon_report *report, void *unused)
{
	(void)unused;
	(void)snprintf(last_report, sizeof last_report, "%s", report->text);
	return 0;
}

static inline void report_has(const char *part)
{
	cr_expect_not_null(strstr(last_report, part), "\"%s\" is not in: %s", part, last_report);
}

#endif
