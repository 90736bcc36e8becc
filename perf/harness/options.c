// SPDX-License-Identifier: Apache-2.0
/* options.c: see options.h. */
#include "options.h"

#include <soon/bench.h>
#include <soon/time.h>

#include "text.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): argp, getenv and exit, before there is a second thread. */

#define DAY SOON_S(86400)

enum key {
	KEY_FILTER = 'f',
	KEY_LIST = 'l',
	KEY_NAME = 'n',
	KEY_OUT = 'o',
	KEY_QUIET = 'q',
	KEY_SAMPLES = 's',
	KEY_TIME = 't',
	KEY_COUNTERS = 0x100,
	KEY_EXACT,
	KEY_ONE_SAMPLE,
	KEY_PIN,
	KEY_THREADS,
	KEY_WARMUP,
};

static const struct argp_option known[] = {
	{ "list", KEY_LIST, NULL, 0, "Print the names of the benchmarks and end", 0 },
	{ "filter", KEY_FILTER, "REGEX", 0, "Run those whose name matches, as grep -E does", 0 },
	{ "samples", KEY_SAMPLES, "N", 0, "Take N samples of each; default 100", 0 },
	{ "time", KEY_TIME, "TIME", 0,
		"Measure each for this long: 500ms, 2s; default 1ms a sample", 0 },
	{ "warmup", KEY_WARMUP, "TIME", 0, "Run each for this long before; default 100ms", 0 },
	{ "threads", KEY_THREADS, "N", 0, "Run the plain ones on N threads at the same time", 0 },
	{ "pin", KEY_PIN, "CPUS", OPTION_ARG_OPTIONAL,
		"Bind the threads to these CPUs, one each: 0,2-3; default: all that are allowed",
		0 },
	{ "counters", KEY_COUNTERS, NULL, 0,
		"Also count system calls and instructions, which takes a run of its own each", 0 },
	{ "out", KEY_OUT, "FILE", 0, "Write the result to FILE, as JSON; -: standard output", 0 },
	{ "name", KEY_NAME, "TEXT", 0, "What the result is called in comparisons", 0 },
	{ "quiet", KEY_QUIET, NULL, 0, "Print nothing but errors", 0 },
	{ "exact", KEY_EXACT, "NAME", OPTION_HIDDEN, NULL, 0 },
	{ "one-sample", KEY_ONE_SAMPLE, "TURNS", OPTION_HIDDEN, NULL, 0 },
	{ 0 },
};

static soon_ns duration(struct argp_state *state, const char *option, const char *text)
{
	soon_ns ns;

	if (text_duration(text, &ns) < 0 || ns == 0 || ns >= DAY)
		argp_error(state, "--%s: '%s' is no time above 0 and below a day: say 10ms or 2s",
			option, text);
	return ns;
}

uint64_t options_number(
	struct argp_state *state, const char *option, const char *text, uint64_t max)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value == 0 || value > max)
		argp_error(state, "--%s: '%s' is not a number from 1 to %llu", option, text,
			(unsigned long long)max);
	return value;
}

/* Adds "2" or "4-7". Returns the rest, behind the comma; NULL where it makes no sense. */
static const char *add_cpus(const char *text, cpu_set_t *cpus)
{
	char *end;
	unsigned long first = strtoul(text, &end, 10);
	unsigned long last = first;

	if (*text < '0' || *text > '9')
		return NULL;
	if (*end == '-') {
		text = end + 1;
		last = strtoul(text, &end, 10);
		if (*text < '0' || *text > '9')
			return NULL;
	}
	if (last < first || last >= CPU_SETSIZE)
		return NULL;
	for (; first <= last; first++)
		CPU_SET(first, cpus);
	if (*end == ',' && end[1] != '\0')
		return end + 1;
	return *end == '\0' ? end : NULL;
}

static void read_cpus(struct argp_state *state, const char *text, struct options *options)
{
	cpu_set_t allowed, asked;

	options->is_pinned = true;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		argp_failure(state, 2, errno, "cannot read which CPUs are allowed");
	options->cpus = allowed;
	if (text == NULL)
		return;
	CPU_ZERO(&options->cpus);
	for (const char *rest = text; rest != NULL && (rest == text || *rest != '\0');) {
		rest = add_cpus(rest, &options->cpus);
		if (rest == NULL)
			argp_error(state, "--pin: '%s' is no list of CPUs: say 0 or 0,2-3", text);
	}
	asked = options->cpus;
	CPU_AND(&allowed, &allowed, &asked);
	if (!CPU_EQUAL(&allowed, &asked))
		argp_error(state, "--pin: not all of the CPUs %s may be used here", text);
}

static void read_filter(struct argp_state *state, const char *text, struct options *options)
{
	char message[128];
	int rc;

	if (options->has_filter)
		argp_error(state, "--filter: there is one already");
	rc = regcomp(&options->filter, text, REG_EXTENDED | REG_NOSUB);
	if (rc != 0) {
		(void)regerror(rc, &options->filter, message, sizeof(message));
		argp_error(state, "--filter: '%s': %s", text, message);
	}
	options->has_filter = true;
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_LIST:
		options->is_list = true;
		break;
	case KEY_FILTER:
		read_filter(state, arg, options);
		break;
	case KEY_SAMPLES:
		options->samples =
			(unsigned)options_number(state, "samples", arg, OPTIONS_SAMPLES_MAX);
		break;
	case KEY_TIME:
		options->time_ns = duration(state, "time", arg);
		break;
	case KEY_WARMUP:
		options->warmup_ns = duration(state, "warmup", arg);
		break;
	case KEY_THREADS:
		options->threads =
			(unsigned)options_number(state, "threads", arg, SOON_BENCH_THREADS_MAX);
		break;
	case KEY_PIN:
		read_cpus(state, arg, options);
		break;
	case KEY_COUNTERS:
		options->has_counters = true;
		break;
	case KEY_OUT:
		options->out = arg;
		break;
	case KEY_NAME:
		options->name = arg;
		break;
	case KEY_QUIET:
		options->is_quiet = true;
		break;
	case KEY_EXACT:
		options->exact = arg;
		break;
	case KEY_ONE_SAMPLE:
		options->one_sample_turns = options_number(state, "one-sample", arg, UINT64_MAX);
		break;
	case ARGP_KEY_ARG:
		argp_error(
			state, "'%s': there are options only; did you mean --filter=%s?", arg, arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void options_read(struct options *ret_options, int argc, char **argv)
{
	static const char about[] =
		"Runs benchmarks and prints what a turn of each takes.\v"
		"Exit status: 0 all were measured, 1 one failed or it was interrupted, 2 wrong "
		"usage, 3 none matched or the result cannot be written. The program soon-bench "
		"runs and compares such programs.";
	static const struct argp argp = { known, take_option, NULL, about, NULL, NULL, NULL };

	*ret_options = (struct options){
		.samples = OPTIONS_SAMPLES_DEFAULT,
		.warmup_ns = OPTIONS_WARMUP_NS,
		.name = "",
	};
	argp_program_version = "soon " HARNESS_VERSION;
	argp_err_exit_status = 2;
	if (argp_parse(&argp, argc, argv, 0, NULL, ret_options) != 0)
		exit(2);
	/* How soon-bench asks for the result, whatever the command line is. */
	if (ret_options->out == NULL && getenv(OPTIONS_RESULT_VARIABLE) != NULL) {
		ret_options->out = getenv(OPTIONS_RESULT_VARIABLE);
		ret_options->is_quiet = true;
	}
}

void options_fini(struct options *options)
{
	if (options->has_filter)
		regfree(&options->filter);
}

/* NOLINTEND(concurrency-mt-unsafe) */
