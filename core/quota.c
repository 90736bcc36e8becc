// SPDX-License-Identifier: Apache-2.0
/*
 * quota.c: quotas as the two versions of control groups show them:
 *
 *   v2  /proc/self/cgroup has "0::/a/b"; /sys/fs/cgroup/a/b/cpu.max has "QUOTA PERIOD", or "max"
 *   v1  "4:cpu,cpuacct:/a/b"; /sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us, and ..._period_us; -1: none
 *
 * A limit of any group above counts as well. In a container the path may be one of the host that
 * cannot be seen from inside; then the groups that can be, from the top, are all that is left.
 */
#include "quota.h"

#include <soon/mem.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CPUS_MAX = 8192,
	PATH_BYTES = 640,    /* of a folder; a deeper group is taken as without a limit */
	GROUPS_BYTES = 2048, /* of /proc/self/cgroup; what is beyond is not read */
	FILE_BYTES = 96,
};

/* Where paths and texts are put together: too much for the stack of a task. */
struct desk {
	const char *root;
	char groups[GROUPS_BYTES];
	char top[PATH_BYTES / 2]; /* the outermost group's folder */
	char folder[PATH_BYTES];  /* the present one's */
	char path[PATH_BYTES + 32];
	char text[FILE_BYTES];
};

/* Reads a small file's first bytes; false when there is none. */
static bool read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* Reads a file of the present folder into desk->text. */
static bool read_here(struct desk *desk, const char *name)
{
	(void)snprintf(desk->path, sizeof desk->path, "%s/%s", desk->folder, name);
	return read_file(desk->path, desk->text, sizeof desk->text);
}

/* Processors for a quota; 0 for none, and for what makes no sense. */
static unsigned cpus_of(long long quota, long long period)
{
	long long cpus;

	if (quota <= 0 || period <= 0)
		return 0;
	cpus = quota / period + (quota % period != 0);
	return cpus > CPUS_MAX ? CPUS_MAX : (unsigned)cpus;
}

static unsigned quota_v2(struct desk *desk)
{
	char *end;
	long long quota;

	if (!read_here(desk, "cpu.max"))
		return 0;
	quota = strtoll(desk->text, &end, 10);
	return end == desk->text ? 0 : cpus_of(quota, strtoll(end, NULL, 10));
}

static unsigned quota_v1(struct desk *desk)
{
	long long quota;

	if (!read_here(desk, "cpu.cfs_quota_us"))
		return 0;
	quota = strtoll(desk->text, NULL, 10);
	if (!read_here(desk, "cpu.cfs_period_us"))
		return 0;
	return cpus_of(quota, strtoll(desk->text, NULL, 10));
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The smallest limit of a group and all above it, up to the outermost in desk->top. */
static unsigned quota_along(
	struct desk *desk, const char *group, unsigned (*quota_of)(struct desk *desk))
{
	size_t top_len = strlen(desk->top);
	unsigned quota = 0;
	int len = snprintf(desk->folder, sizeof desk->folder, "%s%s", desk->top, group);

	if (len < 0 || (size_t)len >= sizeof desk->folder)
		desk->folder[top_len] = '\0';
	for (;;) {
		char *slash;

		quota = smaller(quota, quota_of(desk));
		slash = strrchr(desk->folder, '/');
		if (!slash || slash < desk->folder + top_len)
			return quota;
		*slash = '\0';
	}
}

/* Whether `name` is one of the comma-separated names. */
static bool has_name(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = names; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return true;
	}
	return false;
}

/* One line: "NUMBER:CONTROLLERS:/PATH", both parts of the middle maybe empty. */
static unsigned quota_of_line(struct desk *desk, char *line)
{
	char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;
	bool is_v2;

	if (!group)
		return 0;
	*names++ = '\0';
	*group++ = '\0';
	is_v2 = strcmp(line, "0") == 0 && !*names;
	if (!is_v2 && !has_name(names, "cpu"))
		return 0;
	(void)snprintf(
		desk->top, sizeof desk->top, "%s/sys/fs/cgroup%s", desk->root, is_v2 ? "" : "/cpu");
	return quota_along(desk, group, is_v2 ? quota_v2 : quota_v1);
}

unsigned soon__quota_cpus(const char *root)
{
	struct desk *desk = soon_zalloc(sizeof *desk);
	unsigned quota = 0;
	char *line, *rest;

	if (!desk)
		return 0;
	desk->root = root;
	(void)snprintf(desk->path, sizeof desk->path, "%s/proc/self/cgroup", root);
	if (read_file(desk->path, desk->groups, sizeof desk->groups)) {
		for (line = strtok_r(desk->groups, "\n", &rest); line;
			line = strtok_r(NULL, "\n", &rest))
			quota = smaller(quota, quota_of_line(desk, line));
	}
	soon_free(desk);
	return quota;
}
