// SPDX-License-Identifier: Apache-2.0
/*
 * command.c: one process that is measured.
 *
 * A program that is built with <soon/bench.h> writes its result where SOON_BENCH_RESULT says. Of
 * any other command there is what it took as a whole: elapsed time, CPU time, memory.
 */
#include "common/clock.h"
#include "harness/options.h"
#include "soon_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 256

/* What a command took as a whole. */
struct usage {
	int status; /* as of wait(2) */
	double wall_ns;
	double cpu_ns;
	double memory_bytes;
};

char **command_split(const char *line)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./:,@%+= ";
	static const char shell[] = "sh\0-c"; /* two words */
	size_t length = strlen(line) + 1;
	char **argv = calloc(1, (WORDS_MAX + 1) * sizeof(*argv) + length + sizeof(shell));
	char *copy = argv != NULL ? (char *)(argv + WORDS_MAX + 1) : NULL;
	char *rest = copy;
	unsigned count = 0;
	/* A '=' in the first word sets a variable, which is the shell's to do. */
	bool has_words = line[strspn(line, plain)] == '\0' && line[strcspn(line, " =")] != '=';

	if (argv == NULL)
		return NULL;
	memcpy(copy, line, length);
	for (char *word; has_words && (word = strsep(&rest, " ")) != NULL;) {
		has_words = count < WORDS_MAX;
		if (has_words && *word != '\0')
			argv[count++] = word;
	}
	if (has_words)
		return argv;
	memset(argv, 0, (WORDS_MAX + 1) * sizeof(*argv));
	memcpy(copy, line, length);
	memcpy(copy + length, shell, sizeof(shell));
	argv[0] = copy + length;
	argv[1] = copy + length + sizeof("sh");
	argv[2] = copy;
	return argv;
}

static double usec(const struct timeval *time)
{
	return (double)time->tv_sec * 1e9 + (double)time->tv_usec * 1e3;
}

static int spawn_silent(const struct command *command, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int rc = -posix_spawn_file_actions_init(&actions);

	if (rc < 0)
		return rc;
	rc = -posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (rc == 0)
		rc = -posix_spawn_file_actions_addopen(
			&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (rc == 0)
		rc = -posix_spawnp(
			ret_pid, command->argv[0], &actions, NULL, command->argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return rc;
}

static int take(const struct command *command, struct usage *ret_usage)
{
	struct rusage usage;
	int64_t start_ns = now_ns();
	pid_t pid = 0;
	int rc = spawn_silent(command, &pid);

	if (rc < 0)
		return rc;
	while (wait4(pid, &ret_usage->status, 0, &usage) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	ret_usage->wall_ns = (double)(now_ns() - start_ns);
	ret_usage->cpu_ns = usec(&usage.ru_utime) + usec(&usage.ru_stime);
	ret_usage->memory_bytes = (double)usage.ru_maxrss * 1024;
	return 0;
}

/* A figure with one value in one run. */
static int add_figure(struct result *result, struct result_samples *samples, const char *name,
	const char *unit, double value)
{
	double *values = result_alloc(result, 1, sizeof(*values));
	struct result_run *run = result_alloc(result, 1, sizeof(*run));

	if (values == NULL || run == NULL)
		return -ENOMEM;
	*values = value;
	*run = (struct result_run){ values, 1 };
	*samples = (struct result_samples){ name, unit, RESULT_BETTER_LESS, run, 1, false };
	return 0;
}

static struct result *whole(const struct command *command, const struct usage *usage)
{
	struct result *result = result_create(RESULT_BENCH);
	struct result_entry *entry =
		result != NULL ? result_entry_add(result, command->name) : NULL;
	struct result_samples *samples =
		entry != NULL ? result_alloc(result, 3, sizeof(*samples)) : NULL;

	if (samples == NULL || add_figure(result, &samples[0], "wall", "ns", usage->wall_ns) < 0 ||
		add_figure(result, &samples[1], "cpu", "ns", usage->cpu_ns) < 0 ||
		add_figure(result, &samples[2], "memory", "B", usage->memory_bytes) < 0) {
		(void)fputs("soon-bench: no memory\n", stderr);
		result_free(result);
		return NULL;
	}
	entry->turns = 1;
	entry->samples = samples;
	entry->sample_count = 3;
	return result;
}

/* A benchmark that failed in it is no failure of the run: the entry says so. */
static bool has_ended_well(const struct command *command, const struct usage *usage, bool has_file)
{
	int status = usage->status;

	if (status == 0 || (has_file && WIFEXITED(status) && WEXITSTATUS(status) == 1))
		return true;
	if (is_interrupted)
		return false;
	if (WIFSIGNALED(status))
		(void)fprintf(stderr, "soon-bench: '%s' was ended by signal %d, %s\n",
			command->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)fprintf(stderr, "soon-bench: '%s' failed with exit status %d\n",
			command->name, WEXITSTATUS(status));
	return false;
}

static struct result *collect(
	const struct command *command, const struct usage *usage, const char *file)
{
	struct result_error error;
	struct result *result = NULL;
	bool has_file = access(file, F_OK) == 0;

	if (!has_ended_well(command, usage, has_file))
		return NULL;
	if (!has_file)
		return whole(command, usage);
	if (result_read(file, &result, &error) < 0) {
		(void)fprintf(stderr, "soon-bench: '%s' left a bad result: %s\n", command->name,
			error.text);
	} else if (result->is_partial && !is_interrupted) {
		(void)fprintf(stderr, "soon-bench: '%s' is not through: %s\n", command->name,
			result->partial_reason);
		result_free(result);
		result = NULL;
	}
	return result;
}

struct result *command_run(const struct command *command)
{
	char folder[] = "/tmp/soon-bench-XXXXXX";
	char file[sizeof(folder) + sizeof("/result.json")];
	struct result *result = NULL;
	struct usage usage = { 0 };
	int rc;

	if (mkdtemp(folder) == NULL) {
		(void)fprintf(stderr, "soon-bench: %s: %s\n", folder, strerror(errno));
		return NULL;
	}
	(void)snprintf(file, sizeof(file), "%s/result.json", folder);
	rc = setenv(OPTIONS_RESULT_VARIABLE, file, 1) == 0 ? take(command, &usage) : -ENOMEM;
	if (rc < 0)
		(void)fprintf(stderr, "soon-bench: '%s' cannot be run: %s\n", command->name,
			strerror(-rc));
	else
		result = collect(command, &usage, file);
	(void)unlink(file);
	(void)rmdir(folder);
	return result;
}
