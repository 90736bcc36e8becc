// SPDX-License-Identifier: Apache-2.0
#include "settings.h"

#include "fault.h"
#include "options.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_BYTES_MAX   ((size_t)64 << 20)
#define HEADER_BYTES_MAX ((size_t)1 << 20)
#define FDS_BESIDE       32u /* of a core: its ring, and what is not a connection */
#define FIND_RATE_MIN    100 /* requests a second, where --rate does not say */
#define FIND_RATE_MAX    1e6

/* Reads a whole file, at most `bytes_max`. Returns 0, -EFBIG, -ENOMEM or what the system says. */
static int file_read(const char *path, size_t bytes_max, char **ret_data, size_t *ret_bytes)
{
	FILE *file = fopen(path, "re");
	char *data = NULL;
	size_t bytes = 0, room = 0;
	int rc = file == NULL ? -errno : 0;

	while (rc == 0 && feof(file) == 0) {
		if (bytes == room) {
			char *more = realloc(data, room = room == 0 ? 65536 : 2 * room);

			if (more == NULL) {
				rc = -ENOMEM;
				break;
			}
			data = more;
		}
		bytes += fread(data + bytes, 1, room - bytes, file);
		if (ferror(file) != 0)
			rc = -errno;
		else if (bytes > bytes_max)
			rc = -EFBIG;
	}
	if (file != NULL)
		(void)fclose(file);
	if (rc < 0) {
		free(data);
		return rc;
	}
	*ret_data = data;
	*ret_bytes = bytes;
	return 0;
}

static soon_slice read_or_die(
	const char *option, const char *path, size_t bytes_max, char **ret_data)
{
	size_t bytes = 0;
	int rc = file_read(path, bytes_max, ret_data, &bytes);

	if (rc < 0)
		die(EXIT_USAGE, "%s %s: %s", option, path, strerror(-rc));
	return (soon_slice){ *ret_data, bytes };
}

/* The same as a text with its end; no zero byte is in it. */
static char *read_text_or_die(const char *option, const char *path, size_t bytes_max)
{
	char *data = NULL;
	soon_slice text = read_or_die(option, path, bytes_max, &data);
	char *more = realloc(data, text.len + 1);

	if (more == NULL)
		die(EXIT_RESOURCES, "out of memory");
	if (memchr(more, '\0', text.len) != NULL)
		die(EXIT_USAGE, "%s %s: it is no text", option, path);
	more[text.len] = '\0';
	return more;
}

/* Headers stay in the text of the file, each ended where its line did. */
static void add_header_file(struct settings *settings)
{
	struct plan *plan = settings->plan;
	struct request_opts *request = &settings->request;
	char *at;

	if (settings->header_file == NULL)
		return;
	plan->header_text =
		read_text_or_die("--header-file", settings->header_file, HEADER_BYTES_MAX);
	for (char *line = strtok_r(plan->header_text, "\r\n", &at); line != NULL;
		line = strtok_r(NULL, "\r\n", &at)) {
		const char *wrong = header_wrong(line);

		if (wrong != NULL)
			die(EXIT_USAGE, "%s: '%s': %s", settings->header_file, line, wrong);
		if (request->header_count == TARGET_HEADERS_MAX)
			die(EXIT_USAGE, "%s: more than %u headers", settings->header_file,
				TARGET_HEADERS_MAX);
		request->headers[request->header_count++] = line;
	}
}

static void set_bodies(struct settings *settings, soon_slice *ret_expected, bool *ret_is_expected)
{
	struct plan *plan = settings->plan;
	struct request_opts *request = &settings->request;

	if (settings->body != NULL && settings->body_file != NULL)
		die(EXIT_USAGE, "--body or --body-file");
	if ((settings->expect_body != NULL) + (settings->expect_file != NULL) + plan->is_same_body >
		1)
		die(EXIT_USAGE, "one of --expect-body, --expect-file and --same-body");
	request->has_body = settings->body != NULL || settings->body_file != NULL;
	if (settings->body != NULL)
		request->body = (soon_slice){ settings->body, strlen(settings->body) };
	if (settings->body_file != NULL)
		request->body = read_or_die(
			"--body-file", settings->body_file, BODY_BYTES_MAX, &plan->body);
	*ret_is_expected = settings->expect_body != NULL || settings->expect_file != NULL;
	if (settings->expect_body != NULL)
		*ret_expected =
			(soon_slice){ settings->expect_body, strlen(settings->expect_body) };
	if (settings->expect_file != NULL)
		*ret_expected = read_or_die("--expect-file", settings->expect_file, BODY_BYTES_MAX,
			&plan->expected_body);
}

static void build_targets(struct settings *settings)
{
	struct plan *plan = settings->plan;
	char wrong[TARGET_WRONG_BYTES];
	soon_slice expected = { 0 };
	bool is_expected;
	int rc;

	add_header_file(settings);
	set_bodies(settings, &expected, &is_expected);
	if (settings->urls_file == NULL) {
		rc = targets_add(&plan->targets, &plan->url, &settings->request, wrong);
	} else {
		char *list = read_text_or_die("--urls", settings->urls_file, LIST_BYTES_MAX);

		rc = targets_add_list(&plan->targets, &plan->url, &settings->request, list, wrong);
		free(list);
	}
	if (rc == -ENOMEM)
		die(EXIT_RESOURCES, "out of memory");
	if (rc < 0)
		die(EXIT_USAGE, "%s%s%s",
			settings->urls_file != NULL ? settings->urls_file : "the request",
			settings->urls_file != NULL ? ", " : ": ", wrong);
	for (size_t i = 0; i < plan->targets.count; i++) {
		plan->targets.all[i].body = expected;
		plan->targets.all[i].has_body = is_expected;
	}
}

static void check_echo(const struct settings *settings)
{
	const struct plan *plan = settings->plan;
	bool is_udp = plan->url.scheme == URL_UDP;

	if (settings->request.method != NULL || settings->request.header_count > 0 ||
		settings->body != NULL || settings->body_file != NULL ||
		settings->header_file != NULL || settings->urls_file != NULL ||
		settings->expect_body != NULL || settings->expect_file != NULL ||
		plan->is_same_body || plan->statuses.count > 0)
		die(EXIT_USAGE, "an echo has no methods, headers, bodies and statuses; see --size");
	if (plan->echo_bytes < ECHO_BYTES_MIN || (is_udp && plan->echo_bytes > UDP_BYTES_MAX))
		die(EXIT_USAGE, "--size is %d to %d bytes here", ECHO_BYTES_MIN,
			is_udp ? UDP_BYTES_MAX : ECHO_FLIGHT_MAX);
	if (!is_udp && plan->echo_bytes * plan->pipeline > ECHO_FLIGHT_MAX)
		die(EXIT_USAGE,
			"--size times --pipeline is at most %d bytes: with more under way, both "
			"sides could wait in a write for ever",
			ECHO_FLIGHT_MAX);
	if (is_udp && plan->requests_per_connection > 0)
		die(EXIT_USAGE, "udp:// has no connections to open again");
}

static void check_times(const struct settings *settings)
{
	struct plan *plan = settings->plan;

	if (plan->requests > 0 && !settings->has_warmup)
		plan->warmup = 0;
	if (plan->duration == 0)
		plan->duration = plan->requests > 0 ? SOON_NEVER : SOON_S(10);
	if (plan->is_finding && !plan->is_open)
		plan->rate = (struct rate){ FIND_RATE_MIN, FIND_RATE_MAX };
	plan->is_open |= plan->is_finding;
	if (plan->is_poisson && !plan->is_open)
		die(EXIT_USAGE, "--poisson needs a --rate");
	if (plan->is_finding && plan->requests > 0)
		die(EXIT_USAGE, "--find-max goes by time, not by --requests");
	if (plan->is_finding && plan->rate.from == 0)
		plan->rate.from = 1;
	if (plan->is_finding && plan->rate.to <= plan->rate.from)
		die(EXIT_USAGE, "--find-max looks between two rates: --rate 1000..20000");
	if (plan->is_open && !plan->is_finding && plan->rate.from != plan->rate.to &&
		plan->duration == SOON_NEVER)
		die(EXIT_USAGE, "a ramp needs a --duration");
	if (plan->is_open && plan->rate.from == 0 && plan->warmup > 0)
		plan->warmup = 0; /* nothing would be sent in it */
}

/* Who mistypes the place of the result wants to know that before the load, not behind it. */
static void check_out(const struct plan *plan)
{
	const char *slash = strrchr(plan->out, '/');
	size_t bytes = slash != NULL ? (size_t)(slash - plan->out) + 1 : 0;
	char *folder = bytes > 0 ? strndup(plan->out, bytes) : strdup(".");
	int rc;

	if (folder == NULL)
		die(EXIT_RESOURCES, "out of memory");
	/* What is there is written to, be it a file or a device; a new file is made beside it. */
	rc = access(plan->out, F_OK) == 0 ? access(plan->out, W_OK) : access(folder, W_OK);
	if (rc != 0 && strcmp(plan->out, "-") != 0)
		die(EXIT_RESULT, "--out %s: it cannot be written: %s", plan->out, strerror(errno));
	free(folder);
}

/* Raises the limit on descriptors as far as we may, and sees whether that is enough. */
static void check_descriptors(const struct plan *plan)
{
	rlim_t needed = (rlim_t)plan->connections + FDS_BESIDE * (rlim_t)(plan->cores + 1);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < needed)
		die(EXIT_RESOURCES,
			"%u connections need %llu descriptors, and this process may have %llu "
			"(EMFILE): raise `ulimit -Hn`, or use fewer --connections",
			plan->connections, (unsigned long long)needed,
			(unsigned long long)limit.rlim_cur);
}

void settings_apply(struct settings *settings)
{
	struct plan *plan = settings->plan;
	char wrong[URL_WRONG_BYTES];

	if (url_parse(plan->url_text, &plan->url, wrong) < 0)
		die(EXIT_USAGE, "%s: %s", plan->url_text, wrong);
	check_times(settings);
	if (plan->url.scheme >= URL_ECHO)
		check_echo(settings);
	else
		build_targets(settings);
	/* What is written there is for a program. */
	if (plan->out != NULL && strcmp(plan->out, "-") == 0)
		plan->is_quiet = true;
	if (plan->sources.count > 0 && plan->url.is_unix)
		die(EXIT_USAGE, "--source is for addresses, and a unix socket has none");
	if (plan->cores > plan->connections)
		die(EXIT_USAGE, "--cores %u, but %u connections: a core needs one of its own",
			plan->cores, plan->connections);
	if (plan->requests > 0 && plan->requests < plan->cores)
		die(EXIT_USAGE, "--cores %u, but %llu requests", plan->cores,
			(unsigned long long)plan->requests);
	if ((plan->tls_cert.chain_file != NULL) != (plan->tls_cert.key_file != NULL))
		die(EXIT_USAGE, "--cert and --key belong together");
	if (plan->tls_cert.chain_file != NULL) {
		plan->tls.certs = &plan->tls_cert;
		plan->tls.certs_count = 1;
	}
	if (plan->out != NULL)
		check_out(plan);
	check_descriptors(plan);
}

void plan_free(struct plan *plan)
{
	targets_free(&plan->targets);
	sources_free(&plan->sources);
	free(plan->body);
	free(plan->expected_body);
	free(plan->header_text);
}
