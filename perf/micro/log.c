// SPDX-License-Identifier: Apache-2.0
/*
 * Log lines, as a task pays for them: the CPU time of the core's thread for one record with three
 * fields that goes to a file, and for one whose level is off. The log's own thread has the second
 * CPU; what it costs is printed beside. Between bursts that fit into the ring the core waits for
 * it, which is not counted.
 *
 *	micro_log record|off
 */
#include <soon/log.h>
#include <soon/task.h>

#include "../common/clock.h"
#include "micro.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define BURST  512u
#define BURSTS 400u
#define LEVELS 20000000u

static double cpu_time(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* The median over the bursts, so that what interrupts one does not count. */
static int log_bursts(double *ret_core, double *ret_all)
{
	static double core[BURSTS];
	double all = cpu_time(CLOCK_PROCESS_CPUTIME_ID);

	for (unsigned i = 0; i < BURSTS; i++) {
		double before = cpu_time(CLOCK_THREAD_CPUTIME_ID);

		for (unsigned k = 0; k < BURST; k++)
			soon_log_info("served", SOON_F("path", "/index.html"),
				SOON_F("status", 200), SOON_F_NS("took", (soon_ns)k));
		core[i] = (cpu_time(CLOCK_THREAD_CPUTIME_ID) - before) / BURST;
		if (soon_log_flush(SOON_S(10)) < 0)
			return -ETIMEDOUT;
	}
	*ret_core = micro_median(core, BURSTS);
	*ret_all = (cpu_time(CLOCK_PROCESS_CPUTIME_ID) - all) / (BURST * BURSTS);
	return 0;
}

static int run_record(void *unused)
{
	const soon_log_opts opts = { .path = "/dev/null", .ring_bytes = 1 << 20 };
	double core, all;
	int rc;

	(void)unused;
	micro_pin(1); /* where the log's thread is going to be */
	rc = soon_log_open(&opts);
	micro_pin(0);
	if (rc == 0)
		rc = log_bursts(&core, &all); /* to warm up */
	if (rc == 0)
		rc = log_bursts(&core, &all);
	if (rc == 0 && soon_log_lost() > 0)
		rc = -ENOBUFS;
	if (rc == 0) {
		micro_print("log_record", core, "ns");
		micro_print("log_line", all - core, "ns");
	}
	return rc;
}

static int log_nothing(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		soon_log_debug("off", SOON_F("number", i));
		micro_barrier();
	}
	return 0;
}

static int run_off(void *unused)
{
	(void)unused;
	micro_pin(0);
	return micro_measure_print(log_nothing, LEVELS, "log_off");
}

int main(int argc, char **argv)
{
	static const struct micro_bench benches[] = {
		{ "record", run_record, NULL },
		{ "off", run_off, NULL },
	};

	return micro_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
