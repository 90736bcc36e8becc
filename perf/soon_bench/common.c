// SPDX-License-Identifier: Apache-2.0
/* common.c: what several commands of soon-bench do. */
#include "soon_bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

volatile sig_atomic_t is_interrupted;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	is_interrupted = 1;
}

void catch_interrupts(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };

	(void)sigaction(SIGTERM, &action, NULL);
	action.sa_flags = (int)SA_RESETHAND;
	(void)sigaction(SIGINT, &action, NULL);
}

void show_progress(const char *what, unsigned done, unsigned total)
{
	if (isatty(STDERR_FILENO) == 0)
		return;
	if (total > 0)
		(void)fprintf(stderr, "\r%s %u of %u\033[K", what, done, total);
	else
		(void)fputs("\r\033[K", stderr);
	(void)fflush(stderr);
}

int save_result(const struct result *result, const char *path)
{
	struct result_error error;

	if (result_write(result, path, &error) == 0)
		return EXIT_FINE;
	(void)fprintf(stderr, "soon-bench: %s\n", error.text);
	return EXIT_FILE;
}

/* "1" and "1%" are a hundredth. */
static double read_percent(struct argp_state *state, const char *text)
{
	char *end;
	double percent = strtod(text, &end);

	if (*end == '%')
		end++;
	if (end == text || *end != '\0' || !(percent >= 0 && percent <= 1000))
		argp_error(state, "--threshold: '%s' is no percentage: say 1%%", text);
	return percent / 100;
}

enum judging_key {
	KEY_FIGURE = 'f',
	KEY_THRESHOLD = 't',
	KEY_FAIL_NOISY = 0x200,
};

static error_t take_judging(int key, char *arg, struct argp_state *state)
{
	struct judging *judging = state->input;

	switch (key) {
	case KEY_FIGURE:
		judging->figure = arg;
		break;
	case KEY_THRESHOLD:
		judging->threshold = read_percent(state, arg);
		break;
	case KEY_FAIL_NOISY:
		judging->fails_noisy = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option judging_options[] = {
	{ "threshold", KEY_THRESHOLD, "PERCENT", 0,
		"The least difference that counts as one; default 1%", 1 },
	{ "figure", KEY_FIGURE, "NAME", 0,
		"Compare this figure (cpu, allocations, memory, p99 ...), counts, or all; default: "
		"the first of each, wall for benchmarks",
		1 },
	{ "fail-noisy", KEY_FAIL_NOISY, NULL, 0,
		"Exit with 5 when something is too noisy to be judged", 1 },
	{ 0 },
};

const struct argp judging_argp = { judging_options, take_judging, NULL, NULL, NULL, NULL, NULL };
