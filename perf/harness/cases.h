// SPDX-License-Identifier: Apache-2.0
/* cases.h: the benchmarks of a program, one case for each parameter. */
#ifndef SOON_HARNESS_CASES_H
#define SOON_HARNESS_CASES_H

#include "sample.h"

#include <stddef.h>

struct cases {
	struct soon_bench_case *list;
	size_t count;
	char message[CASE_MESSAGE_BYTES]; /* of cases_make, when it failed */
};

/*
 * Makes the cases of all that soon_bench_add was given, in that order. `threads` above 0 takes the
 * place of what plain benchmarks say themselves.
 * Returns: 0. Errors: -EINVAL a definition makes no sense, or two have one name; -ENOMEM.
 */
int cases_make(unsigned threads, struct cases *ret_cases);
void cases_free(struct cases *cases);

#endif
