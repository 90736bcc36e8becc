// SPDX-License-Identifier: Apache-2.0
/* measure.h: a case's samples and counts, as an entry of a result. */
#ifndef SOON_HARNESS_MEASURE_H
#define SOON_HARNESS_MEASURE_H

#include "options.h"
#include "result.h"
#include "sample.h"

/* Names of figures and counters that others look for. */
#define MEASURE_WALL         "wall"
#define MEASURE_CPU          "cpu"
#define MEASURE_BYTES        "bytes"
#define MEASURE_ITEMS        "items"
#define MEASURE_ALLOCATIONS  "allocations"
#define MEASURE_ALLOCATED    "allocated"
#define MEASURE_FREED        "freed"
#define MEASURE_INSTRUCTIONS "instructions"
#define MEASURE_SYSTEM_CALLS "system_calls"

/*
 * Measures one case and adds its entry; one that fails, or is skipped, says so in the entry.
 * Returns: 0. Errors: -EINTR `*stop` became true: there is no entry; -ENOMEM.
 */
int measure_case(struct soon_bench_case *bench_case, const struct options *options,
	const volatile sig_atomic_t *stop, struct result *result);

#endif
