// SPDX-License-Identifier: Apache-2.0
/* number.c: three digits that say something, and a unit that fits, also at the edges. */
#include "harness/number.h"

#include "support/harness.h"

SOON_TEST_PLAIN(number, numbers_have_three_digits_and_a_unit)
{
	char text[NUMBER_BYTES];

	cr_expect_str_eq(number_time(0, text), "0");
	cr_expect_str_eq(number_time(0.123, text), "0.123 ns");
	cr_expect_str_eq(number_time(999.4, text), "999 ns");
	cr_expect_str_eq(number_time(999.6, text), "1.00 us");
	cr_expect_str_eq(number_time(12.345e6, text), "12.3 ms");
	cr_expect_str_eq(number_time(7200e9, text), "7200 s");
	cr_expect_str_eq(number_amount(20000, "/s", text), "20.0 k/s");
	cr_expect_str_eq(number_amount(7, "", text), "7");
	cr_expect_str_eq(number_amount(1.5e9, "B", text), "1.50 GB");
	cr_expect_str_eq(number_figure(20000, "1/s", text), "20.0 k/s");
	cr_expect_str_eq(number_figure(1500, "ns", text), "1.50 us");
	cr_expect_str_eq(number_amount(1500, "B", text), "1.50 kB");
	cr_expect_str_eq(number_count(0, text), "0");
	cr_expect_str_eq(number_count(1234567, text), "1,234,567");
	cr_expect_str_eq(number_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
	cr_expect_str_eq(number_share(0.5, text), "50.0 %");
	cr_expect_str_eq(number_share(0.00001, text), "<0.01 %");
	cr_expect_str_eq(number_amount(1e-9, "B", text), "<0.0001 B");
	cr_expect_str_eq(number_share(0, text), "0 %");
	cr_expect_str_eq(number_signed_share(-0.03, text), "-3.0 %");
	cr_expect_str_eq(number_percentile(0.5, text), "p50");
	cr_expect_str_eq(number_percentile(0.99999, text), "p99.999");
}
