// SPDX-License-Identifier: Apache-2.0
/*
 * load: puts a measured load on a server of the loopback interface and verifies every reply.
 *
 *	load echo --port=N --pid=PID --connections=64 --size=64 --warmup=0.3 --seconds=1
 *	load http --port=N --pid=PID --connections=64 --depth=16
 *	load udp --port=N --pid=PID --connections=4 --depth=64 --size=64
 *	load https --port=N --pid=PID --connections=64
 *	load shakes --port=N --pid=PID --connections=16
 *	load http --port=N --pid=PID --connections=5000 --idle --greet --seconds=10
 *
 * Prints one JSON object on one line. Exits with 1 when a reply was wrong or a connection lost, and
 * with 2 when nothing could be measured.
 */
#include "load.h"

#include "../common/clock.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_PID = 256,
	KEY_SIZE,
	KEY_DEPTH,
	KEY_WARMUP,
	KEY_SECONDS,
	KEY_COUNT,
	KEY_IDLE,
	KEY_GREET,
	KEY_PATH,
	KEY_BODY
};

static uint64_t parse_count(struct argp_state *state, const char *arg, uint64_t max)
{
	char *end;
	unsigned long long value = strtoull(arg, &end, 10);

	if (*arg == '\0' || *arg == '-' || *end != '\0' || value > max)
		argp_error(state, "not a number up to %" PRIu64 ": %s", max, arg);
	return value;
}

static int64_t parse_seconds(struct argp_state *state, const char *arg)
{
	char *end;
	double value = strtod(arg, &end);

	if (*arg == '\0' || *end != '\0' || !(value >= 0 && value <= 3600))
		argp_error(state, "not a number of seconds: %s", arg);
	return (int64_t)(value * (double)NS_PER_S);
}

static void parse_protocol(struct argp_state *state, struct load_opts *opts, const char *arg)
{
	static const struct protocol *const protocols[] = { &protocol_echo, &protocol_http,
		&protocol_https, &protocol_shakes, &protocol_udp };

	if (opts->protocol != NULL)
		argp_error(state, "one protocol, please");
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (strcmp(arg, protocols[i]->name) == 0)
			opts->protocol = protocols[i];
	if (opts->protocol == NULL)
		argp_error(state, "echo, http, https, shakes or udp, not %s", arg);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct load_opts *opts = state->input;

	switch (key) {
	case 'p':
		opts->port = (uint16_t)parse_count(state, arg, UINT16_MAX);
		break;
	case 'c':
		opts->connection_count = (unsigned)parse_count(state, arg, 1000000);
		break;
	case KEY_PID:
		opts->server_pid = (pid_t)parse_count(state, arg, INT32_MAX);
		break;
	case KEY_SIZE:
		opts->size_bytes = (unsigned)parse_count(state, arg, LOAD_SIZE_MAX);
		break;
	case KEY_DEPTH:
		opts->depth_count = (unsigned)parse_count(state, arg, LOAD_DEPTH_MAX);
		break;
	case KEY_WARMUP:
		opts->warmup_ns = parse_seconds(state, arg);
		break;
	case KEY_SECONDS:
		opts->window_ns = parse_seconds(state, arg);
		break;
	case KEY_COUNT:
		opts->exchange_limit = parse_count(state, arg, UINT64_MAX / 2);
		break;
	case KEY_IDLE:
		opts->is_idle = true;
		break;
	case KEY_GREET:
		opts->is_greeting = true;
		break;
	case KEY_PATH:
		opts->path = arg;
		break;
	case KEY_BODY:
		opts->body = arg;
		break;
	case ARGP_KEY_ARG:
		parse_protocol(state, opts, arg);
		break;
	case ARGP_KEY_END:
		if (opts->protocol == NULL || opts->port == 0)
			argp_error(state, "a protocol and --port are needed");
		if (opts->connection_count == 0 || opts->size_bytes == 0 || opts->depth_count == 0)
			argp_error(state, "zero makes no load");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
	{ "port", 'p', "N", 0, "the server's port on 127.0.0.1", 0 },
	{ "pid", KEY_PID, "PID", 0, "the process whose CPU time is read", 0 },
	{ "connections", 'c', "N", 0, "connections (64)", 0 },
	{ "size", KEY_SIZE, "BYTES", 0, "echo, udp: bytes of a message (64)", 0 },
	{ "depth", KEY_DEPTH, "N", 0,
		"http: requests written at once (1); udp: datagrams in flight", 0 },
	{ "path", KEY_PATH, "PATH", 0, "http: what is asked for (/)", 0 },
	{ "body", KEY_BODY, "TEXT", 0, "http: the body that must come back (Hello, World!)", 0 },
	{ "warmup", KEY_WARMUP, "S", 0, "seconds before the window (0.3)", 0 },
	{ "seconds", KEY_SECONDS, "S", 0, "seconds of the window (1)", 0 },
	{ "count", KEY_COUNT, "N", 0, "end the window after N exchanges", 0 },
	{ "idle", KEY_IDLE, NULL, 0, "hold the connections without using them", 0 },
	{ "greet", KEY_GREET, NULL, 0, "one verified exchange on each connection as it opens", 0 },
	{ 0 },
};

/* KiB between two samples, which may have shrunk. */
static int64_t delta(uint64_t after, uint64_t before)
{
	return (int64_t)after - (int64_t)before;
}

static void print_result(const struct load_opts *opts, const struct load_result *result)
{
	const struct server_sample *before = &result->before;
	const struct server_sample *after = &result->after;
	double seconds = (double)result->window_ns / (double)NS_PER_S;
	double cpu_ns = (double)(after->cpu_ns - before->cpu_ns);
	double completed = (double)result->completed;

	printf("{\"protocol\": \"%s\", \"connections\": %u, \"size\": %u, \"depth\": %u, "
	       "\"completed\": %" PRIu64 ", \"errors\": %" PRIu64 ", \"starved\": %" PRIu64 ", "
	       "\"seconds\": %.6f, "
	       "\"per_second\": %.1f, \"server_cpu_ns\": %.0f, \"server_cpu_ns_each\": %.2f, "
	       "\"server_busy\": %.4f, \"load_busy\": %.4f, ",
		opts->protocol->name, opts->connection_count, opts->size_bytes, opts->depth_count,
		result->completed, result->errors, result->starved, seconds, completed / seconds,
		cpu_ns, result->completed > 0 ? cpu_ns / completed : 0.0,
		cpu_ns / (double)result->window_ns,
		(double)result->load_cpu_ns / (double)result->window_ns);
	printf("\"switches_voluntary\": %" PRId64 ", \"switches_forced\": %" PRId64 ", "
	       "\"rss_kib\": %" PRIu64 ", \"rss_kib_grown\": %" PRId64 ", "
	       "\"page_table_kib_grown\": %" PRId64 "}\n",
		delta(after->switches_voluntary, before->switches_voluntary),
		delta(after->switches_forced, before->switches_forced), after->rss_kib,
		delta(after->rss_kib, result->unopened.rss_kib),
		delta(after->page_table_kib, result->unopened.page_table_kib));
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "echo|http|https|shakes|udp",
		.doc = "Loads a server on 127.0.0.1, verifies every reply, prints one JSON line.",
	};
	struct load_opts opts = {
		.connection_count = 64,
		.size_bytes = 64,
		.depth_count = 1,
		.path = "/",
		.body = "Hello, World!",
		.warmup_ns = 300000000,
		.window_ns = NS_PER_S,
	};
	struct load_result result;
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &opts);
	if (opts.protocol == &protocol_udp)
		err = udp_run(&opts, &result);
	else if (opts.protocol == &protocol_shakes)
		err = shakes_run(&opts, &result);
	else
		err = engine_run(&opts, &result);
	if (err < 0) {
		(void)fprintf(stderr, "load: %s\n", strerror(-err));
		return 2;
	}
	print_result(&opts, &result);
	if (result.errors == 0)
		return 0;
	(void)fprintf(stderr, "load: %" PRIu64 " connections failed", result.errors);
	if (result.first_error != 0)
		(void)fprintf(stderr, ", the first by %s",
			result.first_error == -EPROTO ? "a wrong reply"
						      : strerror(-result.first_error));
	(void)fputs("\n", stderr);
	return 1;
}
