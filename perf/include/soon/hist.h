// SPDX-License-Identifier: Apache-2.0
/*
 * hist.h: a histogram of latencies, or of any non-negative numbers, with a bounded relative error.
 *
 * Buckets are log-linear: up to 2^(precision + 1) each value has its own, from there on each power
 * of two is cut into 2^precision equal ones. A value that is read back is the greatest of its
 * bucket, so it is never too low and too high by less than one part in 2^precision. Least, greatest
 * and mean are exact.
 *
 * A histogram belongs to one thread at a time. Several cores or processes record into their own
 * ones, which are merged without loss afterwards.
 *
 * What holds for every call here, unless its comment says otherwise:
 *   Affinity: any thread, one at a time. Suspends: never. Cost: no allocation, no system call.
 */
#ifndef SOON_HIST_H
#define SOON_HIST_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct soon_hist soon_hist;

#define SOON_HIST_PRECISION_MIN     4
#define SOON_HIST_PRECISION_MAX     12
#define SOON_HIST_PRECISION_DEFAULT 8 /* below 0.4 % */

/* Zero is the default of each. */
typedef struct soon_hist_opts {
	/* Binary digits of a value that are kept, SOON_HIST_PRECISION_MIN to _MAX. */
	unsigned precision;
	/* The greatest value with a bucket; 0: 2^42, which is 73 minutes in nanoseconds. */
	uint64_t value_max;
} soon_hist_opts;

/* Makes an empty one.
 * Null: `opts` for the defaults. Ownership: returns owned, ended by soon_hist_destroy.
 * Returns: 0. Errors: -ENOMEM. -EINVAL a precision out of its range.
 * Cost: one allocation, of 8 bytes a bucket: 70 KiB with the defaults.
 */
SOON_API SOON_NODISCARD int soon_hist_create(
	const soon_hist_opts *SOON_NULLABLE opts, soon_hist **ret_hist);

/* Ends one. Null: nothing to do. */
SOON_API void soon_hist_destroy(soon_hist *SOON_NULLABLE hist);

/* Forgets all that was recorded. */
SOON_API void soon_hist_reset(soon_hist *hist);

/*
 * Records one value, or `count` times the same.
 * Limits: a value above value_max goes to the last bucket and is counted by soon_hist_clipped;
 * least, greatest and mean know the true one.
 */
SOON_API void soon_hist_record(soon_hist *hist, uint64_t value);
SOON_API void soon_hist_record_many(soon_hist *hist, uint64_t value, uint64_t count);

/*
 * Adds what `from` has recorded.
 * Ownership: `from` stays as it is. Returns: 0. Errors: -EINVAL the two differ in their options:
 * nothing was added.
 */
SOON_API SOON_NODISCARD int soon_hist_merge(soon_hist *hist, const soon_hist *from);

/* How many values were recorded; and how many of them were above value_max. */
SOON_API uint64_t soon_hist_count(const soon_hist *hist);
SOON_API uint64_t soon_hist_clipped(const soon_hist *hist);

/* The exact ones; 0 when nothing was recorded. */
SOON_API uint64_t soon_hist_least(const soon_hist *hist);
SOON_API uint64_t soon_hist_greatest(const soon_hist *hist);
SOON_API double soon_hist_mean(const soon_hist *hist);

/* The standard deviation, by the middles of the buckets; 0 for fewer than two values. */
SOON_API double soon_hist_deviation(const soon_hist *hist);

/*
 * The value that at least this share of all is not above: `share` 0.99 is the 99th percentile,
 * 0 gives the least, 1 the greatest.
 * Limits: shares out of [0, 1] count as the nearer end. Returns: 0 when nothing was recorded.
 */
SOON_API uint64_t soon_hist_quantile(const soon_hist *hist, double share);

/* How many values were not above `value`, within the error of its bucket. */
SOON_API uint64_t soon_hist_count_upto(const soon_hist *hist, uint64_t value);

/* The options it was made with, defaults filled in. */
SOON_API void soon_hist_opts_get(const soon_hist *hist, soon_hist_opts *ret_opts);

/* One bucket that is not empty: values from `low` to `high`, both included. */
typedef struct soon_hist_bucket {
	uint64_t low;
	uint64_t high;
	uint64_t count;
	uint32_t index; /* its place, for soon_hist_restore */
} soon_hist_bucket;

/*
 * Walks over the buckets that are not empty, from the least values on: `*position` is 0 at first.
 * Returns: whether there was one more.
 */
SOON_API bool soon_hist_next(
	const soon_hist *hist, uint32_t *position, soon_hist_bucket *ret_bucket);

/* What a stored histogram has beside its buckets. */
typedef struct soon_hist_totals {
	uint64_t clipped;
	uint64_t least;
	uint64_t greatest;
	double sum;
} soon_hist_totals;

/* What to store with the buckets, so that soon_hist_restore gives the same histogram. */
SOON_API void soon_hist_totals_get(const soon_hist *hist, soon_hist_totals *ret_totals);

/*
 * Fills an empty histogram with stored buckets, in rising order of their index; `low` and `high`
 * are not looked at. Nothing that is restored is trusted.
 * Returns: 0. Errors: -EINVAL not empty, an index out of order or without a bucket, a count of 0 or
 * counts beyond 64 bits, totals that contradict the buckets: the histogram is empty again.
 */
SOON_API SOON_NODISCARD int soon_hist_restore(soon_hist *hist, const soon_hist_bucket *buckets,
	size_t bucket_count, const soon_hist_totals *totals);

#ifdef __cplusplus
}
#endif

#endif
