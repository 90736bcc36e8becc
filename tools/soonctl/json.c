// SPDX-License-Identifier: Apache-2.0
/* The diagnosis for programs: one object. Fields may be added; VERSION grows when one changes. */
#include "soonctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#define VERSION 1

static json_t *number_or_null(long long value)
{
	return value >= 0 ? json_integer(value) : json_null();
}

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *limit_json(const struct rlimit *limit)
{
	/* null: unlimited */
	return json_pack("{s:o, s:o}", "soft",
		limit->rlim_cur == RLIM_INFINITY ? json_null()
						 : json_integer((json_int_t)limit->rlim_cur),
		"hard",
		limit->rlim_max == RLIM_INFINITY ? json_null()
						 : json_integer((json_int_t)limit->rlim_max));
}

static json_t *kernel_json(const struct facts *facts)
{
	return json_pack("{s:s, s:s}", "release", facts->release, "machine", facts->machine);
}

static json_t *sysctl_json(const struct facts *facts)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "kernel.io_uring_disabled",
		number_or_null(facts->uring_disabled), "kernel.io_uring_group",
		number_or_null(facts->uring_group), "fs.epoll.max_user_watches",
		number_or_null(facts->epoll_watches), "fs.inotify.max_user_watches",
		number_or_null(facts->inotify_watches), "fs.inotify.max_user_instances",
		number_or_null(facts->inotify_instances), "fs.inotify.max_queued_events",
		number_or_null(facts->inotify_events));
}

static json_t *process_json(const struct facts *facts, const struct trial *trial)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:s, s:o, s:o}", "container",
		text_or_null(facts->box_name), "seccomp_mode", number_or_null(facts->seccomp_mode),
		"seccomp_filters", number_or_null(facts->seccomp_filters), "no_new_privs",
		number_or_null(facts->no_new_privs), "in_io_uring_group",
		(int)facts->in_uring_group, "io_uring_setup", setup_text(trial), "memlock_bytes",
		limit_json(&facts->memlock), "nofile", limit_json(&facts->nofile));
}

static json_t *cpus_json(const struct facts *facts, const struct trial *trial)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "online", number_or_null(facts->cpus_online),
		"affinity", number_or_null(facts->cpus_affinity), "cpuset",
		text_or_null(facts->cpuset), "quota",
		facts->cpus_quota > 0 ? json_real(facts->cpus_quota) : json_null(), "cores",
		trial->cores > 0 ? json_integer(trial->cores) : json_null());
}

static json_t *features_json(const struct trial *trial)
{
	json_t *list = json_array();
	const soon_io_feature *feature;

	for (unsigned i = 0; (feature = soon_io_feature_at(i)) != NULL; i++)
		(void)json_array_append_new(list,
			json_pack("{s:s, s:s, s:b, s:b, s:s}", "name", feature->name, "since",
				feature->since, "found", (int)(trial->found >> i & 1), "needed",
				(int)feature->is_needed, "without", feature->without));
	return list;
}

static json_t *reports_json(const struct trial *trial)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < trial->reports; i++)
		(void)json_array_append_new(list, json_string(trial->report[i]));
	return list;
}

static json_t *fixes_json(const struct diagnosis *diagnosis)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < diagnosis->fix_count; i++)
		(void)json_array_append_new(list,
			json_pack("{s:s, s:s}", "where", diagnosis->fixes[i].where, "text",
				diagnosis->fixes[i].text));
	return list;
}

int print_json(const struct diagnosis *diagnosis)
{
	const struct facts *facts = &diagnosis->facts;
	const struct trial *trial = &diagnosis->trial;
	json_t *all = json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
		VERSION, "backend", backend_name(trial), "why", trial->why, "kernel",
		kernel_json(facts), "sysctl", sysctl_json(facts), "process",
		process_json(facts, trial), "cpus", cpus_json(facts, trial), "io_uring",
		features_json(trial), "reports", reports_json(trial), "fixes",
		fixes_json(diagnosis));
	int rc = all == NULL ? -ENOMEM : json_dumpf(all, stdout, JSON_INDENT(2));

	json_decref(all);
	if (rc == 0 && (putchar('\n') == EOF || fflush(stdout) != 0))
		rc = -EIO;
	return rc < 0 && rc != -ENOMEM ? -EIO : rc;
}
