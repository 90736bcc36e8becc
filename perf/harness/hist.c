// SPDX-License-Identifier: Apache-2.0
/*
 * hist.c: the log-linear histogram.
 *
 * A value below 2^(precision + 1) is its own index. Above, with e = the number of low bits that are
 * dropped, the index is (e << precision) + (value >> e): value >> e lies in [2^p, 2^(p+1)), so that
 * the ranges of neighbouring e meet without a gap, and index and value rise together.
 */
#include <soon/assert.h>
#include <soon/hist.h>
#include <soon/mem.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#define VALUE_MAX_DEFAULT (UINT64_C(1) << 42)

struct soon_hist {
	soon_hist_opts opts;
	uint32_t bucket_count;
	uint64_t count;
	uint64_t clipped;
	uint64_t least; /* UINT64_MAX while empty, so that recording does not ask */
	uint64_t greatest;
	double sum; /* exact up to 2^53; beyond, its error is far below a bucket's */
	uint64_t counts[];
};

static uint32_t index_of(unsigned precision, uint64_t value)
{
	unsigned digits = 64 - (unsigned)__builtin_clzll(value | 1);
	unsigned dropped = digits > precision + 1 ? digits - precision - 1 : 0;

	return (uint32_t)((uint64_t)dropped << precision) + (uint32_t)(value >> dropped);
}

/* The least value of a bucket; with `index` the number of buckets, one past the greatest. */
static uint64_t low_of(unsigned precision, uint32_t index)
{
	uint32_t dropped = index >> precision;

	if (dropped <= 1)
		return index;
	dropped--;
	return (uint64_t)(index - (dropped << precision)) << dropped;
}

static uint64_t high_of(unsigned precision, uint32_t index)
{
	return low_of(precision, index + 1) - 1;
}

int soon_hist_create(const soon_hist_opts *opts, soon_hist **ret_hist)
{
	soon_hist_opts full = opts != NULL ? *opts : (soon_hist_opts){ 0 };
	uint32_t bucket_count;
	soon_hist *hist;

	if (full.precision == 0)
		full.precision = SOON_HIST_PRECISION_DEFAULT;
	if (full.value_max == 0)
		full.value_max = VALUE_MAX_DEFAULT;
	if (full.precision < SOON_HIST_PRECISION_MIN || full.precision > SOON_HIST_PRECISION_MAX)
		return -EINVAL;
	bucket_count = index_of(full.precision, full.value_max) + 1;
	hist = soon_zalloc(sizeof(*hist) + bucket_count * sizeof(hist->counts[0]));
	if (hist == NULL)
		return -ENOMEM;
	hist->opts = full;
	hist->bucket_count = bucket_count;
	hist->least = UINT64_MAX;
	*ret_hist = hist;
	return 0;
}

void soon_hist_destroy(soon_hist *hist)
{
	soon_free(hist);
}

void soon_hist_reset(soon_hist *hist)
{
	memset(hist->counts, 0, hist->bucket_count * sizeof(hist->counts[0]));
	hist->count = 0;
	hist->clipped = 0;
	hist->least = UINT64_MAX;
	hist->greatest = 0;
	hist->sum = 0;
}

void soon_hist_record_many(soon_hist *hist, uint64_t value, uint64_t count)
{
	uint64_t kept = value;

	if (count == 0)
		return;
	if (value > hist->opts.value_max) {
		hist->clipped += count;
		kept = hist->opts.value_max;
	}
	hist->counts[index_of(hist->opts.precision, kept)] += count;
	hist->count += count;
	hist->sum += (double)value * (double)count;
	if (value < hist->least)
		hist->least = value;
	if (value > hist->greatest)
		hist->greatest = value;
}

void soon_hist_record(soon_hist *hist, uint64_t value)
{
	soon_hist_record_many(hist, value, 1);
}

int soon_hist_merge(soon_hist *hist, const soon_hist *from)
{
	if (hist->opts.precision != from->opts.precision)
		return -EINVAL;
	if (hist->opts.value_max != from->opts.value_max)
		return -EINVAL;
	for (uint32_t i = 0; i < hist->bucket_count; i++)
		hist->counts[i] += from->counts[i];
	hist->count += from->count;
	hist->clipped += from->clipped;
	hist->sum += from->sum;
	if (from->least < hist->least)
		hist->least = from->least;
	if (from->greatest > hist->greatest)
		hist->greatest = from->greatest;
	return 0;
}

uint64_t soon_hist_count(const soon_hist *hist)
{
	return hist->count;
}

uint64_t soon_hist_clipped(const soon_hist *hist)
{
	return hist->clipped;
}

uint64_t soon_hist_least(const soon_hist *hist)
{
	return hist->count > 0 ? hist->least : 0;
}

uint64_t soon_hist_greatest(const soon_hist *hist)
{
	return hist->greatest;
}

double soon_hist_mean(const soon_hist *hist)
{
	return hist->count > 0 ? hist->sum / (double)hist->count : 0;
}

double soon_hist_deviation(const soon_hist *hist)
{
	double mean = soon_hist_mean(hist);
	double squares = 0;

	if (hist->count < 2)
		return 0;
	for (uint32_t i = 0; i < hist->bucket_count; i++) {
		uint64_t low = low_of(hist->opts.precision, i);
		uint64_t width = high_of(hist->opts.precision, i) - low;
		double off = (double)low + (double)width / 2 - mean;

		squares += off * off * (double)hist->counts[i];
	}
	return sqrt(squares / (double)(hist->count - 1));
}

/* What a bucket's values are read as: its greatest, but never what was not met. */
static uint64_t shown(const soon_hist *hist, uint32_t index)
{
	uint64_t high = high_of(hist->opts.precision, index);

	if (index == hist->bucket_count - 1 && hist->clipped > 0)
		return hist->greatest;
	return high < hist->greatest ? high : hist->greatest;
}

/*
 * The rank, from 1 on, of the value that `share` asks for. A product that is a whole number but for
 * its rounding, as 0.07 * 100, must not go up to the next one.
 */
static uint64_t rank_of(uint64_t count, double share)
{
	double exact = share * (double)count;
	double rank = round(exact);

	if (fabs(exact - rank) > 1e-9 * exact)
		rank = ceil(exact);
	if (!(rank >= 1))
		return 1;
	return rank < (double)count ? (uint64_t)rank : count;
}

uint64_t soon_hist_quantile(const soon_hist *hist, double share)
{
	uint64_t rank;
	uint64_t seen = 0;

	if (hist->count == 0)
		return 0;
	if (!(share > 0))
		return hist->least;
	if (share >= 1)
		return hist->greatest;
	rank = rank_of(hist->count, share);
	for (uint32_t i = 0; i < hist->bucket_count; i++) {
		seen += hist->counts[i];
		if (seen >= rank)
			return shown(hist, i);
	}
	return hist->greatest;
}

uint64_t soon_hist_count_upto(const soon_hist *hist, uint64_t value)
{
	uint32_t last;
	uint64_t count = 0;

	if (value >= hist->greatest)
		return hist->count;
	if (value < hist->least)
		return 0;
	if (value > hist->opts.value_max)
		value = hist->opts.value_max;
	last = index_of(hist->opts.precision, value);
	for (uint32_t i = 0; i <= last; i++)
		count += hist->counts[i];
	return count;
}

void soon_hist_opts_get(const soon_hist *hist, soon_hist_opts *ret_opts)
{
	*ret_opts = hist->opts;
}

bool soon_hist_next(const soon_hist *hist, uint32_t *position, soon_hist_bucket *ret_bucket)
{
	for (uint32_t i = *position; i < hist->bucket_count; i++) {
		if (hist->counts[i] == 0)
			continue;
		*ret_bucket = (soon_hist_bucket){
			.low = low_of(hist->opts.precision, i),
			.high = high_of(hist->opts.precision, i),
			.count = hist->counts[i],
			.index = i,
		};
		*position = i + 1;
		return true;
	}
	*position = hist->bucket_count;
	return false;
}

void soon_hist_totals_get(const soon_hist *hist, soon_hist_totals *ret_totals)
{
	*ret_totals = (soon_hist_totals){
		.clipped = hist->clipped,
		.least = soon_hist_least(hist),
		.greatest = hist->greatest,
		.sum = hist->sum,
	};
}

/* Takes stored buckets over. Returns 0, or -EINVAL with some of them in. */
static int take_buckets(soon_hist *hist, const soon_hist_bucket *buckets, size_t bucket_count)
{
	for (size_t i = 0; i < bucket_count; i++) {
		if (buckets[i].index >= hist->bucket_count || buckets[i].count == 0)
			return -EINVAL;
		if (i > 0 && buckets[i].index <= buckets[i - 1].index)
			return -EINVAL;
		if (__builtin_add_overflow(hist->count, buckets[i].count, &hist->count))
			return -EINVAL;
		hist->counts[buckets[i].index] = buckets[i].count;
	}
	return 0;
}

/* Whether the totals can belong to these buckets. */
static bool totals_fit(const soon_hist *hist, const soon_hist_bucket *buckets, size_t bucket_count,
	const soon_hist_totals *totals)
{
	uint64_t value_max = hist->opts.value_max;
	unsigned precision = hist->opts.precision;
	const soon_hist_bucket *last;
	uint64_t greatest;

	if (!isfinite(totals->sum) || totals->sum < 0)
		return false;
	if (bucket_count == 0)
		return totals->clipped == 0 && totals->least == 0 && totals->greatest == 0 &&
			totals->sum == 0;
	last = &buckets[bucket_count - 1];
	if (totals->clipped > 0 &&
		(last->index != hist->bucket_count - 1 || totals->clipped > last->count))
		return false;
	if ((totals->clipped > 0) != (totals->greatest > value_max))
		return false;
	greatest = totals->greatest < value_max ? totals->greatest : value_max;
	if (index_of(precision, greatest) != last->index)
		return false;
	return totals->least <= totals->greatest &&
		index_of(precision, totals->least < value_max ? totals->least : value_max) ==
		buckets[0].index;
}

int soon_hist_restore(soon_hist *hist, const soon_hist_bucket *buckets, size_t bucket_count,
	const soon_hist_totals *totals)
{
	if (hist->count != 0)
		return -EINVAL;
	if (take_buckets(hist, buckets, bucket_count) < 0 ||
		!totals_fit(hist, buckets, bucket_count, totals)) {
		soon_hist_reset(hist);
		return -EINVAL;
	}
	hist->clipped = totals->clipped;
	hist->sum = totals->sum;
	if (bucket_count > 0) {
		hist->least = totals->least;
		hist->greatest = totals->greatest;
	}
	return 0;
}
