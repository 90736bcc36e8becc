// SPDX-License-Identifier: Apache-2.0
/* show_comparison.c: verdicts as lines for people, and as an exit status. */
#include "harness/number.h"
#include "soon_bench.h"

#include <math.h>
#include <string.h>

#define NAME_WIDTH_MIN 24

/* Counts may come from nothing. */
static void show_change(FILE *out, const struct comparison *one)
{
	const struct stats_interval *ratio = &one->ratio;

	if (isinf(ratio->value))
		(void)fprintf(out, " %9s", "from none");
	else
		(void)fprintf(out, " %+7.1f %%", 100 * (ratio->value - 1));
	if (one->is_exact)
		(void)fprintf(out, " %19s  %6s", "exact", "-");
	else
		(void)fprintf(out, " %+7.1f .. %+5.1f %%  %6.4f", 100 * (ratio->low - 1),
			100 * (ratio->high - 1), one->adjusted);
}

static void show_line(FILE *out, int width, bool has_figures, const struct comparison *one)
{
	char before[NUMBER_BYTES], after[NUMBER_BYTES];

	(void)fprintf(out, "%-*s ", width, one->name);
	if (has_figures)
		(void)fprintf(out, "%-12s ", one->figure);
	if (one->verdict == COMPARE_IMPOSSIBLE) {
		(void)fprintf(out, "not compared: %s\n", one->why);
		return;
	}
	(void)fprintf(out, "%10s %10s", number_figure(one->before, one->unit, before),
		number_figure(one->after, one->unit, after));
	show_change(out, one);
	(void)fprintf(out, "  %s\n", compare_word_of(one));
}

static void show_table(FILE *out, const struct compare_report *report)
{
	size_t width = NAME_WIDTH_MIN;
	bool has_figures = false;

	for (size_t i = 0; i < report->count; i++) {
		size_t length = strlen(report->list[i].name);

		width = length > width ? length : width;
		has_figures = has_figures || strcmp(report->list[i].figure, "wall") != 0;
	}
	(void)fprintf(out, "%-*s %s%10s %10s %9s %19s  %6s  %s\n", (int)width, "benchmark",
		has_figures ? "figure       " : "", "before", "after", "change", "95 % interval",
		"chance", "verdict");
	for (size_t i = 0; i < report->count; i++)
		show_line(out, (int)width, has_figures, &report->list[i]);
}

static size_t count_verdicts(const struct compare_report *report, enum compare_verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++)
		count += report->list[i].verdict == verdict;
	return count;
}

static void note_difference(FILE *out, const char *what, const char *before, const char *after)
{
	if (strcmp(before, after) != 0)
		(void)fprintf(out, "note: the %s differs: '%s' before, '%s' after\n", what, before,
			after);
}

static void note_partial(FILE *out, const char *side, const struct result *result)
{
	if (result->is_partial)
		(void)fprintf(out, "note: the result %s is not whole: %s\n", side,
			result->partial_reason);
}

/* What makes the verdicts worth less. */
static void show_notes(FILE *out, const struct result *before, const struct result *after,
	const struct compare_report *report)
{
	const struct result_environment *old = &before->environment;
	const struct result_environment *new = &after->environment;
	bool is_single = false, has_chance = false;

	note_partial(out, "before", before);
	note_partial(out, "after", after);
	note_difference(out, "kernel", old->kernel, new->kernel);
	note_difference(out, "processor", old->cpu_model, new->cpu_model);
	note_difference(out, "clock", old->clock, new->clock);
	note_difference(out, "I/O back end", old->io, new->io);
	if (old->cpu_count != new->cpu_count)
		(void)fprintf(out, "note: the number of CPUs differs: %llu before, %llu after\n",
			(unsigned long long)old->cpu_count, (unsigned long long)new->cpu_count);
	if (report->only_before > 0 || report->only_after > 0)
		(void)fprintf(out, "note: without a partner: %zu before, %zu after\n",
			report->only_before, report->only_after);
	for (size_t i = 0; i < report->count; i++) {
		const struct comparison *one = &report->list[i];

		is_single = is_single || one->is_single;
		has_chance = has_chance || (!one->is_exact && one->verdict != COMPARE_IMPOSSIBLE);
	}
	if (is_single)
		(void)fputs("note: a process each: how processes differ is not seen, and verdicts "
			    "come too easily; measure with soon-bench run or ab\n",
			out);
	else if (has_chance && !report->is_paired)
		(void)fputs("note: not measured in turns: what the machine did meanwhile counts "
			    "as a change; soon-bench ab does better\n",
			out);
}

/* Why there is nothing to judge, and what could be. */
static void show_nothing(
	const struct result *before, const struct compare_report *report, const char *figure)
{
	const struct result_entry *first = before->entry_count > 0 ? before->entries[0] : NULL;
	const char *separator = "";

	if (first == NULL || report->only_before == before->entry_count) {
		(void)fputs("soon-bench: the two results have nothing in common\n", stderr);
		return;
	}
	if (figure == NULL) {
		(void)fputs("soon-bench: nothing was measured on both sides\n", stderr);
		return;
	}
	(void)fprintf(stderr, "soon-bench: no entry has '%s' to compare; '%s' has: ", figure,
		first->name);
	for (size_t i = 0; i < first->sample_count; i++) {
		if (first->samples[i].better == RESULT_BETTER_NONE)
			continue;
		(void)fprintf(stderr, "%s%s", separator, first->samples[i].name);
		separator = ", ";
	}
	(void)fputs(". allocations need jemalloc as malloc, system_calls and instructions "
		    "--counters; a benchmark's own counts are only told\n",
		stderr);
}

static int status_of(const struct compare_report *report, const struct judging *judging)
{
	if (count_verdicts(report, COMPARE_SLOWER) > 0)
		return EXIT_SLOWER;
	if (count_verdicts(report, COMPARE_IMPOSSIBLE) > 0)
		return EXIT_FILE;
	if (judging->fails_noisy && count_verdicts(report, COMPARE_NOISY) > 0)
		return EXIT_NOISY;
	return EXIT_FINE;
}

int show_comparison(FILE *out, const struct result *before, const struct result *after,
	const struct judging *judging)
{
	struct compare_report report;
	int status;

	if (before->kind != after->kind) {
		(void)fputs("soon-bench: one is a benchmark and the other a load test\n", stderr);
		return EXIT_FILE;
	}
	if (compare_results(before, after, judging->figure, judging->threshold, &report) < 0) {
		(void)fputs("soon-bench: no memory\n", stderr);
		return EXIT_FILE;
	}
	if (report.count == 0) {
		show_nothing(before, &report, judging->figure);
		compare_report_free(&report);
		return EXIT_FILE;
	}
	show_table(out, &report);
	(void)fprintf(out,
		"%zu worse, %zu better, %zu without change, %zu too noisy; less than "
		"%.3g %% does not count\n",
		count_verdicts(&report, COMPARE_SLOWER), count_verdicts(&report, COMPARE_FASTER),
		count_verdicts(&report, COMPARE_NO_CHANGE), count_verdicts(&report, COMPARE_NOISY),
		100 * judging->threshold);
	show_notes(out, before, after, &report);
	status = status_of(&report, judging);
	compare_report_free(&report);
	return status;
}
