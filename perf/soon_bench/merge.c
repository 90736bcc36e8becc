// SPDX-License-Identifier: Apache-2.0
/* merge.c: the runs of one program as one result. */
#include "soon_bench.h"

#include <errno.h>
#include <string.h>

/* The figure of one entry in all runs. */
static int merge_figure(struct result *result, struct result *const *runs, size_t count,
	const struct result_entry *entry, struct result_samples *figure)
{
	struct result_run *merged = result_alloc(result, count, sizeof(*merged));

	if (merged == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct result_entry *source =
			runs[i] != NULL ? result_entry_find(runs[i], entry->name) : NULL;
		const struct result_samples *samples =
			source != NULL ? result_samples_find(source, figure->name) : NULL;

		if (samples != NULL && samples->run_count > 0)
			merged[i] = samples->runs[0];
	}
	figure->runs = merged;
	figure->run_count = count;
	return 0;
}

/* An entry of run `at` that is not in the result yet. */
static int add_entry(struct result *result, struct result *const *runs, size_t count, size_t at,
	const struct result_entry *from)
{
	struct result_entry *entry = result_entry_add(result, from->name);
	struct result_samples *figures = result_alloc(result, from->sample_count, sizeof(*figures));
	const struct result_entry *last = from;
	int rc = 0;

	if (entry == NULL || figures == NULL)
		return -ENOMEM;
	for (size_t i = at + 1; i < count; i++) {
		const struct result_entry *later =
			runs[i] != NULL ? result_entry_find(runs[i], from->name) : NULL;

		last = later != NULL ? later : last;
	}
	*entry = *last;
	entry->samples = figures;
	entry->sample_count = from->sample_count;
	for (size_t i = 0; rc == 0 && i < from->sample_count; i++) {
		figures[i] = from->samples[i];
		rc = merge_figure(result, runs, count, from, &figures[i]);
	}
	return rc;
}

/* What only the programs themselves know. */
static void merge_environment(struct result *result, const struct result *run)
{
	if (*run->environment.io != '\0')
		result->environment.io = run->environment.io;
	if (*run->environment.compiler != '\0')
		result->environment.compiler = run->environment.compiler;
	if (run->is_partial) {
		result->is_partial = true;
		result->partial_reason = run->partial_reason;
	}
}

int merge_runs(
	struct result *result, struct result *const *runs, size_t count, const char **ret_name)
{
	size_t others = result->entry_count;

	for (size_t i = 0; i < count; i++) {
		if (runs[i] != NULL)
			merge_environment(result, runs[i]);
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; runs[i] != NULL && k < runs[i]->entry_count; k++) {
			const struct result_entry *from = runs[i]->entries[k];
			const struct result_entry *found = result_entry_find(result, from->name);
			bool is_others = false;

			for (size_t n = 0; found != NULL && n < others; n++)
				is_others = is_others || result->entries[n] == found;
			if (is_others) {
				*ret_name = from->name;
				return -EEXIST;
			}
			if (found == NULL && add_entry(result, runs, count, i, from) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}
