// SPDX-License-Identifier: Apache-2.0
/* summary.c: see summary.h. */
#include "summary.h"

#include <string.h>

const struct result_counter *summary_counter(const struct result_entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->counter_count; i++) {
		if (strcmp(entry->counters[i].name, name) == 0)
			return &entry->counters[i];
	}
	return NULL;
}

const struct result_phase *summary_phase(const struct result_load *load, const char *name)
{
	for (size_t i = 0; i < load->phase_count; i++) {
		if (strcmp(load->phases[i].name, name) == 0)
			return &load->phases[i];
	}
	return NULL;
}

uint64_t summary_errors(const struct result_load *load)
{
	uint64_t count = 0;

	for (size_t i = 0; i < load->error_count; i++)
		count += load->errors[i].count;
	return count;
}

double summary_greatest(const soon_hist *hist)
{
	uint64_t value = soon_hist_greatest(hist);

	return (double)value;
}

double summary_count(const soon_hist *hist)
{
	uint64_t count = soon_hist_count(hist);

	return (double)count;
}

bool summary_reaches(const soon_hist *hist, double share)
{
	/* The hair is for 1 - 0.99, which is a little more than 0.01. */
	return summary_count(hist) * (1 - share) >= 1 - 1e-6;
}
