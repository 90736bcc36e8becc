// SPDX-License-Identifier: Apache-2.0
/*
 * Reading 4 KiB of a file that is in the page cache: by soon_pread(), and by pread(2) on a thread
 * of the run's pool. The CPU time of the process for each, one task at a time and 64 of them; and
 * the elapsed time of one. Interleaved, and the ratios are of the same repeat.
 *
 *	micro_file read|read_epoll
 */
#include <soon/file.h>
#include <soon/group.h>
#include <soon/offload.h>

#include "../common/clock.h"
#include "micro.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define READ_BYTES 4096u
#define PAGES      256u
#define READS      4096u
#define TASKS      64u

static int fd;

struct job {
	char *buf;
	off_t offset;
};

static int read_on_thread(struct job *job)
{
	return (int)pread(fd, job->buf, READ_BYTES, job->offset);
}

static int read_by_pool(struct job *job) SOON_SUSPENDS
{
	return soon_offload(read_on_thread, job);
}

static int read_by_soon(struct job *job) SOON_SUSPENDS
{
	return (int)soon_pread(fd, job->buf, READ_BYTES, job->offset);
}

static int (*way)(struct job *job);

static int read_often(uint64_t count) SOON_SUSPENDS
{
	struct job job = { .buf = malloc(READ_BYTES) };
	int rc = job.buf != NULL ? 0 : -ENOMEM;

	for (uint64_t i = 0; i < count && rc == 0; i++) {
		job.offset = (off_t)(i % PAGES * READ_BYTES);
		rc = way(&job);
		rc = rc == (int)READ_BYTES ? 0 : rc < 0 ? rc : -EPROTO;
	}
	free(job.buf);
	return rc;
}

static int read_from_many(uint64_t count) SOON_SUSPENDS
{
	int rc = 0;

	SOON_GROUP(group, .name = "benchmark");
	for (unsigned i = 0; i < TASKS && rc == 0; i++)
		rc = soon_spawn(&group, read_often, count / TASKS);
	return (int)soon_group_close(&group, rc);
}

static int compare(int (*rounds)(uint64_t), clockid_t clock, const char *ours, const char *pool,
	const char *ratio) SOON_SUSPENDS
{
	double ns[2], ratios[3], values[2][3];

	for (int i = 0; i < 3; i++) {
		for (int side = 0; side < 2; side++) {
			int rc;

			way = (side ^ (i & 1)) == 0 ? read_by_soon : read_by_pool;
			rc = micro_measure(rounds, READS, clock, &ns[side ^ (i & 1)]);
			if (rc < 0)
				return rc;
		}
		ratios[i] = ns[0] / ns[1];
		values[0][i] = ns[0];
		values[1][i] = ns[1];
	}
	micro_print(ours, micro_median(values[0], 3) / 1000, "us");
	micro_print(pool, micro_median(values[1], 3) / 1000, "us");
	micro_print(ratio, micro_median(ratios, 3), "ratio");
	return 0;
}

static int make_file(void)
{
	static char page[READ_BYTES];
	char path[] = "/tmp/soon-perf-XXXXXX";

	fd = mkstemp(path);
	if (fd < 0)
		return -errno;
	(void)unlink(path);
	for (unsigned i = 0; i < PAGES; i++)
		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page))
			return -EIO;
	return 0;
}

static int run(void *unused) SOON_SUSPENDS
{
	int rc = make_file();

	(void)unused;
	if (rc == 0)
		rc = compare(read_often, CLOCK_PROCESS_CPUTIME_ID, "read_cpu", "pool_cpu",
			"read_cpu_ratio");
	if (rc == 0)
		rc = compare(
			read_often, CLOCK_MONOTONIC, "read_time", "pool_time", "read_time_ratio");
	if (rc == 0)
		rc = compare(read_from_many, CLOCK_PROCESS_CPUTIME_ID, "read64_cpu", "pool64_cpu",
			"read64_cpu_ratio");
	return rc;
}

int main(int argc, char **argv)
{
	static const soon_opts epoll = { .io = SOON_IO_EPOLL };
	static const struct micro_bench benches[] = {
		{ "read", run, NULL },
		{ "read_epoll", run, &epoll },
	};

	return micro_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
