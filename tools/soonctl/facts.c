// SPDX-License-Identifier: Apache-2.0
/* What the kernel and the surroundings tell without being tried. */
#include "soonctl.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CGROUPS    "/sys/fs/cgroup"
#define PATH_BYTES 512

/* Reads the first line of a file; false, and an empty text, when there is none. */
static bool read_line(const char *path, char *ret_line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool is_read = file != NULL && fgets(ret_line, (int)size, file) != NULL;

	if (file != NULL)
		(void)fclose(file);
	if (!is_read)
		ret_line[0] = '\0';
	ret_line[strcspn(ret_line, "\n")] = '\0';
	return is_read;
}

static long long read_number(const char *path)
{
	char line[64];
	char *end;
	long long number;

	if (!read_line(path, line, sizeof line))
		return UNKNOWN;
	number = strtoll(line, &end, 10);
	return end == line ? UNKNOWN : number;
}

static bool has_file(const char *path)
{
	return access(path, F_OK) == 0;
}

static void read_status(struct facts *facts)
{
	const struct {
		const char *key;
		long long *value;
	} wanted[] = {
		{ "Seccomp:", &facts->seccomp_mode },
		{ "Seccomp_filters:", &facts->seccomp_filters },
		{ "NoNewPrivs:", &facts->no_new_privs },
	};
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];

	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		*wanted[i].value = UNKNOWN;
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
			size_t length = strlen(wanted[i].key);

			if (strncmp(line, wanted[i].key, length) == 0)
				*wanted[i].value = strtoll(line + length, NULL, 10);
		}
	if (file != NULL)
		(void)fclose(file);
}

static bool is_in_group(long long group)
{
	static gid_t groups[1024];
	int count = getgroups((int)(sizeof groups / sizeof groups[0]), groups);

	if (group < 0)
		return false;
	for (int i = 0; i < count; i++)
		if (groups[i] == (gid_t)group)
			return true;
	return getegid() == (gid_t)group;
}

/* The quota of one group: "QUOTA PERIOD" or "max PERIOD" in version 2; 0: no limit. */
static double quota_of(const char *folder)
{
	static char path[PATH_BYTES + 32];
	char line[64];
	long long quota, period;

	(void)snprintf(path, sizeof path, "%s/cpu.max", folder);
	if (read_line(path, line, sizeof line)) {
		char *end;

		quota = strtoll(line, &end, 10);
		period = end == line ? 0 : strtoll(end, NULL, 10);
	} else {
		(void)snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
		quota = read_number(path);
		(void)snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
		period = read_number(path);
	}
	return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

static void read_group(struct facts *facts, const char *folder)
{
	static char path[PATH_BYTES + 32];
	double quota = quota_of(folder);

	if (quota > 0 && (facts->cpus_quota <= 0 || quota < facts->cpus_quota))
		facts->cpus_quota = quota;
	if (facts->cpuset[0] != '\0')
		return;
	(void)snprintf(path, sizeof path, "%s/cpuset.cpus.effective", folder);
	(void)read_line(path, facts->cpuset, sizeof facts->cpuset);
}

/* From the process's group up to the top: the tightest quota counts, the nearest set. */
static void read_groups_above(struct facts *facts, const char *top, const char *group)
{
	static char folder[PATH_BYTES];
	char *end;

	(void)snprintf(folder, sizeof folder, "%s%s", top, group);
	while (strlen(folder) >= strlen(top)) {
		read_group(facts, folder);
		end = strrchr(folder, '/');
		if (end == NULL)
			break;
		*end = '\0';
	}
}

static void read_cgroups(struct facts *facts)
{
	static char line[PATH_BYTES];
	static char top[PATH_BYTES];
	FILE *file = fopen("/proc/self/cgroup", "re");

	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		char *controllers = strchr(line, ':');
		char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

		if (group == NULL)
			continue;
		controllers++;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		if (strcmp(group, "/") == 0)
			*group = '\0';
		if (*controllers == '\0') {
			read_groups_above(facts, CGROUPS, group);
		} else if (strcmp(controllers, "cpu") == 0 ||
			strncmp(controllers, "cpu,", 4) == 0 ||
			strcmp(controllers, "cpuset") == 0) {
			(void)snprintf(top, sizeof top, CGROUPS "/%s", controllers);
			read_groups_above(facts, top, group);
		}
	}
	if (file != NULL)
		(void)fclose(file);
}

static void read_cpus(struct facts *facts)
{
	cpu_set_t set;

	facts->cpus_online = sysconf(_SC_NPROCESSORS_ONLN);
	facts->cpus_affinity =
		sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : UNKNOWN;
	read_cgroups(facts);
}

static void set_box(struct facts *facts, enum box box, const char *name)
{
	facts->box = box;
	(void)snprintf(facts->box_name, sizeof facts->box_name, "%s", name);
}

/* A pod's containers are made by what makes plain ones, too: so it is asked for first. */
static void recognise_box(struct facts *facts)
{
	const char *name = getenv("container");

	if (getenv("KUBERNETES_SERVICE_HOST") != NULL || has_file("/var/run/secrets/kubernetes.io"))
		set_box(facts, BOX_KUBERNETES, "kubernetes");
	else if (has_file("/run/.containerenv") || (name != NULL && strcmp(name, "podman") == 0))
		set_box(facts, BOX_PODMAN, "podman");
	else if (has_file("/.dockerenv") || (name != NULL && strcmp(name, "docker") == 0))
		set_box(facts, BOX_DOCKER, "docker");
	else if (name != NULL && *name != '\0')
		set_box(facts, BOX_OTHER, name);
	else if (getenv("INVOCATION_ID") != NULL && facts->seccomp_mode == 2)
		set_box(facts, BOX_SYSTEMD, "systemd");
}

void facts_read(struct facts *ret_facts)
{
	struct facts *facts = ret_facts;
	struct utsname name;

	*facts = (struct facts){ 0 };
	if (uname(&name) == 0) {
		(void)snprintf(facts->release, sizeof facts->release, "%s", name.release);
		(void)snprintf(facts->machine, sizeof facts->machine, "%s", name.machine);
	}
	facts->uring_disabled = read_number("/proc/sys/kernel/io_uring_disabled");
	facts->uring_group = read_number("/proc/sys/kernel/io_uring_group");
	facts->in_uring_group = is_in_group(facts->uring_group);
	read_status(facts);
	(void)getrlimit(RLIMIT_MEMLOCK, &facts->memlock);
	(void)getrlimit(RLIMIT_NOFILE, &facts->nofile);
	read_cpus(facts);
	recognise_box(facts);
	facts->epoll_watches = read_number("/proc/sys/fs/epoll/max_user_watches");
	facts->inotify_watches = read_number("/proc/sys/fs/inotify/max_user_watches");
	facts->inotify_instances = read_number("/proc/sys/fs/inotify/max_user_instances");
	facts->inotify_events = read_number("/proc/sys/fs/inotify/max_queued_events");
}
