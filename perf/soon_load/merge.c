// SPDX-License-Identifier: Apache-2.0
#include "merge.h"

#include "options.h"
#include "report.h"
#include "save.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

#define FILES_MAX 1024

struct merge {
	const char *files[FILES_MAX];
	unsigned count;
	const char *out;
	bool is_quiet;
};

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is argp's */
static error_t take(int key, char *arg, struct argp_state *state)
{
	struct merge *merge = state->input;

	switch (key) {
	case 'o':
		merge->out = arg;
		return 0;
	case 'q':
		merge->is_quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (merge->count == FILES_MAX)
			argp_error(state, "more than %d files", FILES_MAX);
		merge->files[merge->count++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which result files?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Adds one file. `name` is the first one's, `partial` that of one that did not end well. */
static void add_file(const char *path, struct tally *tally, struct result *into)
{
	struct result_error error;
	struct result *result;
	const struct result_entry *entry;

	if (result_read(path, &result, &error) < 0)
		die(EXIT_RESULT, "%s", error.text);
	if (result->kind != RESULT_LOAD || result->entry_count != 1 ||
		result->entries[0]->load == NULL)
		die(EXIT_RESULT, "%s: not the result of one load", path);
	entry = result->entries[0];
	if (into->name[0] == '\0')
		into->name = result_text(into, "%s", entry->name);
	if (result->is_partial && !into->is_partial) {
		into->is_partial = true;
		into->partial_reason = result_text(into, "%s: %s", path, result->partial_reason);
	}
	if (into->name == NULL || into->partial_reason == NULL)
		die(EXIT_RESOURCES, "out of memory");
	if (save_read(entry, tally) < 0)
		die(EXIT_RESULT, "%s: its histograms have another precision", path);
	result_free(result);
}

static int write_out(struct result *result, struct tally *tally, const struct merge *merge)
{
	struct result_error error;
	int rc = save_entry(result, result->name, tally, tally->due > 0, merge->count);

	if (rc < 0)
		die(EXIT_RESOURCES, "out of memory");
	if (result_write(result, merge->out, &error) < 0)
		die(EXIT_RESULT, "%s", error.text);
	return EXIT_DONE;
}

int merge_main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "out", 'o', "FILE", 0, "Write the merged result", 0 },
		{ "quiet", 'q', NULL, 0, "No report", 0 },
		{ 0 },
	};
	static const struct argp argp = { options, take, "FILE...",
		"Makes one result of several whose loads ran at the same time.", NULL, NULL, NULL };
	static struct merge merge; /* too large for a frame */
	static struct tally tally;
	struct result *result = result_create(RESULT_LOAD);
	int status = EXIT_DONE;

	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &merge) != 0)
		return EXIT_USAGE;
	if (result == NULL || tally_init(&tally) < 0 ||
		result_environment_read(result, argc, argv) < 0)
		die(EXIT_RESOURCES, "out of memory");
	for (unsigned i = 0; i < merge.count; i++)
		add_file(merge.files[i], &tally, result);
	if (!merge.is_quiet && !(merge.out != NULL && strcmp(merge.out, "-") == 0)) {
		(void)printf("%s: %u results%s%s\n\n", result->name, merge.count,
			result->is_partial ? "; PARTIAL: " : "", result->partial_reason);
		report_tally(&tally, tally.due > 0);
	}
	if (merge.out != NULL)
		status = write_out(result, &tally, &merge);
	result_free(result);
	tally_fini(&tally);
	return status;
}
