// SPDX-License-Identifier: Apache-2.0
/* show.h: results of benchmarks as lines for people. */
#ifndef SOON_HARNESS_SHOW_H
#define SOON_HARNESS_SHOW_H

#include "result.h"

#include <stdio.h>

#define SHOW_NUMBER_BYTES 32

/* Three digits and a unit: "12.3 ns", "4.56 ms", "1.20 GB". Returns `text`. */
const char *show_time(double ns, char text[SHOW_NUMBER_BYTES]);
const char *show_amount(double amount, const char *unit, char text[SHOW_NUMBER_BYTES]);

/* A figure in its unit: one of nanoseconds as a time. */
const char *show_figure(double value, const char *unit, char text[SHOW_NUMBER_BYTES]);

/* How wide the names are. */
int show_width(const struct result *result);

/* Where it was measured, and what of it makes figures worse. */
void show_environment(FILE *out, const struct result_environment *environment);
void show_head(FILE *out, int width);
void show_entry(FILE *out, int width, const struct result_entry *entry);

/* How the time of each group with enough parameters grows; nothing where there is none. */
void show_fits(FILE *out, const struct result *result);

#endif
