// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <math.h>
#include <string.h>

#define EXACT_MAX 9007199254740992.0 /* 2^53 */
#define YEAR_NS   (365.0 * 86400.0 * 1e9)

struct unit {
	const char *name;
	double factor;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int text_number(const char **at, double *ret_value)
{
	const char *c = *at;
	double value = 0, part = 1;
	bool has_digit = false;

	for (; is_digit(*c); c++) {
		value = value * 10 + (*c - '0');
		has_digit = true;
	}
	if (!has_digit)
		return -EINVAL;
	if (*c == '.' && is_digit(c[1]))
		for (c++; is_digit(*c); c++) {
			part /= 10;
			value += part * (*c - '0');
		}
	*at = c;
	*ret_value = value;
	return 0;
}

/* Reads a number with one of `units`, the last of which has no name. */
static int with_unit(const char *text, const struct unit *units, double max, double *ret_value)
{
	double value;
	int rc = text_number(&text, &value);

	while (rc == 0 && strcmp(text, units->name) != 0) {
		if (units->name[0] == '\0')
			return -EINVAL;
		units++;
	}
	if (rc < 0)
		return rc;
	value *= units->factor;
	if (value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int text_count(const char *text, uint64_t *ret_count)
{
	static const struct unit units[] = { { "k", 1e3 }, { "M", 1e6 }, { "", 1 } };
	double value;
	int rc = with_unit(text, units, EXACT_MAX, &value);

	/* 1.2k is 1200, but for what the binary digits make of it. */
	if (rc == 0 && fabs(value - round(value)) > 1e-6)
		rc = -EINVAL;
	if (rc == 0)
		*ret_count = (uint64_t)(value + 0.5);
	return rc;
}

int text_bytes(const char *text, size_t *ret_bytes)
{
	static const struct unit units[] = { { "k", 1024 }, { "K", 1024 }, { "KiB", 1024 },
		{ "M", 1048576 }, { "MiB", 1048576 }, { "B", 1 }, { "", 1 } };
	double value;
	int rc = with_unit(text, units, EXACT_MAX, &value);

	if (rc == 0 && value != floor(value))
		rc = -EINVAL;
	if (rc == 0)
		*ret_bytes = (size_t)value;
	return rc;
}

int text_duration(const char *text, soon_ns *ret_ns)
{
	static const struct unit units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 },
		{ "s", 1e9 }, { "m", 60e9 }, { "min", 60e9 }, { "h", 3600e9 }, { "", 1e9 } };
	double value;
	int rc = with_unit(text, units, YEAR_NS, &value);

	if (rc == 0)
		*ret_ns = (soon_ns)(value + 0.5);
	return rc;
}
