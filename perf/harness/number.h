// SPDX-License-Identifier: Apache-2.0
/* number.h: numbers as people read them: three digits, and a unit that fits. */
#ifndef SOON_HARNESS_NUMBER_H
#define SOON_HARNESS_NUMBER_H

#include <stdint.h>

#define NUMBER_BYTES 48

/* Each returns `text`. */
const char *number_time(double ns, char text[NUMBER_BYTES]);                         /* "1.23 ms" */
const char *number_amount(double amount, const char *unit, char text[NUMBER_BYTES]); /* "4.5 MB" */
const char *number_count(uint64_t count, char text[NUMBER_BYTES]);                   /* "12,345" */
const char *number_share(double share, char text[NUMBER_BYTES]);                     /* "0.12 %" */
const char *number_signed_share(double share, char text[NUMBER_BYTES]);              /* "+3.1 %" */

/* A figure of that unit: one of nanoseconds as a time, others as amounts. */
const char *number_figure(double value, const char *unit, char text[NUMBER_BYTES]);

/* A share as a percentile: "p50", "p99.9". */
const char *number_percentile(double share, char text[NUMBER_BYTES]);

#endif
