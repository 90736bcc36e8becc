// SPDX-License-Identifier: Apache-2.0
/* Reads a file of "name number" lines on a pool thread: what a database client would do. */
#include "phone.h"

#include <stdio.h>
#include <string.h>

struct query {
	const char *name;
	char number[32];
};

static int find(struct query *query)
{
	FILE *file = fopen("directory.txt", "re");
	char name[64];
	int rc = -ENOENT;

	if (!file)
		return -errno;
	while (rc != 0 && fscanf(file, "%63s %31s", name, query->number) == 2)
		if (strcmp(name, query->name) == 0)
			rc = 0;
	(void)fclose(file);
	return rc;
}

int directory_find(const char *name, char *ret_number, size_t bytes)
{
	struct query query = { .name = name };
	int rc = soon_offload(find, &query);

	if (rc == 0)
		(void)snprintf(ret_number, bytes, "%s", query.number);
	return rc;
}
