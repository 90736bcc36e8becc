// SPDX-License-Identifier: Apache-2.0
/* show.h: results of benchmarks as lines for people. */
#ifndef SOON_HARNESS_SHOW_H
#define SOON_HARNESS_SHOW_H

#include "result.h"

#include <stdio.h>

/* How wide the names are. */
int show_width(const struct result *result);

/* Where it was measured, and what of it makes figures worse. */
void show_environment(FILE *out, const struct result_environment *environment);
void show_head(FILE *out, int width);
void show_entry(FILE *out, int width, const struct result_entry *entry);

/* How the time of each group with enough parameters grows; nothing where there is none. */
void show_fits(FILE *out, const struct result *result);

#endif
