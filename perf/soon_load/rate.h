// SPDX-License-Identifier: Apache-2.0
/*
 * When requests are due in the open loop, which does not wait for replies to decide that.
 *
 * A rate is a line over the time of the measurement: "5000", or "1000..20000" from its start to its
 * end. Its integral is the number of the request, so the due time of request `n` is the inverse of
 * that: exact, without a sum of rounded gaps. Poisson arrivals take steps of an exponential
 * distribution in place of 1; several cores have every n-th request each, or n-th of the rate.
 */
#ifndef SOON_LOAD_RATE_H
#define SOON_LOAD_RATE_H

#include <soon/base.h>

struct rate {
	double from; /* requests a second, of all cores together */
	double to;   /* the same at the end, unless it is ramped */
};

/* Reads "1000", "1.5k", "1000..20k". Returns 0 or -EINVAL: also when nothing would ever be due. */
int rate_parse(const char *text, struct rate *ret_rate);

/* The arrivals of one core. */
struct arrivals {
	struct rate rate;
	double seconds; /* how long the ramp takes */
	double number;  /* of the next request, as a point on the integral of the rate */
	double step;    /* between two requests of this core, or the mean of it */
	unsigned index; /* of the core */
	bool is_poisson;
	uint64_t random;
};

/*
 * Begins the arrivals of core `index` of `count`. Those of the warm-up have times before 0, at the
 * rate of the start. The same seed gives the same times.
 */
void arrivals_begin(struct arrivals *arrivals, const struct rate *rate, soon_ns ramp,
	soon_ns warmup, unsigned index, unsigned count);
void arrivals_randomize(struct arrivals *arrivals, uint64_t seed);

/* When the next request is due, from the start of the measurement; SOON_NEVER after a ramp to 0. */
soon_ns arrivals_next(struct arrivals *arrivals);

/* How many requests are due by then, from the start of the measurement on, on all cores. */
double rate_integral(const struct rate *rate, soon_ns ramp, soon_ns until);

#endif
