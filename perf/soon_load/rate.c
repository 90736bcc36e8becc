// SPDX-License-Identifier: Apache-2.0
#include "rate.h"

#include <soon/time.h>

#include "../harness/text.h"

#include <math.h>
#include <string.h>

#define RATE_MAX 1e9

/* A number with k or M, up to the end of the text or "..". */
static int parse_one(const char **at, double *ret_rate)
{
	int rc = text_number(at, ret_rate);

	if (rc == 0 && **at == 'k') {
		*ret_rate *= 1e3;
		++*at;
	} else if (rc == 0 && **at == 'M') {
		*ret_rate *= 1e6;
		++*at;
	}
	return rc == 0 && *ret_rate <= RATE_MAX ? 0 : -EINVAL;
}

int rate_parse(const char *text, struct rate *ret_rate)
{
	struct rate rate;

	if (parse_one(&text, &rate.from) < 0)
		return -EINVAL;
	rate.to = rate.from;
	if (strncmp(text, "..", 2) == 0) {
		text += 2;
		if (parse_one(&text, &rate.to) < 0)
			return -EINVAL;
	}
	if (*text != '\0' || !(rate.from + rate.to > 0))
		return -EINVAL;
	*ret_rate = rate;
	return 0;
}

static double slope(const struct rate *rate, double seconds)
{
	return seconds > 0 ? (rate->to - rate->from) / seconds : 0;
}

double rate_integral(const struct rate *rate, soon_ns ramp, soon_ns until)
{
	double t = (double)until / 1e9;

	return rate->from * t + slope(rate, (double)ramp / 1e9) / 2 * t * t;
}

/* The time in seconds by which `number` requests are due; infinite if never. */
static double due(const struct arrivals *arrivals, double number)
{
	double from = arrivals->rate.from;
	double a = slope(&arrivals->rate, arrivals->seconds);
	double under = from * from + 2 * a * number;

	if (number <= 0)
		return from > 0 ? number / from : 0;
	if (under < 0)
		return (double)INFINITY;
	/* The solution of the quadratic equation that does not subtract, good for a slope of 0. */
	return 2 * number / (from + sqrt(under));
}

void arrivals_begin(struct arrivals *arrivals, const struct rate *rate, soon_ns ramp,
	soon_ns warmup, unsigned index, unsigned count)
{
	double before = floor((double)warmup / 1e9 * rate->from / count) * count;

	*arrivals = (struct arrivals){
		.rate = *rate,
		.seconds = (double)ramp / 1e9,
		.number = index - before,
		.step = count,
		.index = index,
	};
}

/* splitmix64: any seed will do. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static double exponential(uint64_t *state)
{
	/* In (0, 1]: its logarithm is finite. */
	double uniform = ((double)(next_random(state) >> 11) + 1) * 0x1p-53;

	return -log(uniform);
}

void arrivals_randomize(struct arrivals *arrivals, uint64_t seed)
{
	/* Cores begin at different places of one sequence, far apart. */
	arrivals->random = seed + ((uint64_t)arrivals->index << 48);
	arrivals->is_poisson = true;
	arrivals->number += arrivals->step * exponential(&arrivals->random) - arrivals->index;
}

soon_ns arrivals_next(struct arrivals *arrivals)
{
	double at = due(arrivals, arrivals->number) * 1e9;

	arrivals->number += arrivals->is_poisson ? arrivals->step * exponential(&arrivals->random)
						 : arrivals->step;
	return at < 9e18 ? (soon_ns)at : SOON_NEVER;
}
