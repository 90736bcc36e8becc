// SPDX-License-Identifier: Apache-2.0
/*
 * offload.c: blocking work on threads: pools of their own, calls that may be left behind, and the
 * way back into the task. See docs/guide/offloading-blocking-work.md.
 */
#include <soon/soon.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One purpose, one pool: what is stuck here holds up nothing else. */
static soon_pool disk = SOON_POOL_INIT(.name = "disk", .threads_max = 2);

static void nap_ms(long ms)
{
	const struct timespec pause = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&pause, NULL);
}

/* Stands for a library that blocks. Blocking calls are made on a thread, never in a task. */
static int load(const char *name)
{
	nap_ms(1);
	return (int)strlen(name);
}

static int show_pools(void)
{
	int own = soon_offload(load, "four"), disk_rc = soon_offload_with(&disk, load, "sixsix");

	printf("own pool: %d, disk: %d\n", own, disk_rc);
	return own < 0 ? own : disk_rc < 0 ? disk_rc : 0;
}

/* Work that looks whether it is still wanted. */
static int count_up(int *count)
{
	while (!soon_offload_cancelled()) {
		++*count;
		nap_ms(1);
	}
	return 0;
}

static int show_stop(void)
{
	int count = 0;
	ssize_t rc = soon_within(SOON_MS(20), soon_offload_with(&disk, count_up, &count));

	/* It ended with 0, and so does the call: completion wins. */
	printf("stopped: %zd, counted: %s\n", rc, count > 0 ? "yes" : "no");
	return rc < 0 ? (int)rc : 0;
}

/* On the heap, since it may outlive who asked. */
struct lookup {
	const char *host;
	atomic_bool *is_dropped;
};

static int look_up(struct lookup *lookup)
{
	nap_ms(30); /* a library that nobody can interrupt */
	return (int)strlen(lookup->host);
}

/* On the thread, when the function has returned and nobody waits for it. */
static void lookup_free(struct lookup *lookup)
{
	atomic_store(lookup->is_dropped, true);
	free(lookup);
}

/* -ECANCELED: the lookup is given away. Anything else: it is ours again. */
static int resolve(const char *host, atomic_bool *is_dropped)
{
	struct lookup *lookup = malloc(sizeof *lookup);
	int rc;

	if (!lookup)
		return -ENOMEM;
	*lookup = (struct lookup){ host, is_dropped };
	rc = soon_offload_detach_with(&disk, look_up, lookup, lookup_free);
	if (rc != -ECANCELED)
		free(lookup);
	return rc;
}

static int show_detach(void)
{
	atomic_bool is_dropped = false;
	ssize_t rc = soon_within(SOON_MS(5), resolve("example.org", &is_dropped));
	int slept = 0;

	printf("left behind: %s, dropped: %s\n", rc == -ETIMEDOUT ? "ETIMEDOUT" : "?",
		atomic_load(&is_dropped) ? "yes" : "not yet");
	while (slept == 0 && !atomic_load(&is_dropped))
		slept = soon_sleep(SOON_MS(1));
	printf("later: dropped\n");
	return slept;
}

/* In the task that waits: may use everything that tasks may. */
static int tell_progress(int percent)
{
	printf("progress: %d %%\n", percent);
	return soon_sleep(SOON_MS(1));
}

/* On the thread: a function that blocks, with a callback in the middle. */
static int convert(int steps)
{
	int rc = 0;

	for (int i = 1; i <= steps && rc == 0; i++) {
		nap_ms(1);
		rc = soon_reenter(tell_progress, 100 * i / steps);
	}
	return rc;
}

static int show_reenter(void)
{
	return soon_offload(convert, 2);
}

/* From any thread, at any time. */
static int show_resize(void)
{
	soon_pool_stats stats;
	int rc = soon_pool_resize(&disk, 4);

	if (rc == 0)
		rc = soon_pool_stats_get(&disk, &stats);
	if (rc == 0)
		printf("limit: %u, busy: %u\n", stats.threads_max, stats.busy);
	return rc;
}

static int app(void *unused)
{
	int rc = show_pools();

	(void)unused;
	if (rc == 0)
		rc = show_stop();
	if (rc == 0)
		rc = show_detach();
	if (rc == 0)
		rc = show_reenter();
	return rc == 0 ? show_resize() : rc;
}

int main(void)
{
	return soon_run(app, NULL) < 0;
}
