// SPDX-License-Identifier: Apache-2.0
/* result_names.h: the words of the enums in a result file, in the order of the enums. */
#ifndef SOON_HARNESS_RESULT_NAMES_H
#define SOON_HARNESS_RESULT_NAMES_H

#include <stddef.h>

static const char *const result_kind_names[] = { "bench", "load", NULL };
static const char *const result_better_names[] = { "none", "less", "more", NULL };
static const char *const result_state_names[] = { "ok", "skipped", "failed", NULL };

#endif
