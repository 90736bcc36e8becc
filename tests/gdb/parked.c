// SPDX-License-Identifier: Apache-2.0
/* Two tasks that wait in functions with names to look for; driven by backtrace.sh. */
#include <soon/group.h>

static __attribute__((noinline)) int wait_in_here(void)
{
	int rc = soon_sleep(SOON_MS(1));

	return rc < 0 ? rc : 0;
}

static int wait_in_task(void *unused)
{
	int rc = 0;

	(void)unused;
	for (int i = 0; i < 50 && rc == 0; i++)
		rc = wait_in_here();
	return rc;
}

static int spawn_two(void *unused)
{
	int rc;
	SOON_GROUP(g);

	(void)unused;
	rc = soon_spawn(&g, wait_in_task, NULL);
	if (rc == 0)
		rc = soon_spawn(&g, wait_in_task, NULL);
	return (int)soon_group_close(&g, rc);
}

int main(void)
{
	return soon_run(spawn_two, NULL) < 0;
}
