// SPDX-License-Identifier: Apache-2.0
/* The diagnosis for people. */
#include "soonctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void row(const char *name, const char *value)
{
	(void)printf("  %-28s %s\n", name, value);
}

static void number_row(const char *name, long long value)
{
	char text[32] = "not there";

	if (value >= 0)
		(void)snprintf(text, sizeof text, "%lld", value);
	row(name, text);
}

static void put_limit(char *ret_text, size_t size, rlim_t value, unsigned unit)
{
	if (value == RLIM_INFINITY)
		(void)snprintf(ret_text, size, "unlimited");
	else
		(void)snprintf(ret_text, size, "%llu", (unsigned long long)value / unit);
}

static void limit_row(const char *name, const struct rlimit *limit, unsigned unit)
{
	char soft[32], hard[32], text[80];

	put_limit(soft, sizeof soft, limit->rlim_cur, unit);
	put_limit(hard, sizeof hard, limit->rlim_max, unit);
	(void)snprintf(text, sizeof text, "%s (hard %s)", soft, hard);
	row(name, text);
}

static void print_kernel(const struct facts *facts)
{
	char text[TEXT_BYTES * 2 + 2];

	(void)puts("kernel");
	(void)snprintf(text, sizeof text, "%s %s", facts->release, facts->machine);
	row("release", text);
	number_row("kernel.io_uring_disabled", facts->uring_disabled);
	if (facts->uring_group >= 0)
		(void)snprintf(text, sizeof text, "%lld, which this process is %sin",
			facts->uring_group, facts->in_uring_group ? "" : "not ");
	else
		(void)snprintf(text, sizeof text, "none");
	row("kernel.io_uring_group", text);
	number_row("fs.epoll.max_user_watches", facts->epoll_watches);
	number_row("fs.inotify.max_user_watches", facts->inotify_watches);
	number_row("fs.inotify.max_user_instances", facts->inotify_instances);
	number_row("fs.inotify.max_queued_events", facts->inotify_events);
}

static void print_process(const struct facts *facts, const struct trial *trial)
{
	static const char *const modes[] = { "none", "strict", "filter" };
	long long mode = facts->seccomp_mode;
	char text[64];

	(void)puts("process");
	row("container", facts->box == BOX_NONE ? "none that shows" : facts->box_name);
	(void)snprintf(text, sizeof text, "%s",
		mode >= 0 && mode < 3 ? modes[mode] : "not told by this kernel");
	if (facts->seccomp_filters > 0)
		(void)snprintf(text, sizeof text, "filter (%lld of them)", facts->seccomp_filters);
	row("seccomp", text);
	row("io_uring_setup", setup_text(trial));
	limit_row("locked memory, KiB", &facts->memlock, 1024);
	limit_row("open files", &facts->nofile, 1);
}

static void print_cpus(const struct facts *facts, const struct trial *trial)
{
	char text[32] = "no limit";

	(void)puts("processors");
	number_row("online", facts->cpus_online);
	number_row("affinity", facts->cpus_affinity);
	row("cpuset of the cgroup", facts->cpuset[0] != '\0' ? facts->cpuset : "none");
	if (facts->cpus_quota > 0)
		(void)snprintf(text, sizeof text, "%.2f", facts->cpus_quota);
	row("quota of the cgroup", text);
	if (trial->cores > 0)
		number_row(".cores = 0 takes", trial->cores);
}

static void print_features(const struct trial *trial)
{
	const soon_io_feature *feature;

	(void)puts("io_uring");
	for (unsigned i = 0; (feature = soon_io_feature_at(i)) != NULL; i++) {
		bool is_found = (trial->found >> i & 1) != 0;

		(void)printf("  %-28s %s", feature->name, is_found ? "yes" : "no");
		if (!is_found)
			(void)printf("; Linux %s%s: %s", feature->since,
				feature->is_needed ? ", needed" : "", feature->without);
		(void)putchar('\n');
	}
}

static void print_fixes(const struct diagnosis *diagnosis)
{
	for (unsigned i = 0; i < diagnosis->fix_count; i++) {
		const char *line = diagnosis->fixes[i].text;

		(void)printf(
			"%s%s\n", i == 0 ? "what to change\n  " : "  ", diagnosis->fixes[i].where);
		while (*line != '\0') {
			int length = (int)strcspn(line, "\n");

			(void)printf("      %.*s\n", length, line);
			line += length + 1;
		}
	}
	for (unsigned i = 0; i < diagnosis->fix_count; i++)
		if (strstr(diagnosis->fixes[i].text, "soon-seccomp.json") != NULL) {
			(void)puts("  soon-seccomp.json is installed in share/soon; "
				   "the guide is docs/guide/running-in-containers.md");
			break;
		}
}

int print_text(const struct diagnosis *diagnosis)
{
	const struct trial *trial = &diagnosis->trial;

	(void)printf("%s: %s\n", backend_name(trial), trial->why);
	for (unsigned i = 0; i < trial->reports; i++)
		(void)printf("  soon: %s\n", trial->report[i]);
	if (trial->run_rc < 0)
		(void)printf("  a run fails: %s\n", strerror(-trial->run_rc));
	print_kernel(&diagnosis->facts);
	print_process(&diagnosis->facts, trial);
	print_cpus(&diagnosis->facts, trial);
	print_features(trial);
	print_fixes(diagnosis);
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : -EIO;
}
