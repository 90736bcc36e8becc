// SPDX-License-Identifier: Apache-2.0
/* subject.c: see subject.h. */
#include "subject.h"

#include "plot.h"

#include <stdlib.h>
#include <string.h>

static bool is_within(const struct subjects *subjects, const char *name)
{
	for (size_t i = 0; i < subjects->count; i++) {
		if (strcmp(subjects->list[i].entry->name, name) == 0)
			return true;
	}
	return false;
}

static void add(struct subjects *subjects, const struct report_input *input,
	const struct result_entry *entry, bool has_label)
{
	struct subject *subject = &subjects->list[subjects->count++];

	subject->input = input;
	subject->entry = entry;
	(void)snprintf(subject->name, sizeof(subject->name), "%.90s%s%.34s", entry->name,
		has_label ? " \xc2\xb7 " : "", has_label ? input->label : "");
}

/* What all texts begin with, up to the last '/' or ' ' in it. */
static size_t common_length(const struct subjects *subjects)
{
	const char *first = subjects->list[0].entry->name;
	size_t length = strlen(first);

	for (size_t i = 1; i < subjects->count; i++) {
		const char *other = subjects->list[i].entry->name;
		size_t same = 0;

		while (same < length && other[same] == first[same])
			same++;
		length = same;
	}
	while (length > 0 && first[length - 1] != '/' && first[length - 1] != ' ')
		length--;
	return length;
}

/* The first characters, with an ellipsis where that was not all. Not in the middle of one. */
static void shorten(char into[SUBJECT_SHORT_BYTES], const char *text)
{
	size_t bytes = 0;
	unsigned characters = 0;
	bool is_cut;

	for (; text[bytes] != '\0' && bytes < SUBJECT_SHORT_BYTES - 8; bytes++) {
		if (((unsigned char)text[bytes] & 0xC0) == 0x80)
			continue;
		if (characters == PLOT_NAME_LENGTH)
			break;
		characters++;
	}
	is_cut = text[bytes] != '\0';
	while (is_cut && bytes > 0 && ((unsigned char)text[bytes] & 0xC0) == 0x80)
		bytes--;
	(void)snprintf(into, SUBJECT_SHORT_BYTES, "%.*s%s", (int)bytes, text,
		is_cut ? "\xe2\x80\xa6" : "");
}

static bool is_one_entry(const struct subjects *subjects)
{
	for (size_t i = 1; i < subjects->count; i++) {
		if (strcmp(subjects->list[i].entry->name, subjects->list[0].entry->name) != 0)
			return false;
	}
	return true;
}

static void name_shortly(struct subjects *subjects, bool has_label)
{
	size_t skipped = subjects->count > 1 ? common_length(subjects) : 0;
	bool is_one = is_one_entry(subjects);

	for (size_t i = 0; i < subjects->count; i++) {
		struct subject *subject = &subjects->list[i];
		char text[SUBJECT_NAME_BYTES];

		if (is_one && has_label)
			(void)snprintf(text, sizeof(text), "%.120s", subject->input->label);
		else if (has_label)
			(void)snprintf(text, sizeof(text), "%.60s \xc2\xb7 %.60s",
				subject->entry->name + skipped, subject->input->label);
		else
			(void)snprintf(
				text, sizeof(text), "%.120s", subject->entry->name + skipped);
		shorten(subject->short_name, text);
	}
}

int subjects_make(const struct report *report, struct subjects *ret_subjects)
{
	bool has_label = report->input_count > 1;
	struct subjects subjects = { 0 };
	size_t room = 0;

	for (size_t i = 0; i < report->input_count; i++)
		room += report->inputs[i].result->entry_count;
	subjects.list = calloc(room > 0 ? room : 1, sizeof(*subjects.list));
	if (subjects.list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < report->input_count; i++) {
		const struct result *result = report->inputs[i].result;

		for (size_t k = 0; k < result->entry_count; k++) {
			const char *name = result->entries[k]->name;

			if (is_within(&subjects, name))
				continue;
			for (size_t m = i; m < report->input_count; m++) {
				const struct report_input *input = &report->inputs[m];
				const struct result_entry *entry =
					result_entry_find(input->result, name);

				if (entry != NULL && entry->state == RESULT_OK)
					add(&subjects, input, entry, has_label);
			}
		}
	}
	if (subjects.count > 0)
		name_shortly(&subjects, has_label);
	*ret_subjects = subjects;
	return 0;
}

void subjects_free(struct subjects *subjects)
{
	free(subjects->list);
	*subjects = (struct subjects){ 0 };
}

static void add_name(struct subject_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->list[i], name) == 0)
			return;
	}
	if (names->count < SUBJECT_NAMES_MAX)
		names->list[names->count++] = name;
	else
		names->is_cut = true;
}

static void add_figures(struct subject_names *names, const struct result_entry *entry)
{
	for (size_t i = 0; i < entry->sample_count; i++)
		add_name(names, entry->samples[i].name);
}

static void add_counters(struct subject_names *names, const struct result_entry *entry)
{
	for (size_t i = 0; i < entry->counter_count; i++)
		add_name(names, entry->counters[i].name);
}

static void add_phases(struct subject_names *names, const struct result_entry *entry)
{
	for (size_t i = 0; entry->load != NULL && i < entry->load->phase_count; i++)
		add_name(names, entry->load->phases[i].name);
}

static void gather(const struct report *report, struct subject_names *names,
	void (*add_names)(struct subject_names *names, const struct result_entry *entry))
{
	*names = (struct subject_names){ 0 };
	for (size_t i = 0; i < report->input_count; i++) {
		const struct result *result = report->inputs[i].result;

		for (size_t k = 0; k < result->entry_count; k++)
			add_names(names, result->entries[k]);
	}
}

void subject_figures(const struct report *report, struct subject_names *ret_names)
{
	gather(report, ret_names, add_figures);
}

void subject_counters(const struct report *report, struct subject_names *ret_names)
{
	gather(report, ret_names, add_counters);
}

void subject_phases(const struct report *report, struct subject_names *ret_names)
{
	gather(report, ret_names, add_phases);
}
