// SPDX-License-Identifier: Apache-2.0
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define METHOD_BYTES_MAX 32

static int refuse(char *ret_wrong, const char *what, const char *why)
{
	(void)snprintf(ret_wrong, TARGET_WRONG_BYTES, "%.40s: %.120s", what, why);
	return -EINVAL;
}

int statuses_parse(const char *text, struct statuses *ret_statuses)
{
	struct statuses statuses = { 0 };

	for (;;) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (text[0] < '0' || text[0] > '9' || statuses.count == STATUS_RANGES_MAX)
			return -EINVAL;
		if (*end == '-') {
			text = end + 1;
			last = strtoul(text, &end, 10);
			if (text[0] < '0' || text[0] > '9')
				return -EINVAL;
		}
		if (first < 100 || last > 999 || last < first)
			return -EINVAL;
		statuses.ranges[statuses.count].first = (uint16_t)first;
		statuses.ranges[statuses.count++].last = (uint16_t)last;
		if (*end == '\0')
			break;
		if (*end != ',')
			return -EINVAL;
		text = end + 1;
	}
	*ret_statuses = statuses;
	return 0;
}

bool statuses_have(const struct statuses *statuses, unsigned status)
{
	if (statuses->count == 0)
		return status >= 200 && status <= 299;
	for (unsigned i = 0; i < statuses->count; i++)
		if (status >= statuses->ranges[i].first && status <= statuses->ranges[i].last)
			return true;
	return false;
}

static bool is_token(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (c <= ' ' || c == 0x7f || strchr("()<>@,;:\\\"/[]?={}", c) != NULL)
			return false;
	}
	return length > 0;
}

static bool has_name(const char *header, const char *name)
{
	size_t length = strlen(name);

	return strncasecmp(header, name, length) == 0 && header[length] == ':';
}

const char *header_wrong(const char *header)
{
	size_t length = strcspn(header, ":");

	if (header[length] != ':' || !is_token(header, length))
		return "a header is 'Name: value'";
	if (strpbrk(header, "\r\n") != NULL)
		return "a header is one line";
	if (has_name(header, "Content-Length") || has_name(header, "Transfer-Encoding"))
		return "the length of the body is written by soon-load";
	if (has_name(header, "Connection"))
		return "see --requests-per-connection for connections that are not kept";
	return NULL;
}

static bool is_given(const struct request_opts *opts, const char *name)
{
	for (unsigned i = 0; i < opts->header_count; i++)
		if (has_name(opts->headers[i], name))
			return true;
	return false;
}

static void write_head(FILE *out, const struct url *url, soon_slice path, const char *method,
	const struct request_opts *opts, bool is_last)
{
	(void)fprintf(out, "%s %.*s HTTP/1.1\r\n", method, (int)path.len, path.ptr);
	if (!is_given(opts, "Host"))
		(void)fprintf(out, "Host: %.*s\r\n", (int)url->authority.len, url->authority.ptr);
	if (!is_given(opts, "User-Agent"))
		(void)fprintf(out, "User-Agent: soon-load\r\n");
	if (!is_given(opts, "Accept"))
		(void)fprintf(out, "Accept: */*\r\n");
	for (unsigned i = 0; i < opts->header_count; i++)
		(void)fprintf(out, "%s\r\n", opts->headers[i]);
	if (is_last)
		(void)fprintf(out, "Connection: close\r\n");
	if (opts->has_body)
		(void)fprintf(out, "Content-Length: %zu\r\n", opts->body.len);
	(void)fprintf(out, "\r\n");
}

static int build(const struct url *url, soon_slice path, const char *method,
	const struct request_opts *opts, bool is_last, char **ret_request, size_t *ret_bytes)
{
	FILE *out = open_memstream(ret_request, ret_bytes);

	if (out == NULL)
		return -ENOMEM;
	write_head(out, url, path, method, opts, is_last);
	if (opts->has_body && opts->body.len > 0)
		(void)fwrite(opts->body.ptr, opts->body.len, 1, out);
	if (ferror(out) != 0) {
		(void)fclose(out);
		return -ENOMEM;
	}
	return fclose(out) == 0 ? 0 : -ENOMEM;
}

static void target_free(struct target *target)
{
	free(target->request);
	free(target->last);
	free(target->name);
	if (target->is_body_ours)
		free((void *)(uintptr_t)target->body.ptr);
}

static int add(struct targets *targets, const struct url *url, soon_slice path, const char *method,
	const struct request_opts *opts)
{
	struct target target = { .is_head = strcmp(method, "HEAD") == 0 };
	struct target *more;
	int rc;

	if ((targets->count & (targets->count - 1)) == 0) {
		size_t room = targets->count == 0 ? 1 : targets->count * 2;

		more = realloc(targets->all, room * sizeof *more);
		if (more == NULL)
			return -ENOMEM;
		targets->all = more;
	}
	rc = build(url, path, method, opts, false, &target.request, &target.bytes);
	if (rc == 0)
		rc = build(url, path, method, opts, true, &target.last, &target.last_bytes);
	if (rc == 0 &&
		asprintf(&target.name, "%s %.*s", method, path.len < 80 ? (int)path.len : 80,
			path.ptr) < 0) {
		target.name = NULL;
		rc = -ENOMEM;
	}
	if (rc < 0)
		target_free(&target);
	else
		targets->all[targets->count++] = target;
	return rc;
}

static const char *default_method(const struct request_opts *opts)
{
	if (opts->method != NULL)
		return opts->method;
	return opts->has_body ? "POST" : "GET";
}

static int check_method(const char *method, char *ret_wrong)
{
	if (!is_token(method, strlen(method)) || strlen(method) > METHOD_BYTES_MAX)
		return refuse(ret_wrong, method, "a method is one word, such as GET");
	if (strcmp(method, "CONNECT") == 0)
		return refuse(ret_wrong, method, "a tunnel cannot be loaded");
	return 0;
}

int targets_add(struct targets *targets, const struct url *url, const struct request_opts *opts,
	char ret_wrong[TARGET_WRONG_BYTES])
{
	const char *method = default_method(opts);
	int rc = check_method(method, ret_wrong);

	return rc < 0 ? rc : add(targets, url, url->path, method, opts);
}

/* The path that a line of a list asks for. */
static int path_of(const struct url *url, const char *text, soon_slice *ret_path, char *ret_wrong)
{
	char wrong[URL_WRONG_BYTES];
	struct url other;

	if (text[0] == '/') {
		*ret_path = (soon_slice){ text, strcspn(text, "#") };
		return url_path_is_good(*ret_path)
			? 0
			: refuse(ret_wrong, text, "a byte has to be escaped as %XX");
	}
	if (url_parse(text, &other, wrong) < 0)
		return refuse(ret_wrong, text, wrong);
	if (!url_same_server(url, &other))
		return refuse(ret_wrong, text, "another server than that of the URL");
	*ret_path = other.path;
	return 0;
}

/* One line without its end. */
static int add_line(struct targets *targets, const struct url *url, const struct request_opts *opts,
	char *line, char *ret_wrong)
{
	const char *method = default_method(opts);
	char *space = strchr(line, ' ');
	soon_slice path;
	int rc;

	if (space != NULL) {
		*space = '\0';
		method = line;
		line = space + 1;
	}
	rc = path_of(url, line, &path, ret_wrong);
	if (rc == 0)
		rc = check_method(method, ret_wrong);
	return rc < 0 ? rc : add(targets, url, path, method, opts);
}

int targets_add_list(struct targets *targets, const struct url *url,
	const struct request_opts *opts, char *list, char ret_wrong[TARGET_WRONG_BYTES])
{
	char why[TARGET_WRONG_BYTES];
	char *next;

	for (unsigned number = 1; list != NULL; number++, list = next) {
		size_t length = strcspn(list, "\n");
		int rc;

		next = list[length] == '\n' ? list + length + 1 : NULL;
		list[length] = '\0';
		if (length > 0 && list[length - 1] == '\r')
			list[length - 1] = '\0';
		if (list[0] == '\0' || list[0] == '#')
			continue;
		rc = targets->count < TARGETS_MAX
			? add_line(targets, url, opts, list, why)
			: refuse(why, list, "a list has 100000 requests at most");
		if (rc == -EINVAL)
			(void)snprintf(
				ret_wrong, TARGET_WRONG_BYTES, "line %u: %.160s", number, why);
		if (rc < 0)
			return rc;
	}
	return targets->count > 0 ? 0 : refuse(ret_wrong, "the list", "it has no requests");
}

void targets_free(struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++)
		target_free(&targets->all[i]);
	free(targets->all);
	*targets = (struct targets){ 0 };
}
