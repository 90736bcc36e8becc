// SPDX-License-Identifier: Apache-2.0
#include "url.h"

#include <stdio.h>
#include <string.h>

#define UNIX_PATH_BYTES_MAX 107

struct scheme {
	const char *prefix;
	enum url_scheme scheme;
	unsigned port; /* 0: has to be given */
};

static int refuse(char *ret_wrong, const char *why)
{
	(void)snprintf(ret_wrong, URL_WRONG_BYTES, "%s", why);
	return -EINVAL;
}

bool url_path_is_good(soon_slice path)
{
	if (path.len == 0 || path.ptr[0] != '/')
		return false;
	for (size_t i = 0; i < path.len; i++)
		if (path.ptr[i] <= ' ' || path.ptr[i] == 0x7f) /* above 127 is negative */
			return false;
	return true;
}

/* Takes "unix:/path" up to the colon before the target, or to the end. */
static int parse_unix(
	const char *at, size_t bytes, struct url *url, const char **ret_rest, char *ret_wrong)
{
	const char *name = at + strlen("unix:");
	const char *end = memchr(name, ':', bytes - strlen("unix:"));
	size_t length = end != NULL ? (size_t)(end - name) : bytes - strlen("unix:");

	if (length < 2 || (name[0] != '/' && name[0] != '@'))
		return refuse(ret_wrong, "after unix: comes /a/path or @a-name");
	if (length > UNIX_PATH_BYTES_MAX)
		return refuse(ret_wrong, "the path of a unix socket has 107 bytes at most");
	url->is_unix = true;
	(void)snprintf(url->where, sizeof url->where, "unix:%.*s", (int)length, name);
	(void)snprintf(url->host, sizeof url->host, "localhost");
	url->authority = (soon_slice){ "localhost", strlen("localhost") };
	*ret_rest = name + length + (end != NULL);
	return 0;
}

static int parse_port(const char *at, size_t bytes, unsigned *ret_port)
{
	unsigned port = 0;

	if (bytes == 0 || bytes > 5)
		return -EINVAL;
	for (size_t i = 0; i < bytes; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -EINVAL;
		port = port * 10 + (unsigned)(at[i] - '0');
	}
	*ret_port = port;
	return port >= 1 && port <= 65535 ? 0 : -EINVAL;
}

static bool is_host(const char *at, size_t bytes, bool is_bracketed)
{
	for (size_t i = 0; i < bytes; i++) {
		char c = at[i] | 0x20;
		bool is_name = (c >= 'a' && c <= 'z') || (at[i] >= '0' && at[i] <= '9') ||
			at[i] == '.' || at[i] == '-' || at[i] == '_';

		if (!is_name && !(is_bracketed && (at[i] == ':' || at[i] == '%')))
			return false;
	}
	return bytes > 0 && bytes < URL_HOST_BYTES - 2;
}

/* Takes "host", "host:port" or "[address]:port" of `bytes` bytes. */
static int parse_host(
	const char *at, size_t bytes, const struct scheme *scheme, struct url *url, char *ret_wrong)
{
	bool is_bracketed = bytes > 0 && at[0] == '[';
	const char *close = is_bracketed ? memchr(at, ']', bytes) : NULL;
	const char *end = close != NULL ? close + 1 : memchr(at, ':', bytes);
	const char *name = at + is_bracketed;
	unsigned port = scheme->port;
	size_t length;

	if (memchr(at, '@', bytes) != NULL)
		return refuse(ret_wrong, "a user and password belong into a header, see -H");
	if (is_bracketed && close == NULL)
		return refuse(ret_wrong, "a '[' without its ']'");
	if (end == NULL)
		end = at + bytes;
	length = (size_t)((close != NULL ? close : end) - name);
	if (!is_host(name, length, is_bracketed))
		return refuse(ret_wrong,
			"the host is no name and no address (IPv6 addresses stand in brackets)");
	if (end < at + bytes &&
		(*end != ':' || parse_port(end + 1, bytes - (size_t)(end + 1 - at), &port) < 0))
		return refuse(ret_wrong, "the port is not 1 to 65535");
	if (port == 0)
		return refuse(ret_wrong, "this scheme needs a port: host:port");

	(void)snprintf(url->host, sizeof url->host, "%.*s", (int)length, name);
	(void)snprintf(url->where, sizeof url->where, "%.*s:%u", (int)(end - at), at, port);
	/* A port that the scheme has anyway is left away. */
	url->authority = (soon_slice){ at, port == scheme->port ? (size_t)(end - at) : bytes };
	return 0;
}

static const struct scheme *find_scheme(const char *text)
{
	static const struct scheme schemes[] = {
		{ "http://", URL_HTTP, 80 },
		{ "https://", URL_HTTPS, 443 },
		{ "echo://", URL_ECHO, 0 },
		{ "udp://", URL_UDP, 0 },
	};

	for (unsigned i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
			return &schemes[i];
	return NULL;
}

int url_parse(const char *text, struct url *ret_url, char ret_wrong[URL_WRONG_BYTES])
{
	const struct scheme *scheme = find_scheme(text);
	struct url url = { 0 };
	const char *at, *rest;
	int rc;

	if (scheme == NULL)
		return refuse(ret_wrong, "a URL begins with http://, https://, echo:// or udp://");
	url.scheme = scheme->scheme;
	at = text + strlen(scheme->prefix);
	if (strncmp(at, "unix:", 5) == 0) {
		if (url.scheme == URL_UDP)
			return refuse(ret_wrong, "udp:// has no unix sockets");
		rc = parse_unix(at, strlen(at), &url, &rest, ret_wrong);
	} else {
		size_t bytes = strcspn(at, "/?#");

		rest = at + bytes;
		rc = parse_host(at, bytes, scheme, &url, ret_wrong);
	}
	if (rc < 0)
		return rc;

	url.path = (soon_slice){ rest, strcspn(rest, "#") };
	if (url.path.len == 0)
		url.path = (soon_slice){ "/", 1 };
	if (url.path.ptr[0] == '?')
		return refuse(ret_wrong, "write /?query: a path begins with /");
	if (!url_path_is_good(url.path))
		return refuse(ret_wrong, "the path has a byte that has to be escaped as %XX");
	if (url.scheme >= URL_ECHO && url.path.len > 1)
		return refuse(ret_wrong, "an echo has no path");
	*ret_url = url;
	return 0;
}

bool url_same_server(const struct url *url, const struct url *other)
{
	return url->scheme == other->scheme && strcmp(url->where, other->where) == 0;
}
