// SPDX-License-Identifier: Apache-2.0
/* What a run has found, for people. */
#ifndef SOON_LOAD_REPORT_H
#define SOON_LOAD_REPORT_H

#include "run.h"

/* Prints the report on stdout. `partial`: why it ended early, or NULL. */
void report_print(const struct plan *plan, const struct outcome *outcome, const char *partial);

/* Prints the figures of any tally, as in a report. */
void report_tally(const struct tally *tally, bool is_open);

/* Warns on stderr of what makes the figures say something else than they seem to. */
void report_warn(const struct plan *plan, const struct outcome *outcome);

/* Prints each threshold that holds on stderr. Returns how many do. */
unsigned report_thresholds(const struct plan *plan, const struct tally *tally);

#endif
