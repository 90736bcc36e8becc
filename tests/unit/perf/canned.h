// SPDX-License-Identifier: Apache-2.0
/* canned.h: results as programs would leave them, always the same. */
#ifndef TESTS_UNIT_PERF_CANNED_H
#define TESTS_UNIT_PERF_CANNED_H

#include "report/report.h"

/* What somebody may write who wants a report to do something else than to show it. */
#define CANNED_HOSTILE                                                                             \
	"</script><script>alert(1)</script>\"'`|,;=\n\t\x01"                                       \
	"\x1b[31m\xff\xc3(\xe2\x80\xae&amp; ${x} _*#"

/*
 * An open loop: 12 s at 20 k/s, with a stall, errors during it and phases "total", "first byte",
 * "connect" and "lag". `slower` multiplies its latencies.
 */
struct result *canned_load(const char *name, const char *url, double slower);

/* Benchmarks: some with a parameter, one skipped, one failed. `slower` as above. */
struct result *canned_bench(const char *name, double slower);

/* One whose every text is CANNED_HOSTILE, of that kind. */
struct result *canned_hostile(enum result_kind kind);

/* A comparison with each verdict. */
extern const struct report_comparison canned_comparisons[];
extern const size_t canned_comparison_count;

/* The report as a text, owned by the caller; NULL: an error, which `error` tells. */
char *canned_report(const struct report *report, enum report_format format,
	struct result_error *error, int *ret_rc);

#endif
