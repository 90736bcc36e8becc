// SPDX-License-Identifier: Apache-2.0
/* summary.h: what a report looks up in a result; what samples say is in the harness's summary.h. */
#ifndef SOON_REPORT_SUMMARY_H
#define SOON_REPORT_SUMMARY_H

#include "harness/result.h"
#include "harness/summary.h"

/* Names of figures, counters and phases that a report knows something about. */
#define NAME_WALL  "wall"
#define NAME_CPU   "cpu"
#define NAME_BYTES "bytes" /* of a turn */
#define NAME_ITEMS "items" /* of a turn */

/* Finds by name. Returns: NULL there is none. */
const struct result_counter *summary_counter(const struct result_entry *entry, const char *name);
const struct result_phase *summary_phase(const struct result_load *load, const char *name);

uint64_t summary_errors(const struct result_load *load);

/* A histogram's figures as numbers to calculate with. */
double summary_greatest(const soon_hist *hist);
double summary_count(const soon_hist *hist);

/* Whether enough was recorded to tell this share: at least one value lies beyond it. */
bool summary_reaches(const soon_hist *hist, double share);

#endif
