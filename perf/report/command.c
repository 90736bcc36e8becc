// SPDX-License-Identifier: Apache-2.0
/* command.c: the command line of a report: report_main. */
#include "compared.h"
#include "report.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_FILE  3
#define EXIT_USAGE 2

enum {
	KEY_ENTRY = 256,
	KEY_PHASE,
};

struct command {
	const char *name; /* of the program */
	report_open *open;
	const char *paths[REPORT_INPUTS_MAX];
	struct report_input inputs[REPORT_INPUTS_MAX];
	struct result *results[REPORT_INPUTS_MAX];
	size_t count;
	struct report_comparison *comparisons; /* of two results; owned */
	size_t comparison_count;
	const char *output; /* "-": standard output */
	int format;         /* -1: by the output's name */
	struct result_error error;
	const char *entry;
	const char *phase;
};

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct command *command = state->input;

	switch (key) {
	case 'f':
		command->format = report_format_find(arg);
		if (command->format < 0)
			argp_error(state, "there is no format '%s'", arg);
		return 0;
	case 'o':
		command->output = arg;
		return 0;
	case KEY_ENTRY:
		command->entry = arg;
		return 0;
	case KEY_PHASE:
		command->phase = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (command->count == REPORT_INPUTS_MAX)
			argp_error(state, "more than %d files", REPORT_INPUTS_MAX);
		else
			command->paths[command->count++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which result?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "format", 'f', "FORMAT", 0,
		"html, md, csv, csv-series, hgrm, gbench or text; otherwise what the name of the "
		"output ends with, or text",
		0 },
	{ "out", 'o', "FILE", 0, "Where to; standard output by default", 0 },
	{ "entry", KEY_ENTRY, "NAME", 0, "hgrm: of this load, where there are several", 0 },
	{ "phase", KEY_PHASE, "NAME", 0, "hgrm: of this latency; total by default", 0 },
	{ 0 },
};

static const char about[] =
	"Shows results of soon-bench or soon-load, files or baselines, several of one kind "
	"together; two are compared, the second with the first.\v"
	"A format is for people (html, md, text) or for other programs: csv has a line for "
	"each entry, csv-series one for each interval of a load, hgrm is HdrHistogram's "
	"distribution by percentile, gbench the JSON of Google Benchmark. Exit status: 0, "
	"2 wrong usage, or a format that cannot say what is wanted, 3 a file cannot be read "
	"or written.";

static const struct argp argp = { options, take, "FILE|@NAME...", about, NULL, NULL, NULL };

static int format_by_suffix(const char *path)
{
	static const struct {
		const char *suffix;
		enum report_format format;
	} suffixes[] = {
		{ ".html", REPORT_HTML },
		{ ".htm", REPORT_HTML },
		{ ".md", REPORT_MARKDOWN },
		{ ".csv", REPORT_CSV },
		{ ".hgrm", REPORT_HGRM },
		{ ".json", REPORT_GBENCH },
	};
	const char *end = strrchr(path, '.');

	for (unsigned i = 0; end != NULL && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (strcmp(end, suffixes[i].suffix) == 0)
			return (int)suffixes[i].format;
	}
	return REPORT_TEXT;
}

/* From the one that says most to the one that is always another. */
enum naming {
	BY_NAME, /* what the user called the result; the file where that is nothing */
	BY_FILE, /* without folders and ".json" */
	BY_PATH,
	BY_NUMBER, /* the same file twice */
	NAMINGS,
};

static const char *label_of(const struct command *command, size_t index, enum naming naming)
{
	struct result *result = command->results[index];
	const char *path = command->paths[index], *base = strrchr(path, '/');
	size_t length;

	if (naming == BY_NAME && *result->name != '\0')
		return result->name;
	base = naming == BY_PATH || naming == BY_NUMBER || base == NULL ? path : base + 1;
	base += *base == '@';
	length = strlen(base);
	if (length > 5 && strcmp(base + length - 5, ".json") == 0)
		length -= 5;
	if (naming == BY_NUMBER)
		base = result_text(result, "%.*s (%zu)", (int)length, base, index + 1);
	else
		base = result_text(result, "%.*s", (int)length, base);
	return base != NULL ? base : "";
}

static bool are_labels_distinct(const struct command *command)
{
	for (size_t i = 1; i < command->count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(command->inputs[i].label, command->inputs[k].label) == 0)
				return false;
		}
	}
	return true;
}

static void name_all(struct command *command)
{
	for (int naming = BY_NAME; naming < NAMINGS; naming++) {
		for (size_t i = 0; i < command->count; i++)
			command->inputs[i] = (struct report_input){ command->results[i],
				label_of(command, i, (enum naming)naming) };
		if (are_labels_distinct(command))
			return;
	}
}

static int read_all(struct command *command)
{
	for (size_t i = 0; i < command->count; i++) {
		command->results[i] = command->open(command->paths[i]);
		if (command->results[i] == NULL)
			return EXIT_FILE;
	}
	name_all(command);
	return 0;
}

/* Two results of one kind; of others a report says what is the matter. */
static int compare(struct command *command)
{
	const struct result *before = command->results[0], *after = command->results[1];

	if (command->count != 2 || before->kind != after->kind)
		return 0;
	if (compared_make(before, after, &command->comparisons, &command->comparison_count) == 0)
		return 0;
	(void)fprintf(stderr, "%s: no memory\n", command->name);
	return EXIT_FILE;
}

/* Others have no place for warnings that is sure to be looked at. */
static bool is_for_people(enum report_format format)
{
	return format == REPORT_TEXT || format == REPORT_HTML || format == REPORT_MARKDOWN;
}

/* Into memory first, so that a file is written whole or left as it is. */
static int write_report(struct command *command, char **ret_text, size_t *ret_length)
{
	struct report report = {
		.inputs = command->inputs,
		.input_count = command->count,
		.comparisons = command->comparisons,
		.comparison_count = command->comparison_count,
		.entry = command->entry,
		.phase = command->phase,
	};
	FILE *stream = open_memstream(ret_text, ret_length);
	int rc = stream == NULL ? -errno : 0;

	if (rc == 0)
		rc = report_write(
			&report, (enum report_format)command->format, stream, &command->error);
	if (stream != NULL && fclose(stream) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && !is_for_people((enum report_format)command->format))
		rc = report_warn(&report, command->name, stderr);
	if (rc == 0)
		return 0;
	(void)fprintf(stderr, "%s: %s\n", command->name,
		command->error.text[0] != '\0' ? command->error.text : strerror(-rc));
	return rc == -EOPNOTSUPP || rc == -EINVAL ? EXIT_USAGE : EXIT_FILE;
}

static int write_out(const struct command *command, const char *text, size_t length)
{
	bool is_stdout = strcmp(command->output, "-") == 0;
	FILE *file = is_stdout ? stdout : fopen(command->output, "we");
	bool is_written;

	if (file == NULL) {
		(void)fprintf(
			stderr, "%s: %s: %s\n", command->name, command->output, strerror(errno));
		return EXIT_FILE;
	}
	is_written = fwrite(text, 1, length, file) == length && fflush(file) == 0;
	if ((!is_stdout && fclose(file) != 0) || !is_written) {
		(void)fprintf(stderr, "%s: %s: cannot be written: %s\n", command->name,
			command->output, strerror(errno));
		return EXIT_FILE;
	}
	return 0;
}

static int run(struct command *command, int argc, char **argv)
{
	char *text = NULL;
	size_t length = 0;
	int status;

	if (argp_parse(&argp, argc, argv, 0, NULL, command) != 0)
		return EXIT_USAGE;
	if (command->format < 0)
		command->format = format_by_suffix(command->output);
	status = read_all(command);
	if (status == 0)
		status = compare(command);
	if (status == 0)
		status = write_report(command, &text, &length);
	if (status == 0)
		status = write_out(command, text, length);
	free(text);
	return status;
}

int report_main(int argc, char **argv, report_open *open)
{
	struct command *command = calloc(1, sizeof(*command));
	int status;

	if (command == NULL) {
		(void)fprintf(stderr, "%s: no memory\n", argv[0]);
		return EXIT_FILE;
	}
	*command = (struct command){
		.name = argv[0],
		.open = open,
		.output = "-",
		.format = -1,
		.entry = "",
		.phase = "",
	};
	argp_err_exit_status = EXIT_USAGE;
	status = run(command, argc, argv);
	free(command->comparisons);
	for (size_t i = 0; i < command->count; i++)
		result_free(command->results[i]);
	free(command);
	return status;
}
