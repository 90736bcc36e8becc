// SPDX-License-Identifier: Apache-2.0
/*
 * names.c: looks names up and prints what it finds, a line for each: "db:1 10.1.0.5:1 [::5]:1", or
 * "db:1 ENOENT there is no host ...".
 *
 * names [servers=...] [resolv_conf=...] [hosts=...] [family=4|6] [timeout_ms=N] [libc=1] [times=N]
 * PLACE...
 * With `times` each is looked up so often at once, and the line tells how often it was found.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMES_MAX 1000

static soon_resolve_opts opts;
static long times;

static int look_up(const char *where)
{
	static soon_addr
		addrs[SOON_RESOLVE_ADDRS_MAX]; /* of one task at a time: only for the text */
	static char text[SOON_RESOLVE_ADDRS_MAX * SOON_ADDR_TEXT_BYTES];
	char one[SOON_ADDR_TEXT_BYTES];
	size_t len = 0;
	int count = soon_resolve(where, &opts, addrs, SOON_RESOLVE_ADDRS_MAX);

	if (count < 0) {
		(void)printf("%s %s %s\n", where, strerrorname_np(-count),
			soon_fail_message() != NULL ? soon_fail_message() : "");
		return 0;
	}
	text[0] = '\0';
	for (int i = 0; i < count; i++)
		len += (size_t)snprintf(
			text + len, sizeof text - len, " %s", soon_addr_format(&addrs[i], one));
	(void)printf("%s%s\n", where, text);
	return 0;
}

static int found_one;

static int look_up_once(const char *where)
{
	soon_addr addr;
	int count = soon_resolve(where, &opts, &addr, 1);

	found_one += count == 1;
	return 0;
}

static int look_up_often(const char *where)
{
	int rc = 0;
	SOON_GROUP(g);

	found_one = 0;
	for (long i = 0; i < times && rc == 0; i++)
		rc = soon_spawn(&g, look_up_once, where);
	rc = (int)soon_group_close(&g, rc);
	(void)printf("%s %d\n", where, found_one);
	return rc;
}

static int app(char **places)
{
	int rc = 0;

	for (; *places != NULL && rc == 0; places++)
		rc = times > 0 ? look_up_often(*places) : look_up(*places);
	return rc;
}

static const char *setting(const char *arg, const char *name)
{
	size_t len = strlen(name);

	return strncmp(arg, name, len) == 0 && arg[len] == '=' ? arg + len + 1 : NULL;
}

int main(int argc, char **argv)
{
	int at = 1;

	for (; at < argc; at++) {
		const char *value;

		if ((value = setting(argv[at], "servers")) != NULL)
			opts.servers = value;
		else if ((value = setting(argv[at], "resolv_conf")) != NULL)
			opts.resolv_conf = value;
		else if ((value = setting(argv[at], "hosts")) != NULL)
			opts.hosts = value;
		else if ((value = setting(argv[at], "family")) != NULL)
			opts.family = value[0] == '4' ? AF_INET : AF_INET6;
		else if ((value = setting(argv[at], "timeout_ms")) != NULL)
			opts.timeout = SOON_MS(strtol(value, NULL, 10));
		else if (setting(argv[at], "libc") != NULL)
			opts.by_libc = true;
		else if ((value = setting(argv[at], "times")) != NULL)
			times = strtol(value, NULL, 10);
		else
			break;
	}
	if (times > TIMES_MAX)
		return 2;
	return soon_run(app, argv + at) < 0;
}
