// SPDX-License-Identifier: Apache-2.0
/* compared.h: two results compared, as a report shows it. */
#ifndef SOON_REPORT_COMPARED_H
#define SOON_REPORT_COMPARED_H

#include "report.h"

/*
 * Compares the entries of two results of one kind: benchmarks by their first figure, loads by all.
 * Ownership: returns owned, to be freed; texts are borrowed from the results. Errors: -ENOMEM.
 */
int compared_make(const struct result *before, const struct result *after,
	struct report_comparison **ret_list, size_t *ret_count);

#endif
