// SPDX-License-Identifier: Apache-2.0
#include "threshold.h"

#include "../harness/summary.h"
#include "../harness/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define VALUE_BYTES 32

static int refuse(char *ret_wrong, const char *why)
{
	(void)snprintf(ret_wrong, THRESHOLD_WRONG_BYTES, "%s", why);
	return -EINVAL;
}

static bool skip(const char **at, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*at, word, length) != 0)
		return false;
	*at += length;
	return true;
}

static int parse_quantile(const char **at, struct threshold *threshold, char *ret_wrong)
{
	double percent;

	if (text_number(at, &percent) < 0 || percent > 100)
		return refuse(ret_wrong, "after p comes a percentage: p50, p99.9, p100");
	threshold->share = percent / 100;
	return 0;
}

static int parse_figure(const char **at, struct threshold *threshold, char *ret_wrong)
{
	if (skip(at, "connect."))
		threshold->phase = PHASE_CONNECT;
	else if (skip(at, "tls."))
		threshold->phase = PHASE_TLS;
	else if (skip(at, "first."))
		threshold->phase = PHASE_FIRST;

	if (skip(at, "p"))
		return parse_quantile(at, threshold, ret_wrong);
	if (skip(at, "max")) {
		threshold->share = 1;
	} else if (skip(at, "min")) {
		threshold->share = 0;
	} else if (skip(at, "mean")) {
		threshold->figure = THRESHOLD_MEAN;
	} else if (threshold->phase == PHASE_TOTAL && skip(at, "rate")) {
		threshold->figure = THRESHOLD_RATE;
	} else if (threshold->phase == PHASE_TOTAL && skip(at, "errors")) {
		threshold->figure = THRESHOLD_ERRORS;
	} else {
		return refuse(ret_wrong,
			"it begins with pNN, max, min, mean, rate or errors; before a time may "
			"stand connect., tls. or first.");
	}
	return 0;
}

/* What stands behind the operator, with the spaces around it left away. */
static int parse_value(const char *at, struct threshold *threshold, char *ret_wrong)
{
	char text[VALUE_BYTES];
	size_t length = strlen(at);
	soon_ns ns;
	uint64_t count;

	while (length > 0 && at[length - 1] == ' ')
		length--;
	if (length == 0 || length >= sizeof text)
		return refuse(ret_wrong, "a value is missing");
	(void)snprintf(text, sizeof text, "%.*s", (int)length, at);

	if (threshold->figure == THRESHOLD_QUANTILE || threshold->figure == THRESHOLD_MEAN) {
		/* A bare number would be seconds, which nobody means here. */
		if (strspn(text, "0123456789.") == length || text_duration(text, &ns) < 0)
			return refuse(
				ret_wrong, "the value is a time with its unit: 5ms, 250us, 1s");
		threshold->value = (double)ns;
		return 0;
	}
	if (text[length - 1] == '%') {
		const char *number = text;

		threshold->is_percent = true;
		if (text_number(&number, &threshold->value) < 0 || strcmp(number, "%") != 0)
			return refuse(ret_wrong, "the value is no percentage");
		return 0;
	}
	if (text_count(text, &count) < 0)
		return refuse(ret_wrong, "the value is a number, such as 20k, or a percentage");
	threshold->value = (double)count;
	return 0;
}

int threshold_parse(
	const char *text, struct threshold *ret_threshold, char ret_wrong[THRESHOLD_WRONG_BYTES])
{
	struct threshold threshold = { .text = text };
	const char *at = text;
	int rc;

	while (skip(&at, " "))
		;
	rc = parse_figure(&at, &threshold, ret_wrong);
	if (rc < 0)
		return rc;
	while (skip(&at, " "))
		;
	threshold.is_below = *at == '<';
	if (*at != '<' && *at != '>')
		return refuse(ret_wrong, "behind the figure comes >, >=, < or <=");
	at++;
	threshold.is_equal_too = skip(&at, "=");
	while (skip(&at, " "))
		;
	rc = parse_value(at, &threshold, ret_wrong);
	if (rc == 0)
		*ret_threshold = threshold;
	return rc;
}

static double percent(uint64_t part, uint64_t all)
{
	return 100.0 * (double)part / (double)all;
}

/* The figure in the unit of the threshold. Returns false when there is none. */
static bool figure_of(
	const struct threshold *threshold, const struct tally *tally, double *ret_value)
{
	const soon_hist *hist = tally->phases[threshold->phase];
	uint64_t failed = tally_failed_count(tally) + tally->unfinished;
	uint64_t all = tally->good + failed + tally->unsent;

	switch (threshold->figure) {
	case THRESHOLD_RATE:
		*ret_value = threshold->is_percent && all > 0 ? percent(tally->good, all)
							      : tally_rate(tally, tally->completed);
		return all > 0 || !threshold->is_percent;
	case THRESHOLD_ERRORS:
		*ret_value =
			threshold->is_percent && all > 0 ? percent(failed, all) : (double)failed;
		return all > 0;
	case THRESHOLD_MEAN:
		*ret_value = soon_hist_mean(hist);
		return soon_hist_count(hist) > 0;
	case THRESHOLD_QUANTILE:
		break;
	}
	*ret_value = summary_quantile(hist, threshold->share);
	return soon_hist_count(hist) > 0;
}

bool threshold_holds(
	const struct threshold *threshold, const struct tally *tally, double *ret_value)
{
	double value;

	*ret_value = (double)NAN;
	if (!figure_of(threshold, tally, &value))
		return true;
	*ret_value = value;
	if (threshold->is_equal_too && value == threshold->value)
		return true;
	return threshold->is_below ? value < threshold->value : value > threshold->value;
}
