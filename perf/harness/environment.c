// SPDX-License-Identifier: Apache-2.0
/* environment.c: what of this machine and process belongs to a figure. */
#include "result.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#define LINE_BYTES    512
#define COMMAND_BYTES 4096

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

/*
 * The rest of the first line that begins with `prefix`, without what stands before `after`; "" when
 * there is none.
 */
static void find_line(const char *path, const char *prefix, char *ret_text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t length = strlen(prefix);
	bool is_found = false;

	while (file != NULL && !is_found && fgets(ret_text, (int)size, file) != NULL)
		is_found = strncmp(ret_text, prefix, length) == 0;
	if (file != NULL)
		(void)fclose(file);
	if (!is_found) {
		ret_text[0] = '\0';
		return;
	}
	length += strspn(ret_text + length, " \t:");
	memmove(ret_text, ret_text + length, strlen(ret_text + length) + 1);
	ret_text[strcspn(ret_text, "\n")] = '\0';
}

static const char *kernel_text(struct result *result)
{
	struct utsname name;

	if (uname(&name) != 0)
		return "";
	return result_text(result, "%s %s %s", name.sysname, name.release, name.machine);
}

static uint64_t cpu_count(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint64_t)CPU_COUNT(&set) : 0;
}

/* The tightest quota from the group of the process upwards, by the second version's files. */
static double quota_cpus(void)
{
	static char group[LINE_BYTES], path[LINE_BYTES + 64], line[64];
	double least = 0;
	char *end;

	find_line("/proc/self/cgroup", "0::", group, sizeof(group));
	for (;;) {
		double quota, period;

		(void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", group);
		find_line(path, "", line, sizeof(line));
		quota = strtod(line, &end);
		period = end != line ? strtod(end, NULL) : 0;
		if (quota > 0 && period > 0 && (least <= 0 || quota / period < least))
			least = quota / period;
		end = strrchr(group, '/');
		if (end == NULL)
			return least;
		*end = '\0';
	}
}

/* Adds an argument in quotes; what is no printable ASCII becomes a question mark. */
static size_t quote(char *text, size_t used, const char *arg)
{
	static const char inner[] = "'\\''";

	text[used++] = '\'';
	for (const char *c = arg; *c != '\0' && used + sizeof(inner) < COMMAND_BYTES; c++) {
		if (*c == '\'') {
			memcpy(text + used, inner, sizeof(inner) - 1);
			used += sizeof(inner) - 1;
		} else {
			text[used++] = *c >= ' ' && *c <= '~' ? *c : '?';
		}
	}
	text[used++] = '\'';
	return used;
}

/* As a shell would have to be told, so that it can be repeated; cut where it is too long. */
static const char *command_text(struct result *result, int argc, char *const *argv)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./:=,@%+";
	char *text = result_alloc(result, COMMAND_BYTES, 1);
	size_t used = 0;

	for (int i = 0; text != NULL && i < argc; i++) {
		size_t length = strlen(argv[i]);

		if (used + length + sizeof(" ''") > COMMAND_BYTES)
			break;
		if (i > 0)
			text[used++] = ' ';
		if (length > 0 && strspn(argv[i], plain) == length) {
			memcpy(text + used, argv[i], length);
			used += length;
		} else {
			used = quote(text, used, argv[i]);
		}
	}
	return text;
}

static const char *now_text(struct result *result)
{
	time_t now = time(NULL);
	struct tm utc;
	char text[32];

	if (gmtime_r(&now, &utc) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		return "";
	return result_text(result, "%s", text);
}

int result_environment_read(struct result *result, int argc, char *const *argv)
{
	static char line[LINE_BYTES];
	struct result_environment env = { .io = result->environment.io };

	env.kernel = kernel_text(result);
	find_line("/proc/cpuinfo", "model name", line, sizeof(line));
	if (line[0] == '\0')
		find_line("/proc/cpuinfo", "CPU part", line, sizeof(line));
	env.cpu_model = result_text(result, "%s", line);
	env.cpu_count = cpu_count();
	env.quota_cpus = quota_cpus();
	find_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", "", line,
		sizeof(line));
	env.clock = result_text(result, "%s", line);
	env.compiler = COMPILER;
	env.soon_version = HARNESS_VERSION;
	if (getloadavg(env.load_average, 3) != 3)
		memset(env.load_average, 0, sizeof(env.load_average));
	env.command = command_text(result, argc, argv);
	env.started = now_text(result);
	if (env.kernel == NULL || env.cpu_model == NULL || env.clock == NULL ||
		env.command == NULL || env.started == NULL)
		return -ENOMEM;
	result->environment = env;
	return 0;
}
