// SPDX-License-Identifier: Apache-2.0
/*
 * compare.h: what changed between two measurements, and how sure that is.
 *
 * The unit is the run of a process, whose value is the median of its samples: processes differ
 * from each other by more than the samples of one, in where their memory lies for example.
 *
 * Runs that were taken in turns, A B B A, are compared pair by pair: what the machine does for
 * seconds meets both. Then the change is the median of the ratios, its interval is by the
 * bootstrap, and the sign test says how likely chance would give as much. Otherwise it is the ratio
 * of the medians, and Mann and Whitney's test.
 *
 * A change is called one when all three agree: the test, the interval, and that it is as great as
 * anybody cares. Chances are adjusted for the number of comparisons (Holm), so that one in a suite
 * of fifty is as trustworthy as one alone.
 *
 * Counts that are the same in all runs of a side, as those of instructions, allocations and system
 * calls usually are, need none of this: they differ, or they do not, and one run of each side is
 * enough to see it.
 */
#ifndef SOON_HARNESS_COMPARE_H
#define SOON_HARNESS_COMPARE_H

#include "result.h"
#include "stats.h"

#define COMPARE_CONFIDENCE        0.95
#define COMPARE_THRESHOLD_DEFAULT 0.01
#define COMPARE_PAIRS_DEFAULT     40
/* The test cannot be sure with fewer pairs, whatever they are. */
#define COMPARE_PAIRS_MIN 6

/* Instead of the name of a figure. */
#define COMPARE_ALL    "all"
#define COMPARE_COUNTS "counts" /* those that are counted, not timed */

enum compare_verdict {
	COMPARE_NO_CHANGE, /* a difference as great as the threshold is ruled out */
	COMPARE_FASTER,
	COMPARE_SLOWER,
	COMPARE_NOISY,      /* neither a change nor that there is none can be said */
	COMPARE_IMPOSSIBLE, /* see `why` */
};

struct comparison {
	const char *name;   /* of the entry */
	const char *figure; /* "wall" */
	const char *unit;
	enum result_better better;
	enum compare_verdict verdict;
	const char *why; /* static; NULL but for COMPARE_IMPOSSIBLE */
	bool is_paired;
	bool is_single;      /* samples of a process each: how processes differ is not seen */
	bool is_exact;       /* counts, the same in all runs of a side: no chance is involved */
	size_t before_count; /* of values that were compared */
	size_t after_count;
	double before; /* median */
	double after;
	struct stats_interval ratio; /* after / before; infinite where that was nothing */
	double chance;               /* of as great a difference without a change */
	double adjusted;             /* the same for the number of comparisons; decides */
};

/*
 * Compares pairs of values above 0, or two sets of them. Fills in all but name, figure, unit and
 * better, verdict, adjusted. Errors: -ENOMEM; -EINVAL no value, or one that is not above 0.
 */
int compare_pairs(const double *before, const double *after, size_t count, uint64_t seed,
	struct comparison *comparison);
int compare_sets(const double *before, size_t before_count, const double *after, size_t after_count,
	uint64_t seed, struct comparison *comparison);

/* Adjusts the chances of all and gives each its verdict; impossible ones stay so. */
void compare_judge(struct comparison *comparisons, size_t count, double threshold);

struct compare_report {
	struct comparison *list;
	size_t count;
	bool is_paired;     /* both were taken in turns */
	size_t only_before; /* entries without a partner */
	size_t only_after;
};

/*
 * Compares the entries of two results that have the same name: by the figure of that name, by all,
 * by those that are counts, or by the first one of each (NULL). An entry without such a figure is
 * left out. Texts are borrowed from the results.
 * Errors: -ENOMEM.
 */
int compare_results(const struct result *before, const struct result *after,
	const char *SOON_NULLABLE figure, double threshold, struct compare_report *ret_report);
void compare_report_free(struct compare_report *report);

/* "faster", "slower", "no change", "too noisy", "impossible". */
const char *compare_word(enum compare_verdict verdict);

/* The same; what is neither a time nor a rate is not slower, but "more" or "less". */
const char *compare_word_of(const struct comparison *comparison);

#endif
