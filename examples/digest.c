// SPDX-License-Identifier: Apache-2.0
/*
 * digest.c: a service whose work blocks: each line is answered with a number that two slow
 * computations make from its halves, side by side, within a deadline. See docs/tutorial/2.
 */
#define _POSIX_C_SOURCE 200809L

#include <soon/soon.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

struct half {
	const char *text;
	size_t len;
	uint64_t sum;
};

/* Blocks, so it must not run on the core: it stands for a database or a compression library. */
static int slow_sum(struct half *half)
{
	struct timespec pause = { .tv_nsec = 50000000 };

	half->sum = 14695981039346656037u;
	for (size_t i = 0; i < half->len; i++)
		half->sum = (half->sum ^ (unsigned char)half->text[i]) * 1099511628211u;
	return nanosleep(&pause, NULL);
}

/* A task: waits for the thread that does the work, while the core serves others. */
static int sum_half(struct half *half)
{
	if (memchr(half->text, '\0', half->len))
		return soon_fail(-EBADMSG, "a line must not contain a NUL");
	return soon_offload(slow_sum, half);
}

/* Both halves at once; the first failure cancels the other, and is what we return. */
static int digest(const char *line, size_t len, uint64_t *ret_sum)
{
	struct half left = { .text = line, .len = len / 2 };
	struct half right = { .text = line + len / 2, .len = len - len / 2 };
	int rc;

	SOON_GROUP(g);
	rc = soon_spawn(&g, sum_half, &left);
	if (rc == 0)
		rc = soon_spawn(&g, sum_half, &right);
	rc = (int)soon_group_close(&g, rc);
	if (rc == 0)
		*ret_sum = left.sum ^ right.sum;
	return rc;
}

static ssize_t answer(soon_stream *conn, const char *line, size_t len)
{
	char reply[64];
	uint64_t sum = 0;
	int n;
	ssize_t rc = soon_within(SOON_MS(500), digest(line, len, &sum));

	if (rc == -ETIMEDOUT)
		return soon_stream_write(conn, "busy\n", 5);
	if (rc < 0)
		return rc;
	n = snprintf(reply, sizeof reply, "%016llx\n", (unsigned long long)sum);
	return soon_stream_write(conn, reply, (size_t)n);
}

/* One task for each connection. Only the wait for a new line may be cut short by a drain. */
static int serve(soon_stream *conn, void *unused)
{
	char line[256];
	ssize_t n = 0;

	(void)unused;
	do {
		SOON_IDLE {
			n = soon_within(
				SOON_S(30), soon_stream_read_until(conn, "\n", line, sizeof line));
		}
	} while (n > 0 && (n = answer(conn, line, (size_t)n - 1)) > 0);
	return (int)n;
}

static int app(const char *where)
{
	soon_service service = { .handle = serve, .name = "digest" };
	SOON_GROUP(g);
	int rc = soon_listen(where, NULL, &service.listener);

	if (rc == 0 && (rc = soon_spawn(&g, soon_serve, &service)) == 0 &&
		(rc = soon_signal_wait(SIGTERM, SIGINT, 0)) > 0)
		soon_group_drain(&g, SOON_S(10));
	rc = (int)soon_group_close(&g, rc < 0 ? rc : 0);
	soon_listener_close(service.listener);
	return rc;
}

int main(int argc, char **argv)
{
	return soon_run(app, argc > 1 ? argv[1] : "127.0.0.1:7001") < 0;
}
