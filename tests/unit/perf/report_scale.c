// SPDX-License-Identifier: Apache-2.0
/* report_scale.c: axes have nice numbers on them, and values are where they belong. */
#include "report/scale.h"
#include "support/harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The texts of all ticks, with a comma between them. */
static const char *ticks(const struct scale *scale)
{
	static char all[400];
	size_t length = 0;

	all[0] = '\0';
	for (size_t i = 0; i < scale->tick_count; i++) {
		char text[NUMBER_BYTES];

		length += (size_t)snprintf(all + length, sizeof(all) - length, "%s%s",
			i > 0 ? "," : "", scale_text(scale, scale->ticks[i], text));
	}
	return all;
}

SOON_TEST_PLAIN(report_scale, an_even_axis_begins_at_nothing)
{
	struct scale scale;

	scale_from_zero(&scale, SCALE_NS, 4.3e6);
	cr_expect_str_eq(ticks(&scale), "0,1 ms,2 ms,3 ms,4 ms,5 ms");
	cr_expect_eq(scale.high, 5e6);
	scale_from_zero(&scale, SCALE_NS, 900);
	cr_expect_str_eq(
		ticks(&scale), "0,200 ns,400 ns,600 ns,800 ns,1000 ns", "%s", ticks(&scale));
	scale_from_zero(&scale, SCALE_RATE, 20000);
	cr_expect_str_eq(ticks(&scale), "0,5 k/s,10 k/s,15 k/s,20 k/s", "%s", ticks(&scale));
	scale_from_zero(&scale, SCALE_RATE, 0);
	cr_expect_gt(scale.tick_count, 1);
}

SOON_TEST_PLAIN(report_scale, powers_have_units_of_their_own)
{
	struct scale scale;

	scale_log(&scale, SCALE_NS, 40e3, 430e6);
	cr_expect_str_eq(ticks(&scale), "100 us,1 ms,10 ms,100 ms", "%s", ticks(&scale));
	cr_expect_eq(scale.low, 2e4);
	cr_expect_eq(scale.high, 5e8);
	scale_log(&scale, SCALE_NS, 100, 1000);
	cr_expect_str_eq(ticks(&scale), "100 ns,200 ns,500 ns,1 us", "%s", ticks(&scale));
	scale_log(&scale, SCALE_NS, 1, 1e22);
	cr_expect_str_eq(ticks(&scale), "1 ns,1 us,1 ms,1 s,1000 s,1e+06 s,1e+09 s,1e+12 s", "%s",
		ticks(&scale));
}

SOON_TEST_PLAIN(report_scale, percentiles_go_as_far_as_there_are_values)
{
	struct scale scale;

	scale_percentile(&scale, 50000);
	cr_expect_str_eq(
		ticks(&scale), "0 %,50 %,90 %,99 %,99.9 %,99.99 %,99.999 %", "%s", ticks(&scale));
	scale_percentile(&scale, 30);
	cr_expect_str_eq(ticks(&scale), "0 %,50 %,90 %,99 %", "%s", ticks(&scale));
	scale_percentile(&scale, 1e12);
	cr_expect_eq(scale.high, 5);
	cr_expect_float_eq(scale_share(scale_nines(0.999)), 0.999, 1e-12);
	cr_expect_float_eq(scale_place(&scale, scale_nines(0.99)), 0.4, 1e-12);
}

SOON_TEST_PLAIN(report_scale, what_is_beyond_or_no_number_stays_inside)
{
	static const double values[] = { -1e300, -1, 0, 1e300, 0, 0 };
	double wild[6];
	struct scale scale;

	memcpy(wild, values, sizeof(wild));
	wild[4] = (double)NAN;
	wild[5] = (double)INFINITY;
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			scale_from_zero(&scale, SCALE_NS, 10);
		else
			scale_log(&scale, SCALE_NS, 0, 0);
		for (size_t k = 0; k < 6; k++) {
			double place = scale_place(&scale, wild[k]);

			cr_expect(place >= 0 && place <= 1, "%g: %g", wild[k], place);
		}
		cr_expect_lt(scale.tick_count, SCALE_TICKS_MAX);
	}
}
