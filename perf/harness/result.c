// SPDX-License-Identifier: Apache-2.0
/* result.c: results in memory. */
#include "result.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One allocation; its memory follows. */
struct result_memory {
	_Alignas(max_align_t) struct result_memory *next;
};

void *result_alloc(struct result *result, size_t count, size_t size)
{
	struct result_memory *memory;
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) ||
		__builtin_add_overflow(bytes, sizeof(*memory), &bytes))
		return NULL;
	memory = calloc(1, bytes);
	if (memory == NULL)
		return NULL;
	memory->next = result->memory;
	result->memory = memory;
	return memory + 1;
}

const char *result_text(struct result *result, const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = length < 0 ? NULL : result_alloc(result, (size_t)length + 1, 1);
	if (text == NULL)
		return NULL;
	va_start(args, format);
	(void)vsnprintf(text, (size_t)length + 1, format, args);
	va_end(args);
	return text;
}

struct result *result_create(enum result_kind kind)
{
	struct result *result = calloc(1, sizeof(*result));

	if (result == NULL)
		return NULL;
	*result = (struct result){
		.kind = kind,
		.name = "",
		.session = "",
		.partial_reason = "",
		.environment = {
			.kernel = "",
			.cpu_model = "",
			.clock = "",
			.compiler = "",
			.soon_version = "",
			.io = "",
			.command = "",
			.started = "",
		},
	};
	return result;
}

static void hists_free(const struct result_load *load)
{
	if (load == NULL)
		return;
	for (size_t i = 0; i < load->phase_count; i++)
		soon_hist_destroy(load->phases[i].hist);
}

void result_free(struct result *result)
{
	struct result_memory *next;

	if (result == NULL)
		return;
	for (size_t i = 0; i < result->entry_count; i++)
		hists_free(result->entries[i]->load);
	for (struct result_memory *memory = result->memory; memory != NULL; memory = next) {
		next = memory->next;
		free(memory);
	}
	free(result);
}

/* Room for one more entry. The old array stays behind until the end: there are few. */
static int make_room(struct result *result)
{
	size_t room = result->entry_room == 0 ? 16 : 2 * result->entry_room;
	struct result_entry **entries;

	if (result->entry_count < result->entry_room)
		return 0;
	entries = result_alloc(result, room, sizeof(struct result_entry *));
	if (entries == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < result->entry_count; i++)
		entries[i] = result->entries[i];
	result->entries = entries;
	result->entry_room = room;
	return 0;
}

struct result_entry *result_entry_add(struct result *result, const char *name)
{
	struct result_entry *entry = result_alloc(result, 1, sizeof(*entry));
	const char *copy = result_text(result, "%s", name);

	if (entry == NULL || copy == NULL || make_room(result) < 0)
		return NULL;
	*entry = (struct result_entry){
		.name = copy,
		.group = copy,
		.param_name = "",
		.message = "",
		.threads = 1,
	};
	result->entries[result->entry_count++] = entry;
	return entry;
}

const struct result_entry *result_entry_find(const struct result *result, const char *name)
{
	for (size_t i = 0; i < result->entry_count; i++) {
		if (strcmp(result->entries[i]->name, name) == 0)
			return result->entries[i];
	}
	return NULL;
}

const struct result_samples *result_samples_find(const struct result_entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->sample_count; i++) {
		if (strcmp(entry->samples[i].name, name) == 0)
			return &entry->samples[i];
	}
	return NULL;
}
