// SPDX-License-Identifier: Apache-2.0
/*
 * What an idle run costs whose core and pool threads spin: after a busy moment, in which all of
 * them had reason to, nothing happens for a while.
 *
 *	micro_idle SECONDS
 *
 * Context switches and CPU time of all threads but the one that looks on.
 */
#include <soon/future.h>
#include <soon/offload.h>
#include <soon/task.h>
#include <soon/thread.h>

#include "../common/clock.h"
#include "micro.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPIN      SOON_US(100)
#define BUSY      1000u
#define SETTLE_NS (NS_PER_S / 5) /* more than any spin takes */

static soon_future ended;
static soon_future asked;

static double seconds;

static int nothing(void *unused)
{
	(void)unused;
	return 0;
}

/* Context switches of one thread, -errno when it has ended. */
static int64_t switches_of(const char *thread)
{
	char path[64];
	char line[128];
	int64_t sum = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", thread);
	file = fopen(path, "re");
	if (file == NULL)
		return -errno;
	while (fgets(line, sizeof(line), file) != NULL) {
		const char *number = strstr(line, "voluntary_ctxt_switches:");

		if (number != NULL)
			sum += strtoll(strchr(number, ':') + 1, NULL, 10);
	}
	(void)fclose(file);
	return sum;
}

/* Those of all threads but the calling one. */
static int64_t switches_of_others(void)
{
	DIR *threads = opendir("/proc/self/task");
	struct dirent *entry;
	int64_t sum = 0;

	if (threads == NULL)
		micro_die("/proc/self/task", -errno);
	while ((entry = readdir(threads)) != NULL) {
		if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == gettid())
			continue;
		sum += switches_of(entry->d_name);
	}
	(void)closedir(threads);
	return sum;
}

static int64_t cpu_of_others(void)
{
	return cpu_ns() - clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void sleep_for(int64_t ns)
{
	struct timespec time = { ns / NS_PER_S, ns % NS_PER_S };

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static void *look_on(void *unused)
{
	int64_t switches;
	int64_t spent_ns;

	int rc = soon_future_wait(&asked, NULL);

	(void)unused;
	if (rc < 0)
		micro_die("soon_future_wait", rc);
	sleep_for(SETTLE_NS);
	switches = switches_of_others();
	spent_ns = cpu_of_others();
	sleep_for((int64_t)(seconds * (double)NS_PER_S));
	spent_ns = cpu_of_others() - spent_ns;
	switches = switches_of_others() - switches;
	micro_print("idle_wakes", (double)switches / seconds, "/s");
	micro_print("idle_cpu", (double)spent_ns / 1000 / seconds, "us/s");
	soon_future_set(&ended, 0, 0);
	return NULL;
}

static int app(void *unused)
{
	pthread_t thread;
	int rc = 0;

	(void)unused;
	if (pthread_create(&thread, NULL, look_on, NULL) != 0)
		return -EAGAIN;
	for (unsigned i = 0; i < BUSY && rc == 0; i++)
		rc = soon_offload(nothing, NULL);
	soon_future_set(&asked, 0, 0);
	if (rc == 0)
		rc = soon_future_wait(&ended, NULL);
	(void)pthread_join(thread, NULL);
	return rc;
}

int main(int argc, char **argv)
{
	int rc;

	seconds = argc == 2 ? strtod(argv[1], NULL) : 0;
	if (seconds <= 0)
		micro_die("usage: micro_idle SECONDS", -EINVAL);
	rc = soon_run_with(&(soon_opts){ .spin = SPIN }, app, NULL);
	if (rc < 0)
		micro_die("idle", rc);
	return 0;
}
