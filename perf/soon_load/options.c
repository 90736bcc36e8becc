// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <soon/cores.h>

#include "../harness/text.h"
#include "fault.h"
#include "settings.h"

#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum key {
	KEY_CONNECTIONS = 'c',
	KEY_DURATION = 'd',
	KEY_FAIL_IF = 'f',
	KEY_HEADER = 'H',
	KEY_INSECURE = 'k',
	KEY_REQUESTS = 'n',
	KEY_OUT = 'o',
	KEY_PIPELINE = 'p',
	KEY_QUIET = 'q',
	KEY_RATE = 'r',
	KEY_CORES = 't',
	KEY_URLS = 'u',
	KEY_WARMUP = 'w',
	KEY_METHOD = 'X',
	KEY_BODY = 256,
	KEY_BODY_FILE,
	KEY_CA,
	KEY_CERT,
	KEY_DRAIN,
	KEY_EXPECT_BODY,
	KEY_EXPECT_FILE,
	KEY_EXPECT_STATUS,
	KEY_FIND_MAX,
	KEY_FIND_STEP,
	KEY_FULL_HANDSHAKES,
	KEY_HEADER_FILE,
	KEY_KEY,
	KEY_NAME,
	KEY_PER_CONNECTION,
	KEY_POISSON,
	KEY_SAME_BODY,
	KEY_SEED,
	KEY_SIZE,
	KEY_SOURCE,
	KEY_SPIN,
	KEY_TIMEOUT,
	KEY_TLS_1_3,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "How much:", 1 },
	{ "connections", KEY_CONNECTIONS, "N", 0, "Connections kept open, 64", 0 },
	{ "cores", KEY_CORES, "N", 0, "Threads with connections of their own, 1", 0 },
	{ "duration", KEY_DURATION, "TIME", 0, "How long is measured, 10s", 0 },
	{ "warmup", KEY_WARMUP, "TIME", 0, "Load before that, not counted; 1s, 0 with -n", 0 },
	{ "requests", KEY_REQUESTS, "N", 0, "Ends after so many; without -d they take their time",
		0 },
	{ "pipeline", KEY_PIPELINE, "N", 0, "Requests under way on a connection, 1", 0 },
	{ "requests-per-connection", KEY_PER_CONNECTION, "N", 0,
		"Then it is closed and opened again", 0 },
	{ "spin", KEY_SPIN, NULL, 0,
		"Look for replies instead of sleeping, where a CPU is to spare: no wake-up of "
		"ours is in the latency",
		0 },
	{ "source", KEY_SOURCE, "ADDRESSES", 0,
		"Where connections come from, in turns: 127.0.0.2-127.0.0.9,10.0.0.0/28", 0 },

	{ NULL, 0, NULL, 0, "Open loop:", 2 },
	{ "rate", KEY_RATE, "R[..R]", 0,
		"So many requests a second are due, from the first to the second figure; latency "
		"counts from then. Without it the next one is sent when a reply is there",
		0 },
	{ "poisson", KEY_POISSON, NULL, 0, "At random times, as of many clients", 0 },
	{ "seed", KEY_SEED, "N", 0, "Of those times, 1", 0 },
	{ "find-max", KEY_FIND_MAX, NULL, 0,
		"Find the highest rate, between those of --rate (100..1M), at which no --fail-if "
		"holds",
		0 },
	{ "find-step", KEY_FIND_STEP, "TIME", 0, "How long each rate is tried, 5s", 0 },

	{ NULL, 0, NULL, 0, "Requests:", 3 },
	{ "method", KEY_METHOD, "METHOD", 0, "GET; POST with a body", 0 },
	{ "header", KEY_HEADER, "'NAME: VALUE'", 0, "Add a header; again for more", 0 },
	{ "header-file", KEY_HEADER_FILE, "FILE", 0, "One a line", 0 },
	{ "body", KEY_BODY, "TEXT", 0, "The body of requests", 0 },
	{ "body-file", KEY_BODY_FILE, "FILE", 0, "The same", 0 },
	{ "urls", KEY_URLS, "FILE", 0, "Lines of '[METHOD ]/PATH' to ask for in turns", 0 },
	{ "size", KEY_SIZE, "BYTES", 0, "Of a message of echo:// or udp://, 64", 0 },

	{ NULL, 0, NULL, 0, "Replies:", 4 },
	{ "expect-status", KEY_EXPECT_STATUS, "LIST", 0, "200-299", 0 },
	{ "expect-body", KEY_EXPECT_BODY, "TEXT", 0, "What each body has to be", 0 },
	{ "expect-file", KEY_EXPECT_FILE, "FILE", 0, "The same", 0 },
	{ "same-body", KEY_SAME_BODY, NULL, 0, "As the first reply to the same request", 0 },
	{ "timeout", KEY_TIMEOUT, "TIME", 0, "For a connection, and for a reply, 5s", 0 },
	{ "drain", KEY_DRAIN, "TIME", 0, "How long the last replies are waited for, 2s", 0 },

	{ NULL, 0, NULL, 0, "TLS:", 5 },
	{ "cacert", KEY_CA, "FILE", 0, "Who is believed (PEM); the system's", 0 },
	{ "insecure", KEY_INSECURE, NULL, 0, "Believe everybody", 0 },
	{ "cert", KEY_CERT, "FILE", 0, "Our certificate (PEM)", 0 },
	{ "key", KEY_KEY, "FILE", 0, "And its key", 0 },
	{ "tls-1.3", KEY_TLS_1_3, NULL, 0, "Not TLS 1.2", 0 },
	{ "full-handshakes", KEY_FULL_HANDSHAKES, NULL, 0, "No session is resumed", 0 },

	{ NULL, 0, NULL, 0, "Results:", 6 },
	{ "fail-if", KEY_FAIL_IF, "'p99>5ms'", 0,
		"End with status 99 if so: [connect.|tls.|first.](pNN|max|min|mean), rate, errors; "
		"again for more",
		0 },
	{ "out", KEY_OUT, "FILE", 0, "Write a result file", 0 },
	{ "name", KEY_NAME, "NAME", 0, "Of the result in it", 0 },
	{ "quiet", KEY_QUIET, NULL, 0, "No progress and no report", 0 },
	{ 0 },
};

_Noreturn void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("soon-load: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	exit(status);
}

static unsigned count_of(
	struct argp_state *state, const char *arg, const char *what, uint64_t min, uint64_t max)
{
	uint64_t count;

	if (text_count(arg, &count) < 0 || count < min || count > max)
		argp_error(state, "%s is a number from %llu to %llu, not '%s'", what,
			(unsigned long long)min, (unsigned long long)max, arg);
	return (unsigned)count;
}

static uint64_t any_count(struct argp_state *state, const char *arg, const char *what)
{
	uint64_t count;

	if (text_count(arg, &count) < 0 || count == 0)
		argp_error(
			state, "%s is a number from 1 on, such as 500 or 10k, not '%s'", what, arg);
	return count;
}

static soon_ns time_of(struct argp_state *state, const char *arg, const char *what, bool may_be_0)
{
	soon_ns ns;

	if (text_duration(arg, &ns) < 0 || (ns == 0 && !may_be_0))
		argp_error(state, "%s is a time such as 10s, 500ms or 2m, not '%s'", what, arg);
	return ns;
}

/* What says how much. */
static error_t take_amount(int key, char *arg, struct argp_state *state, struct plan *plan)
{
	struct settings *settings = state->input;

	switch (key) {
	case KEY_CONNECTIONS:
		plan->connections = count_of(state, arg, "--connections", 1, CONNECTIONS_MAX);
		return 0;
	case KEY_CORES:
		plan->cores = count_of(state, arg, "--cores", 1, SOON_CORES_MAX);
		return 0;
	case KEY_PIPELINE:
		plan->pipeline = count_of(state, arg, "--pipeline", 1, PIPELINE_MAX);
		return 0;
	case KEY_DURATION:
		plan->duration = time_of(state, arg, "--duration", false);
		return 0;
	case KEY_WARMUP:
		plan->warmup = time_of(state, arg, "--warmup", true);
		settings->has_warmup = true;
		return 0;
	case KEY_TIMEOUT:
		plan->timeout = time_of(state, arg, "--timeout", false);
		return 0;
	case KEY_DRAIN:
		plan->drain = time_of(state, arg, "--drain", true);
		return 0;
	case KEY_FIND_STEP:
		plan->find_step = time_of(state, arg, "--find-step", false);
		return 0;
	case KEY_REQUESTS:
		plan->requests = any_count(state, arg, "--requests");
		return 0;
	case KEY_PER_CONNECTION:
		plan->requests_per_connection = any_count(state, arg, "--requests-per-connection");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What says in which way. */
static error_t take_manner(int key, char *arg, struct argp_state *state, struct plan *plan)
{
	char wrong[THRESHOLD_WRONG_BYTES];

	switch (key) {
	case KEY_RATE:
		if (rate_parse(arg, &plan->rate) < 0)
			argp_error(state, "--rate is requests a second, 5000 or 1k..20k, not '%s'",
				arg);
		plan->is_open = true;
		return 0;
	case KEY_POISSON:
		plan->is_poisson = true;
		return 0;
	case KEY_SEED:
		if (text_count(arg, &plan->seed) < 0)
			argp_error(state, "--seed is a number, not '%s'", arg);
		return 0;
	case KEY_FIND_MAX:
		plan->is_finding = true;
		return 0;
	case KEY_FAIL_IF:
		if (plan->threshold_count == THRESHOLDS_MAX)
			argp_error(state, "more than %u of --fail-if", THRESHOLDS_MAX);
		if (threshold_parse(arg, &plan->thresholds[plan->threshold_count], wrong) < 0)
			argp_error(state, "--fail-if '%s': %s", arg, wrong);
		plan->threshold_count++;
		return 0;
	case KEY_SOURCE:
		if (sources_parse(arg, &plan->sources, wrong) < 0)
			argp_error(state, "--source: %s", wrong);
		return 0;
	case KEY_SPIN:
		plan->is_spinning = true;
		return 0;
	case KEY_INSECURE:
		plan->tls.no_verify = true;
		return 0;
	case KEY_TLS_1_3:
		plan->tls.only_1_3 = true;
		return 0;
	case KEY_FULL_HANDSHAKES:
		plan->tls.no_tickets = true;
		return 0;
	case KEY_CA:
		plan->tls.ca_file = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void add_header(struct argp_state *state, struct settings *settings, const char *header)
{
	const char *wrong = header_wrong(header);

	if (wrong != NULL)
		argp_error(state, "header '%s': %s", header, wrong);
	if (settings->request.header_count == TARGET_HEADERS_MAX)
		argp_error(state, "more than %u headers", TARGET_HEADERS_MAX);
	settings->request.headers[settings->request.header_count++] = header;
}

/* What says what is sent and what has to come back. */
static error_t take_request(int key, char *arg, struct argp_state *state, struct plan *plan)
{
	struct settings *settings = state->input;

	switch (key) {
	case KEY_METHOD:
		settings->request.method = arg;
		return 0;
	case KEY_HEADER:
		add_header(state, settings, arg);
		return 0;
	case KEY_HEADER_FILE:
		settings->header_file = arg;
		return 0;
	case KEY_BODY:
		settings->body = arg;
		return 0;
	case KEY_BODY_FILE:
		settings->body_file = arg;
		return 0;
	case KEY_URLS:
		settings->urls_file = arg;
		return 0;
	case KEY_SIZE:
		if (text_bytes(arg, &plan->echo_bytes) < 0)
			argp_error(state, "--size is bytes, 64 or 16k, not '%s'", arg);
		return 0;
	case KEY_EXPECT_STATUS:
		if (statuses_parse(arg, &plan->statuses) < 0)
			argp_error(
				state, "--expect-status is a list like 200,300-399, not '%s'", arg);
		return 0;
	case KEY_EXPECT_BODY:
		settings->expect_body = arg;
		return 0;
	case KEY_EXPECT_FILE:
		settings->expect_file = arg;
		return 0;
	case KEY_SAME_BODY:
		plan->is_same_body = true;
		return 0;
	case KEY_CERT:
		plan->tls_cert.chain_file = arg;
		return 0;
	case KEY_KEY:
		plan->tls_cert.key_file = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct settings *settings = state->input;
	struct plan *plan = settings->plan;
	error_t rc = take_amount(key, arg, state, plan);

	if (rc == ARGP_ERR_UNKNOWN)
		rc = take_manner(key, arg, state, plan);
	if (rc == ARGP_ERR_UNKNOWN)
		rc = take_request(key, arg, state, plan);
	if (rc != ARGP_ERR_UNKNOWN)
		return rc;
	switch (key) {
	case KEY_OUT:
		plan->out = arg;
		return 0;
	case KEY_NAME:
		plan->name = arg;
		return 0;
	case KEY_QUIET:
		plan->is_quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (plan->url_text != NULL)
			argp_error(state, "one URL; more of the same server by --urls");
		plan->url_text = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which URL?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const char *argp_program_version = "soon-load " SOON_LOAD_VERSION;

void options_parse(int argc, char **argv, struct plan *ret_plan)
{
	static const char about[] =
		"Loads a server and measures how long its replies take, each of them verified.\v"
		"URL is http://, https://, echo:// or udp://host:port; a unix socket is "
		"http://unix:/run/x.sock:/path. Several results become one by `soon-load merge A "
		"B ... -o C`.\n\n"
		"Status 0: done. 1: requests failed. 2: wrong usage. 3: it could not begin. "
		"4: out of descriptors, ports or memory. 5: a result file. 99: a --fail-if "
		"holds. 130: interrupted.";
	static const struct argp argp = { options, take, "URL", about, NULL, NULL, NULL };
	struct settings settings = { .plan = ret_plan };

	*ret_plan = (struct plan){
		.cores = 1,
		.connections = 64,
		.pipeline = 1,
		.warmup = SOON_S(1),
		.timeout = SOON_S(5),
		.drain = SOON_S(2),
		.find_step = SOON_S(5),
		.seed = 1,
		.echo_bytes = 64,
		.tls = { .alpn = "http/1.1" },
	};
	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &settings) != 0)
		exit(EXIT_USAGE);
	settings_apply(&settings);
}
