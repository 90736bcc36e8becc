// SPDX-License-Identifier: Apache-2.0
/* number.c: see number.h. */
#include "number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What would be 0.0000 is more than nothing, and what has no unit any more has an exponent. */
#define LEAST      0.00005
#define LEAST_TEXT "<0.0001"
#define GREATEST   1e7

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
	else if (ns > 0 && ns < LEAST)
		(void)snprintf(text, NUMBER_BYTES, LEAST_TEXT " %s", units[unit]);
	else if (ns >= GREATEST)
		(void)snprintf(text, NUMBER_BYTES, "%.3g %s", ns, units[unit]);
	else
		(void)snprintf(text, NUMBER_BYTES, "%.*f %s", digits_of(ns), ns, units[unit]);
	return text;
}

const char *number_amount(double amount, const char *unit, char text[NUMBER_BYTES])
{
	static const char *const prefixes[] = { "", "k", "M", "G", "T", "P" };
	unsigned prefix = 0;
	const char *space = *unit != '\0' ? " " : "";
	int digits;

	if (amount > 0 && amount < LEAST) {
		(void)snprintf(text, NUMBER_BYTES, LEAST_TEXT "%s%.16s", space, unit);
		return text;
	}
	while (fabs(amount) >= 999.5 && prefix + 1 < sizeof(prefixes) / sizeof(prefixes[0])) {
		amount /= 1000;
		prefix++;
	}
	if (fabs(amount) >= GREATEST) {
		(void)snprintf(text, NUMBER_BYTES, "%.3g %s%.16s", amount, prefixes[prefix], unit);
		return text;
	}
	digits = prefix == 0 && amount == floor(amount) ? 0 : digits_of(amount);
	(void)snprintf(text, NUMBER_BYTES, "%.*f%s%s%.16s", digits, amount,
		prefix > 0 ? " " : space, prefixes[prefix], unit);
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

const char *number_share(double share, char text[NUMBER_BYTES])
{
	double percent = 100 * share;
	int digits = percent < 0.995 ? 2 : percent < 99.95 ? 1 : 0;

	/* Not 0 for what is more than nothing. */
	if (percent > 0 && percent < 0.01)
		(void)snprintf(text, NUMBER_BYTES, "<0.01 %%");
	else
		(void)snprintf(text, NUMBER_BYTES, "%.*f %%", share == 0 ? 0 : digits, percent);
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
