// SPDX-License-Identifier: Apache-2.0
/*
 * ledger.h: what is counted around a test, private to the kit: reports, descriptors, memory, and
 * at the end of the body who is still alive.
 */
#ifndef TESTS_KIT_LEDGER_H
#define TESTS_KIT_LEDGER_H

#include <soon/test_run.h>

#define KIT_FDS_MAX 65536

/* The descriptors that are open, a bit each. */
struct soon__kit_fds {
	uint64_t words[KIT_FDS_MAX / 64];
};

/* Adds a formatted line to the verdict's text and makes it not ok. */
void soon__kit_verdict_add(soon_verdict *verdict, const char *fmt, ...) SOON_PRINTF(2, 3);

/* Counts reports from here on, and keeps the first of them. */
void soon__kit_reports_begin(void);
void soon__kit_reports_end(void);

/* Judges them: `errors` of them were filed, all of them or those before the end of the body. */
void soon__kit_reports_judge(soon_verdict *verdict, unsigned flags, uint64_t errors);

void soon__kit_fds_read(struct soon__kit_fds *fds);
void soon__kit_fds_judge(soon_verdict *verdict, const struct soon__kit_fds *before, unsigned flags);

/* What the checking tools have to say, where one is there. */
void soon__kit_memory_begin(unsigned flags);
void soon__kit_memory_judge(soon_verdict *verdict, unsigned flags);

/* Who outlived the body. On the core's thread. */
void soon__kit_live_judge(soon_verdict *verdict, unsigned flags);

#endif
