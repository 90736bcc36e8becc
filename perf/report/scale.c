// SPDX-License-Identifier: Apache-2.0
/* scale.c: see scale.h. Ticks are 1, 2 or 5 times a power of ten. */
#include "scale.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TICKS_WISHED 5
#define FAR_APART    20 /* from which ratio on logarithms are used */
#define NINES_MAX    5
#define DECADES_MAX  10   /* that each have a tick */
#define HAIR         1e-9 /* of a step: what rounding may be off */

/* The nicest step that cuts a length into about as many. */
static double nice_step(double length, double count)
{
	double raw = length / count;
	double power = pow(10, floor(log10(raw)));
	double rest = raw / power;

	return power * (rest <= 1.5 ? 1 : rest <= 3.5 ? 2 : rest <= 7.5 ? 5 : 10);
}

static void add_tick(struct scale *scale, double value)
{
	if (scale->tick_count < SCALE_TICKS_MAX)
		scale->ticks[scale->tick_count++] = value;
}

static void add_even_ticks(struct scale *scale, double step)
{
	double first = ceil(scale->low / step - HAIR);

	for (unsigned i = 0; i < SCALE_TICKS_MAX; i++) {
		double value = (first + i) * step;

		if (value > scale->high + HAIR * step)
			break;
		add_tick(scale, value);
	}
}

void scale_from_zero(struct scale *scale, enum scale_unit unit, double high)
{
	double step;

	*scale = (struct scale){ .unit = unit };
	high = high > 0 ? high : 1;
	step = nice_step(high, TICKS_WISHED);
	scale->high = step * ceil(high / step - HAIR);
	add_even_ticks(scale, step);
}

void scale_between(struct scale *scale, enum scale_unit unit, double low, double high)
{
	*scale = (struct scale){ .unit = unit, .low = low, .high = high > low ? high : low + 1 };
	add_even_ticks(scale, nice_step(scale->high - scale->low, TICKS_WISHED));
}

/* The next of 1, 2, 5, 10 ... that is not above a value, or not below it. */
static double nice_beside(double value, bool is_above)
{
	static const double steps[] = { 1, 2, 5, 10 };
	double power = pow(10, floor(log10(value) + HAIR));
	double found = is_above ? 10 * power : power;

	for (unsigned i = 0; i < 4; i++) {
		double step = steps[i] * power;

		if (is_above && step >= value * (1 - HAIR))
			return step;
		if (!is_above && step <= value * (1 + HAIR))
			found = step;
	}
	return found;
}

void scale_log(struct scale *scale, enum scale_unit unit, double low, double high)
{
	static const double steps[] = { 1, 2, 5 };
	double decades, first;
	unsigned used, stride;

	*scale = (struct scale){ .unit = unit, .is_log = true };
	low = low > 0 ? low : 1;
	high = high > low ? high : low * 1.01;
	scale->low = nice_beside(low, false);
	scale->high = nice_beside(high, true);
	decades = log10(scale->high / scale->low);
	used = decades <= 2.5 ? 3 : 1;
	stride = 1 + (unsigned)(decades / DECADES_MAX);
	first = floor(log10(scale->low) + HAIR);
	for (unsigned decade = 0; decade <= (unsigned)(decades + 1); decade += stride) {
		for (unsigned i = 0; i < used; i++) {
			double tick = steps[i] * pow(10, first + decade);

			if (tick >= scale->low * (1 - HAIR) && tick <= scale->high * (1 + HAIR))
				add_tick(scale, tick);
		}
	}
}

void scale_of(struct scale *scale, enum scale_unit unit, double low, double high)
{
	if (low > 0 && high > FAR_APART * low)
		scale_log(scale, unit, low, high);
	else
		scale_from_zero(scale, unit, high);
}

void scale_percentile(struct scale *scale, double count)
{
	double nines = ceil(log10(count > 1 ? count : 1) - HAIR);

	nines = nines < 2 ? 2 : nines > NINES_MAX ? NINES_MAX : nines;
	*scale = (struct scale){ .unit = SCALE_PERCENTILE, .high = nines };
	add_tick(scale, 0);
	add_tick(scale, scale_nines(0.5));
	for (unsigned i = 1; i <= (unsigned)nines; i++)
		add_tick(scale, i);
}

double scale_nines(double share)
{
	return share >= 1 ? NINES_MAX : -log10(1 - share);
}

double scale_share(double nines)
{
	return 1 - pow(10, -nines);
}

double scale_place(const struct scale *scale, double value)
{
	double place;

	if (scale->is_log)
		place = value > 0 ? log(value / scale->low) / log(scale->high / scale->low) : 0;
	else
		place = (value - scale->low) / (scale->high - scale->low);
	/* Also where the value is none. */
	return place > 0 ? place < 1 ? place : 1 : 0;
}

/* As many digits as it takes to tell a tick, but no zeros that say nothing. */
static void put_short(char text[NUMBER_BYTES], double value, const char *unit)
{
	(void)snprintf(text, NUMBER_BYTES, "%.6g%s%s", value, *unit != '\0' ? " " : "", unit);
}

static const char *time_text(const struct scale *scale, double ns, char text[NUMBER_BYTES])
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	/* One unit along an even axis, the tick's own along one of powers. */
	double measure = scale->is_log ? ns : scale->high;
	unsigned unit = 0;

	if (!scale->is_log && scale->unit == SCALE_SECONDS)
		measure *= 1e9;
	while (measure > (scale->is_log ? 999.5 : 1000.5) &&
		unit + 1 < sizeof(units) / sizeof(units[0])) {
		measure /= 1000;
		ns /= 1000;
		unit++;
	}
	if (ns == 0)
		(void)snprintf(text, NUMBER_BYTES, "0");
	else
		put_short(text, ns, units[unit]);
	return text;
}

static const char *rate_text(const struct scale *scale, double rate, char text[NUMBER_BYTES])
{
	double high = scale->high;

	if (rate == 0)
		(void)snprintf(text, NUMBER_BYTES, "0");
	else if (high >= 2e6)
		put_short(text, rate / 1e6, "M/s");
	else if (high >= 2e3)
		put_short(text, rate / 1e3, "k/s");
	else
		put_short(text, rate, "/s");
	return text;
}

const char *scale_text(const struct scale *scale, double tick, char text[NUMBER_BYTES])
{
	switch (scale->unit) {
	case SCALE_NS:
		return time_text(scale, tick, text);
	case SCALE_SECONDS:
		return time_text(scale, tick * 1e9, text);
	case SCALE_RATE:
		return rate_text(scale, tick, text);
	case SCALE_PERCENTILE:
		/* Ten digits keep 99.999 what it is. */
		(void)snprintf(text, NUMBER_BYTES, "%.10g %%", 100 * scale_share(tick));
		return text;
	case SCALE_PLAIN:
		if (tick >= 0 && tick < 1e15 && tick == floor(tick))
			return number_count((uint64_t)tick, text);
		put_short(text, tick, "");
		return text;
	case SCALE_RATIO:
	default:
		put_short(text, tick, "");
		return text;
	}
}
