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

static bool read_in(const char *folder, const char *name, char *text, size_t size)
{
	char path[PATH_BYTES + 32];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return read_file(path, text, size);
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

static unsigned quota_v2(const char *folder)
{
	char text[FILE_BYTES], *end;
	long long quota;

	if (!read_in(folder, "cpu.max", text, sizeof text))
		return 0;
	quota = strtoll(text, &end, 10);
	return end == text ? 0 : cpus_of(quota, strtoll(end, NULL, 10));
}

static unsigned quota_v1(const char *folder)
{
	char quota[FILE_BYTES], period[FILE_BYTES];

	if (!read_in(folder, "cpu.cfs_quota_us", quota, sizeof quota) ||
		!read_in(folder, "cpu.cfs_period_us", period, sizeof period))
		return 0;
	return cpus_of(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The smallest limit of a group and all above it, `top` the folder of the outermost. */
static unsigned quota_along(
	const char *top, const char *group, unsigned (*quota_of)(const char *folder))
{
	char folder[PATH_BYTES];
	size_t top_len = strlen(top);
	unsigned quota = 0;
	int len = snprintf(folder, sizeof folder, "%s%s", top, group);

	if (len < 0 || (size_t)len >= sizeof folder)
		folder[top_len] = '\0';
	for (;;) {
		char *slash;

		quota = smaller(quota, quota_of(folder));
		slash = strrchr(folder, '/');
		if (!slash || slash < folder + top_len)
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
static unsigned quota_of_line(const char *root, char *line)
{
	char top[PATH_BYTES / 2];
	char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;

	if (!group)
		return 0;
	*names++ = '\0';
	*group++ = '\0';
	group[strcspn(group, "\n")] = '\0';
	if (strcmp(line, "0") == 0 && !*names) {
		(void)snprintf(top, sizeof top, "%s/sys/fs/cgroup", root);
		return quota_along(top, group, quota_v2);
	}
	if (!has_name(names, "cpu"))
		return 0;
	(void)snprintf(top, sizeof top, "%s/sys/fs/cgroup/cpu", root);
	return quota_along(top, group, quota_v1);
}

unsigned soon__quota_cpus(const char *root)
{
	char path[PATH_BYTES / 2], *text = soon_zalloc(GROUPS_BYTES); /* much for a stack */
	unsigned quota = 0;
	char *line, *rest;

	(void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
	if (text && read_file(path, text, GROUPS_BYTES)) {
		for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			quota = smaller(quota, quota_of_line(root, line));
	}
	soon_free(text);
	return quota;
}
