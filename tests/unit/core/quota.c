// SPDX-License-Identifier: Apache-2.0
/* quota.c: what the control groups of a made-up root let a process have. */
#include "quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <support/harness.h>
#include <sys/stat.h>

static char root[64];

static void put_file(const char *path, const char *text)
{
	char full[256], *slash;
	FILE *file;

	(void)snprintf(full, sizeof full, "%s/%s", root, path);
	for (slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(full, 0700);
		*slash = '/';
	}
	file = fopen(full, "w");
	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

static void begin_root(void)
{
	(void)snprintf(root, sizeof root, "/tmp/soon-cpus-XXXXXX");
	cr_assert_not_null(mkdtemp(root));
}

static void end_root(void)
{
	char command[128];

	(void)snprintf(command, sizeof command, "rm -r %s", root);
	cr_assert_eq(system(command), 0);
}

SOON_TEST_PLAIN(quota, a_quota_of_v2_is_rounded_up_and_the_tightest_counts)
{
	begin_root();
	cr_assert_eq(soon__quota_cpus(root), 0);
	put_file("proc/self/cgroup", "0::/app/web\n");
	cr_assert_eq(soon__quota_cpus(root), 0);
	put_file("sys/fs/cgroup/app/web/cpu.max", "max 100000\n");
	cr_assert_eq(soon__quota_cpus(root), 0);
	put_file("sys/fs/cgroup/app/web/cpu.max", "350000 100000\n");
	cr_assert_eq(soon__quota_cpus(root), 4);
	put_file("sys/fs/cgroup/app/cpu.max", "150000 100000\n");
	cr_assert_eq(soon__quota_cpus(root), 2);
	put_file("sys/fs/cgroup/cpu.max", "1000 100000\n");
	cr_assert_eq(soon__quota_cpus(root), 1);
	end_root();
}

SOON_TEST_PLAIN(quota, a_quota_of_v1_is_found_by_its_controller)
{
	begin_root();
	put_file("proc/self/cgroup",
		"9:cpuset:/a\n4:cpu,cpuacct:/docker/1f\n1:name=systemd:/x\n0::/\n");
	put_file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
	put_file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	cr_assert_eq(soon__quota_cpus(root), 0);
	/* The folder of the host, which a container does not see: its own is the top. */
	put_file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n");
	cr_assert_eq(soon__quota_cpus(root), 3);
	put_file("sys/fs/cgroup/cpu/docker/1f/cpu.cfs_quota_us", "200000\n");
	put_file("sys/fs/cgroup/cpu/docker/1f/cpu.cfs_period_us", "100000\n");
	cr_assert_eq(soon__quota_cpus(root), 2);
	end_root();
}

SOON_TEST_PLAIN(quota, nonsense_is_no_limit)
{
	static const char *const lines[] = { "", "x", "0::", "1:cpu", "0::/../..\n", "::\n" };

	begin_root();
	put_file("sys/fs/cgroup/cpu.max", "ten 0\n");
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		put_file("proc/self/cgroup", lines[i]);
		cr_assert_eq(soon__quota_cpus(root), 0);
	}
	put_file("proc/self/cgroup", "0::/\n");
	put_file("sys/fs/cgroup/cpu.max", "-5 100000\n");
	cr_assert_eq(soon__quota_cpus(root), 0);
	put_file("sys/fs/cgroup/cpu.max", "100000 0\n");
	cr_assert_eq(soon__quota_cpus(root), 0);
	end_root();
}
