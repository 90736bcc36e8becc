// SPDX-License-Identifier: Apache-2.0
/* number.c: see number.h. */
#include "number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* How many digits behind the point make three in all that say something, as far as four do. */
static int digits_of(double value)
{
	value = fabs(value);
	if (value < 0.9995)
		return value < 0.09995 ? 4 : 3;
	return value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
}

const char *number_time(double ns, char text[NUMBER_BYTES])
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	unsigned unit = 0;

	while (ns >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		ns /= 1000;
		unit++;
	}
	if (ns == 0)
		(void)snprintf(text, NUMBER_BYTES, "0");
	else
		(void)snprintf(text, NUMBER_BYTES, "%.*f %s", digits_of(ns), ns, units[unit]);
	return text;
}

const char *number_amount(double amount, const char *unit, char text[NUMBER_BYTES])
{
	static const char *const prefixes[] = { "", "k", "M", "G", "T", "P" };
	unsigned prefix = 0;
	int digits;

	while (fabs(amount) >= 999.5 && prefix + 1 < sizeof(prefixes) / sizeof(prefixes[0])) {
		amount /= 1000;
		prefix++;
	}
	digits = prefix == 0 && amount == floor(amount) ? 0 : digits_of(amount);
	(void)snprintf(text, NUMBER_BYTES, "%.*f%s%s%.16s", digits, amount,
		*unit != '\0' || prefix > 0 ? " " : "", prefixes[prefix], unit);
	return text;
}

const char *number_count(uint64_t count, char text[NUMBER_BYTES])
{
	char digits[NUMBER_BYTES];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);
	int at = 0;

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

/* Parts of a percent as far as they say something, but not 0 for what is more than nothing. */
static int share_digits(double share)
{
	double percent = fabs(100 * share);

	return percent < 0.0095 && percent > 0 ? 4 : percent < 0.995 ? 2 : percent < 99.95 ? 1 : 0;
}

const char *number_share(double share, char text[NUMBER_BYTES])
{
	(void)snprintf(
		text, NUMBER_BYTES, "%.*f %%", share == 0 ? 0 : share_digits(share), 100 * share);
	return text;
}

const char *number_signed_share(double share, char text[NUMBER_BYTES])
{
	(void)snprintf(text, NUMBER_BYTES, "%+.*f %%", fabs(share) < 0.9995 ? 1 : 0, 100 * share);
	return text;
}

const char *number_figure(double value, const char *unit, char text[NUMBER_BYTES])
{
	if (strcmp(unit, "ns") == 0)
		return number_time(value, text);
	/* "20.0 k/s" instead of "20.0 k1/s". */
	return number_amount(value, strcmp(unit, "1/s") == 0 ? "/s" : unit, text);
}

const char *number_percentile(double share, char text[NUMBER_BYTES])
{
	/* Ten digits keep 99.999 what it is. */
	(void)snprintf(text, NUMBER_BYTES, "p%.10g", 100 * share);
	return text;
}
