// SPDX-License-Identifier: Apache-2.0
/* The program of somebody who has only what was installed. */
#include <soon/soon.h>

#include <stdio.h>

static int child(int *sum)
{
	*sum += 41;
	return 0;
}

static int app(int *sum)
{
	SOON_GROUP(group);
	int rc = soon_spawn(&group, child, sum);
	*sum += 1;
	return (int)soon_group_close(&group, rc);
}

int main(void)
{
	int sum = 0;
	int rc = soon_run(app, &sum);

	if (rc != 0 || sum != 42) {
		fprintf(stderr, "stranger: rc %d, sum %d\n", rc, sum);
		return 1;
	}
	return 0;
}
