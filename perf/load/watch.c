// SPDX-License-Identifier: Apache-2.0
/*
 * Reads what the operating system accounts to the server: CPU time from the process clock (exact to
 * the nanosecond, all threads, kernel workers of its rings included), context switches per thread
 * and memory from /proc. Everything is read from outside, so servers need no code for it.
 */
#include "../common/clock.h"
#include "load.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES 256

struct field {
	const char *label;
	uint64_t *sum;
};

/* Adds the numbers behind the labels in a /proc status file to their sums. */
static int add_fields(const char *path, const struct field *fields, size_t field_count)
{
	char line[LINE_BYTES];
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return -errno;
	while (fgets(line, sizeof(line), file) != NULL) {
		for (size_t i = 0; i < field_count; i++) {
			size_t label_bytes = strlen(fields[i].label);
			unsigned long long value;

			if (strncmp(line, fields[i].label, label_bytes) == 0 &&
				sscanf(line + label_bytes, ":%llu", &value) == 1)
				*fields[i].sum += value;
		}
	}
	(void)fclose(file);
	return 0;
}

static int add_thread_switches(pid_t pid, struct server_sample *sample)
{
	const struct field fields[] = {
		{ "voluntary_ctxt_switches", &sample->switches_voluntary },
		{ "nonvoluntary_ctxt_switches", &sample->switches_forced },
	};
	char path[LINE_BYTES + 64];
	struct dirent *entry;
	DIR *threads;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	if (threads == NULL)
		return -errno;
	while ((entry = readdir(threads)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(
			path, sizeof(path), "/proc/%d/task/%.20s/status", (int)pid, entry->d_name);
		(void)add_fields(path, fields, 2); /* a thread may have ended meanwhile */
	}
	(void)closedir(threads);
	return 0;
}

int watch_server(pid_t pid, struct server_sample *ret_sample)
{
	struct server_sample sample = { 0 };
	const struct field memory[] = {
		{ "VmRSS", &sample.rss_kib },
		{ "VmPTE", &sample.page_table_kib },
	};
	char path[LINE_BYTES];
	clockid_t clock;
	int err;

	if (pid == 0) {
		*ret_sample = sample;
		return 0;
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	err = add_fields(path, memory, 2);
	if (err < 0)
		return err;
	err = add_thread_switches(pid, &sample);
	if (err < 0)
		return err;
	err = clock_getcpuclockid(pid, &clock);
	if (err != 0)
		return -err;
	sample.cpu_ns = clock_ns(clock);
	if (sample.cpu_ns < 0)
		return -errno;
	*ret_sample = sample;
	return 0;
}
