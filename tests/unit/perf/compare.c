// SPDX-License-Identifier: Apache-2.0
/*
 * compare.c: how often verdicts are wrong, on noise of the shapes that machines make, and how
 * results are matched.
 *
 * Each shape is drawn for two sides in turns, A B B A, as soon-bench ab measures. Seeds are fixed:
 * the rates below are facts of the method, not of luck.
 */
#include "harness/compare.h"

#include "support/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS       COMPARE_PAIRS_DEFAULT
#define COMPARISONS 200
#define PLANTED     1.03

/* A machine: what it makes of a time of 1 at each of its next runs. */
struct machine {
	struct stats_random random;
	double walk;
	double state;
};

static double even(struct machine *machine)
{
	return ((double)(stats_random_next(&machine->random) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(struct machine *machine)
{
	return sqrt(-2 * log(even(machine))) * cos(2 * M_PI * even(machine));
}

static double quiet(struct machine *machine)
{
	return exp(0.02 * normal(machine));
}

/* A floor, and one run in ten is disturbed by up to a third. */
static double tailed(struct machine *machine)
{
	double time = 1 + 0.01 * -log(even(machine));

	return even(machine) < 0.1 ? time * (1 + 0.3 * even(machine)) : time;
}

/* It gets slower and faster over dozens of runs. */
static double drifting(struct machine *machine)
{
	machine->walk = 0.98 * machine->walk + 0.01 * normal(machine);
	return exp(machine->walk + 0.01 * normal(machine));
}

/* Two states a quarter apart, each for twenty runs or so: where the host puts the processors. */
static double bimodal(struct machine *machine)
{
	if (even(machine) < 0.05)
		machine->state = machine->state > 0 ? 0 : 0.25;
	return (1 + machine->state) * exp(0.015 * normal(machine));
}

/* The same two states, by chance for each process: where its memory lies. */
static double dealt(struct machine *machine)
{
	return (even(machine) < 0.3 ? 1.25 : 1) * exp(0.01 * normal(machine));
}

/* Others work here, too: a quarter of all runs takes up to twice as long. */
static double disturbed(struct machine *machine)
{
	double time = exp(0.01 * normal(machine));

	return even(machine) < 0.25 ? time * (1 + even(machine)) : time;
}

static const struct shape {
	const char *name;
	double (*next)(struct machine *machine);
} shapes[] = { { "normal", quiet }, { "heavy tail", tailed }, { "drift", drifting },
	{ "bimodal", bimodal }, { "dealt", dealt }, { "disturbed", disturbed } };
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static enum compare_verdict compare_once(
	struct machine *machine, const struct shape *shape, double planted)
{
	struct comparison comparison = { .better = RESULT_BETTER_LESS };
	double before[PAIRS], after[PAIRS];

	for (int i = 0; i < PAIRS; i++) {
		double first = shape->next(machine);
		double second = shape->next(machine);

		before[i] = 100 * (i % 2 == 0 ? first : second);
		after[i] = 100 * planted * (i % 2 == 0 ? second : first);
	}
	cr_assert_eq(compare_pairs(before, after, PAIRS, 1, &comparison), 0);
	compare_judge(&comparison, 1, COMPARE_THRESHOLD_DEFAULT);
	return comparison.verdict;
}

SOON_TEST_PLAIN(compare, a_no_change_comparison_seldom_raises_an_alarm)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct machine machine = { 0 };
		int alarms = 0;

		stats_random_init(&machine.random, 11 + i);
		for (int k = 0; k < COMPARISONS; k++) {
			enum compare_verdict verdict = compare_once(&machine, &shapes[i], 1);

			alarms += verdict == COMPARE_FASTER || verdict == COMPARE_SLOWER;
		}
		cr_expect_leq(alarms, COMPARISONS * 5 / 100, "%s: %d", shapes[i].name, alarms);
	}
}

SOON_TEST_PLAIN(compare, three_percent_more_is_found)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct machine machine = { 0 };
		int found = 0, wrong = 0;

		stats_random_init(&machine.random, 23 + i);
		for (int k = 0; k < COMPARISONS; k++) {
			enum compare_verdict verdict = compare_once(&machine, &shapes[i], PLANTED);

			found += verdict == COMPARE_SLOWER;
			wrong += verdict == COMPARE_FASTER;
		}
		cr_expect_geq(found, COMPARISONS * 90 / 100, "%s: %d", shapes[i].name, found);
		cr_expect_eq(wrong, 0, "%s: %d", shapes[i].name, wrong);
	}
}

/* A suite of fifty without a change is as seldom wrong as one comparison: in one of twenty. */
SOON_TEST_PLAIN(compare, a_suite_raises_no_more_alarms_than_one)
{
	struct machine machine = { 0 };
	int suites_with_alarms = 0;

	stats_random_init(&machine.random, 5);
	for (int suite = 0; suite < 20; suite++) {
		struct comparison comparisons[50] = { 0 };
		int alarms = 0;

		for (int i = 0; i < 50; i++) {
			double before[PAIRS], after[PAIRS];

			for (int k = 0; k < PAIRS; k++) {
				before[k] = quiet(&machine);
				after[k] = quiet(&machine);
			}
			comparisons[i].better = RESULT_BETTER_LESS;
			cr_assert_eq(compare_pairs(before, after, PAIRS, 1, &comparisons[i]), 0);
		}
		/* No threshold: chance alone decides. */
		compare_judge(comparisons, 50, 0);
		for (int i = 0; i < 50; i++)
			alarms += comparisons[i].verdict == COMPARE_FASTER ||
				comparisons[i].verdict == COMPARE_SLOWER;
		suites_with_alarms += alarms > 0;
	}
	cr_expect_leq(suites_with_alarms, 3, "%d", suites_with_alarms);
}

SOON_TEST_PLAIN(compare, chances_are_adjusted_by_holm)
{
	struct comparison list[4] = { { .chance = 0.04 }, { .chance = 0.01 },
		{ .chance = 0, .verdict = COMPARE_IMPOSSIBLE }, { .chance = 0.03 } };

	compare_judge(list, 4, 0.01);
	cr_expect_float_eq(list[1].adjusted, 0.03, 1e-12);
	cr_expect_float_eq(list[3].adjusted, 0.06, 1e-12);
	cr_expect_float_eq(list[0].adjusted, 0.06, 1e-12);
	cr_expect_eq(list[2].verdict, COMPARE_IMPOSSIBLE);
}

static enum compare_verdict judge_one(
	double low, double value, double high, double chance, enum result_better better)
{
	struct comparison one = {
		.ratio = { low, value, high }, .chance = chance, .better = better
	};

	compare_judge(&one, 1, 0.02);
	return one.verdict;
}

SOON_TEST_PLAIN(compare, verdicts_need_chance_interval_and_size)
{
	const enum result_better less = RESULT_BETTER_LESS, more = RESULT_BETTER_MORE;

	cr_expect_eq(judge_one(1.02, 1.03, 1.04, 0.01, less), COMPARE_SLOWER);
	cr_expect_eq(judge_one(1.02, 1.03, 1.04, 0.01, more), COMPARE_FASTER);
	cr_expect_eq(judge_one(0.95, 0.96, 0.97, 0.01, less), COMPARE_FASTER);
	cr_expect_eq(judge_one(0.95, 0.96, 0.97, 0.01, more), COMPARE_SLOWER);
	cr_expect_eq(judge_one(1.02, 1.03, 1.04, 0.06, less), COMPARE_NOISY);
	cr_expect_eq(judge_one(0.99, 1.03, 1.07, 0.01, less), COMPARE_NOISY);
	/* Sure, and too small to matter. */
	cr_expect_eq(judge_one(1.005, 1.01, 1.015, 0.0001, less), COMPARE_NO_CHANGE);
	cr_expect_eq(judge_one(0.99, 1.0, 1.01, 0.9, less), COMPARE_NO_CHANGE);
	cr_expect_eq(judge_one(0.97, 1.0, 1.01, 0.9, less), COMPARE_NOISY);
}

SOON_TEST_PLAIN(compare, values_that_are_no_times_are_refused)
{
	static const double good[] = { 1, 2, 3 }, zero[] = { 1, 0, 3 },
			    infinite[] = { 1, INFINITY, 3 };
	struct comparison one = { 0 };

	cr_expect_eq(compare_pairs(good, zero, 3, 1, &one), -EINVAL);
	cr_expect_eq(compare_sets(zero, 3, good, 3, 1, &one), -EINVAL);
	cr_expect_eq(compare_sets(good, 3, infinite, 3, 1, &one), -EINVAL);
	cr_expect_eq(compare_pairs(good, good, 0, 1, &one), -EINVAL);
}

#define RUNS 12

/* A result with one entry, whose runs have three samples each around `level`. */
static struct result *make_result(const char *entry_name, double level, const char *session)
{
	struct result *result = result_create(RESULT_BENCH);
	struct result_entry *entry = result_entry_add(result, entry_name);
	struct result_samples *samples = result_alloc(result, 2, sizeof(*samples));
	struct result_run *runs = result_alloc(result, RUNS, sizeof(*runs));

	result->session = session;
	for (int i = 0; i < RUNS; i++) {
		double *values = result_alloc(result, 3, sizeof(*values));

		/* Alternating, to be found by pairs only: the two sides differ by less. */
		values[0] = level * (i % 2 == 0 ? 1 : 1.5) * (1 + 0.001 * i);
		values[1] = values[0] * 1.01;
		values[2] = values[0] * 40;
		runs[i] = (struct result_run){ values, 3 };
	}
	samples[0] = (struct result_samples){ "wall", "ns", RESULT_BETTER_LESS, runs, RUNS, false };
	samples[1] =
		(struct result_samples){ "rate", "1/s", RESULT_BETTER_MORE, runs, RUNS, false };
	entry->samples = samples;
	entry->sample_count = 2;
	return result;
}

SOON_TEST_PLAIN(compare, runs_of_one_session_are_pairs)
{
	struct result *before = make_result("a", 100, "s"), *after = make_result("a", 104, "s");
	struct compare_report report;

	cr_assert_eq(compare_results(before, after, NULL, 0.01, &report), 0);
	cr_assert_eq(report.count, 1);
	cr_expect(report.is_paired && report.list[0].is_paired);
	cr_expect_float_eq(report.list[0].ratio.value, 1.04, 1e-9);
	cr_expect_eq(report.list[0].verdict, COMPARE_SLOWER);
	cr_expect_eq(report.list[0].before_count, RUNS);
	compare_report_free(&report);
	/* The same numbers of different sessions cannot be told apart. */
	after->session = "t";
	cr_assert_eq(compare_results(before, after, NULL, 0.01, &report), 0);
	cr_expect_not(report.is_paired);
	cr_expect_eq(report.list[0].verdict, COMPARE_NOISY);
	compare_report_free(&report);
	result_free(before);
	result_free(after);
}

SOON_TEST_PLAIN(compare, figures_are_chosen_and_their_direction_counts)
{
	struct result *before = make_result("a", 100, "s"), *after = make_result("a", 104, "s");
	struct compare_report report;

	cr_assert_eq(compare_results(before, after, "rate", 0.01, &report), 0);
	cr_assert_eq(report.count, 1);
	cr_expect_eq(report.list[0].verdict, COMPARE_FASTER);
	compare_report_free(&report);
	cr_assert_eq(compare_results(before, after, "all", 0.01, &report), 0);
	cr_expect_eq(report.count, 2);
	compare_report_free(&report);
	cr_assert_eq(compare_results(before, after, "nothing", 0.01, &report), 0);
	cr_expect_eq(report.count, 0);
	compare_report_free(&report);
	result_free(before);
	result_free(after);
}

SOON_TEST_PLAIN(compare, what_has_no_partner_is_counted_and_what_differs_is_said)
{
	struct result *before = make_result("a", 100, ""), *after = make_result("a", 100, "");
	struct compare_report report;

	cr_assert_not_null(result_entry_add(before, "gone"));
	cr_assert_not_null(result_entry_add(after, "new"));
	cr_assert_not_null(result_entry_add(after, "newer"));
	after->entries[0]->threads = 2;
	cr_assert_eq(compare_results(before, after, NULL, 0.01, &report), 0);
	cr_expect_eq(report.only_before, 1);
	cr_expect_eq(report.only_after, 2);
	cr_assert_eq(report.count, 1);
	cr_expect_eq(report.list[0].verdict, COMPARE_IMPOSSIBLE);
	cr_expect_not_null(strstr(report.list[0].why, "threads"));
	compare_report_free(&report);
	result_free(before);
	result_free(after);
}

/* A run that is missing on one side takes its partner with it. */
SOON_TEST_PLAIN(compare, a_pair_with_a_missing_run_is_left_out)
{
	struct result *before = make_result("a", 100, "s"), *after = make_result("a", 104, "s");
	struct result_samples *samples = result_alloc(after, 1, sizeof(*samples));
	struct result_run *runs = result_alloc(after, RUNS, sizeof(*runs));
	struct compare_report report;

	memcpy(runs, after->entries[0]->samples[0].runs, RUNS * sizeof(*runs));
	runs[3] = (struct result_run){ 0 };
	*samples = after->entries[0]->samples[0];
	samples->runs = runs;
	after->entries[0]->samples = samples;
	after->entries[0]->sample_count = 1;
	cr_assert_eq(compare_results(before, after, NULL, 0.01, &report), 0);
	cr_expect_eq(report.list[0].before_count, RUNS - 1);
	cr_expect_float_eq(report.list[0].ratio.value, 1.04, 1e-9);
	compare_report_free(&report);
	result_free(before);
	result_free(after);
}

/* A result with counts of one entry, one for each run. */
static struct result *make_counts(const double *counts, size_t count)
{
	struct result *result = result_create(RESULT_BENCH);
	struct result_entry *entry = result_entry_add(result, "a");
	struct result_samples *samples = result_alloc(result, 2, sizeof(*samples));
	struct result_run *runs = result_alloc(result, count, sizeof(*runs));

	cr_assert(entry != NULL && samples != NULL && runs != NULL);
	for (size_t i = 0; i < count; i++)
		runs[i] = (struct result_run){ &counts[i], 1 };
	samples[0] =
		(struct result_samples){ "wall", "ns", RESULT_BETTER_LESS, runs, count, false };
	samples[1] = (struct result_samples){ "calls", "", RESULT_BETTER_LESS, runs, count, true };
	entry->samples = samples;
	entry->sample_count = 2;
	return result;
}

SOON_TEST_PLAIN(compare, counts_need_no_chance)
{
	static const struct {
		double before[2], after[2];
		double threshold;
		enum compare_verdict verdict;
		const char *word;
	} cases[] = {
		{ { 1000, 1000 }, { 1000, 1000 }, 0, COMPARE_NO_CHANGE, "no change" },
		{ { 1000, 1000.3 }, { 1000.2, 1000.9 }, 0, COMPARE_NO_CHANGE, "no change" },
		{ { 1000, 1000 }, { 1009, 1009 }, 0.01, COMPARE_NO_CHANGE, "no change" },
		{ { 1000, 1000 }, { 1009, 1009 }, 0, COMPARE_SLOWER, "more" },
		{ { 1000, 1000 }, { 1011, 1011 }, 0.01, COMPARE_SLOWER, "more" },
		{ { 1000, 1000 }, { 989, 989 }, 0.01, COMPARE_FASTER, "less" },
		{ { 0, 0 }, { 0, 0 }, 0, COMPARE_NO_CHANGE, "no change" },
		{ { 0, 0 }, { 0.0009, 0 }, 0, COMPARE_NO_CHANGE, "no change" },
		{ { 0, 0 }, { 1, 1 }, 0.01, COMPARE_SLOWER, "more" },
		{ { 0, 0 }, { 0.25, 0.25 }, 0.01, COMPARE_SLOWER, "more" },
		{ { 2, 2 }, { 0, 0 }, 0.01, COMPARE_FASTER, "less" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* One run is as good as two. */
		for (size_t count = 1; count <= 2; count++) {
			struct result *before = make_counts(cases[i].before, count);
			struct result *after = make_counts(cases[i].after, count);
			struct compare_report report;

			cr_assert_eq(compare_results(before, after, COMPARE_COUNTS,
					     cases[i].threshold, &report),
				0);
			cr_assert_eq(report.count, 1);
			cr_expect_str_eq(report.list[0].figure, "calls");
			cr_expect(report.list[0].is_exact);
			cr_expect_eq(report.list[0].verdict, cases[i].verdict, "case %zu", i);
			cr_expect_str_eq(compare_word_of(&report.list[0]), cases[i].word);
			compare_report_free(&report);
			result_free(before);
			result_free(after);
		}
	}
}

SOON_TEST_PLAIN(compare, counts_that_vary_are_judged_as_times_are)
{
	static const double first[] = { 10, 11, 10, 12, 10, 11, 10 };
	static const double second[] = { 20, 21, 20, 22, 20, 21, 20 };
	struct result *before = make_counts(first, 7), *after = make_counts(second, 7);
	struct compare_report report;

	before->session = after->session = "s";
	cr_assert_eq(compare_results(before, after, "calls", 0.01, &report), 0);
	cr_assert_eq(report.count, 1);
	cr_expect_not(report.list[0].is_exact);
	cr_expect(report.list[0].adjusted > 0.01);
	cr_expect_eq(report.list[0].verdict, COMPARE_SLOWER);
	compare_report_free(&report);
	result_free(before);
	result_free(after);
}

/* They are no gambles, so the others need not be surer for them. */
SOON_TEST_PLAIN(compare, exact_ones_do_not_count_in_holms_method)
{
	struct comparison list[3] = {
		{ .chance = 0.04, .ratio = { 1.02, 1.03, 1.04 } },
		{ .is_exact = true, .ratio = { 1, 1, 1 } },
		{ .is_exact = true, .ratio = { 2, 2, 2 } },
	};

	compare_judge(list, 3, 0.01);
	cr_expect_float_eq(list[0].adjusted, 0.04, 1e-12);
	cr_expect_eq(list[0].verdict, COMPARE_SLOWER);
	cr_expect_eq(list[1].verdict, COMPARE_NO_CHANGE);
	cr_expect_eq(list[2].verdict, COMPARE_SLOWER);
}

/* A gate that finds nothing to judge must not be open. */
SOON_TEST_PLAIN(compare, a_figure_of_one_side_only_is_no_pass)
{
	static const double counts[] = { 1, 1 };
	struct result *whole = make_counts(counts, 2), *without = make_counts(counts, 2);
	struct compare_report report;

	without->entries[0]->sample_count = 1;
	cr_assert_eq(compare_results(whole, without, "calls", 0.01, &report), 0);
	cr_assert_eq(report.count, 1);
	cr_expect_eq(report.list[0].verdict, COMPARE_IMPOSSIBLE);
	cr_expect_str_eq(report.list[0].why, "it lacks the figure after");
	compare_report_free(&report);
	cr_assert_eq(compare_results(without, whole, "calls", 0.01, &report), 0);
	cr_assert_eq(report.count, 1);
	cr_expect_str_eq(report.list[0].why, "it lacks the figure before");
	compare_report_free(&report);
	without->entries[0]->sample_count = 0;
	without->entries[0]->state = RESULT_FAILED;
	cr_assert_eq(compare_results(without, whole, NULL, 0.01, &report), 0);
	cr_assert_eq(report.count, 1);
	cr_expect_str_eq(report.list[0].why, "it failed before");
	compare_report_free(&report);
	result_free(whole);
	result_free(without);
}
