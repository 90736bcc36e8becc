// SPDX-License-Identifier: Apache-2.0
#include "phone.h"

#include <stdio.h>
#include <string.h>

/* The answer to one name; the directory has two seconds. */
static int answer(struct phone *phone, const char *name, char *ret_line, size_t bytes)
{
	char number[32];
	const char *text = number;
	int rc = (int)soon_within(SOON_S(2), directory_find(name, number, sizeof number));

	if (rc < 0 && rc != -ETIMEDOUT && rc != -ENOENT)
		return rc;
	if (rc == -ETIMEDOUT) {
		phone->busy++;
		text = "busy";
	} else {
		phone->answered++;
		if (rc == -ENOENT)
			text = "unknown";
	}
	return snprintf(ret_line, bytes, "%s\n", text);
}

int phone_serve(struct call *call)
{
	soon_stream *conn = call->conn;
	SOON_STREAM_OWN(conn);
	char name[64], line[64];
	ssize_t n;

	for (;;) {
		n = soon_within(
			SOON_S(30), soon_stream_read_until(conn, "\n", name, sizeof name - 1));
		if (n <= 0)
			return n == -ETIMEDOUT ? 0 : (int)n;
		name[n - 1] = '\0';
		n = answer(call->phone, name, line, sizeof line);
		if (n > 0)
			n = soon_stream_write(conn, line, (size_t)n);
		if (n < 0)
			return (int)n;
	}
}
