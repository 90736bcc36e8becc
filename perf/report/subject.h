// SPDX-License-Identifier: Apache-2.0
/* subject.h: the entries of all inputs in a row, each with a name that is short and its own. */
#ifndef SOON_REPORT_SUBJECT_H
#define SOON_REPORT_SUBJECT_H

#include "report.h"

#define SUBJECT_NAME_BYTES  128
#define SUBJECT_SHORT_BYTES 96

struct subject {
	const struct report_input *input;
	const struct result_entry *entry;
	char name[SUBJECT_NAME_BYTES]; /* of the entry, and the input where there are several */
	char short_name[SUBJECT_SHORT_BYTES]; /* to stand in a plot: PLOT_NAME_LENGTH characters */
};

struct subjects {
	struct subject *list;
	size_t count;
};

/* Those whose state is RESULT_OK, entry by entry, within one in the order of the inputs.
 * Errors: -ENOMEM. */
int subjects_make(const struct report *report, struct subjects *ret_subjects);
void subjects_free(struct subjects *subjects);

/* Names of one kind in all entries, each once, in the order in which they come first. */
#define SUBJECT_NAMES_MAX 24
struct subject_names {
	const char *list[SUBJECT_NAMES_MAX];
	size_t count;
	bool is_cut; /* there are more, which warning.c tells */
};
void subject_figures(const struct report *report, struct subject_names *ret_names);
void subject_counters(const struct report *report, struct subject_names *ret_names);
void subject_phases(const struct report *report, struct subject_names *ret_names);

#endif
