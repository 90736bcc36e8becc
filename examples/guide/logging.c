// SPDX-License-Identifier: Apache-2.0
/*
 * logging.c: log lines of tasks; see docs/guide/logging.md.
 */
#define SOON_LOG_CATEGORY "guide"
#include <soon/soon.h>

#include <stdio.h>
#include <string.h>

/* The number of the request, with each line that its task writes. */
static const soon_local request_id = { .name = "request" };

static int store(const char *key, size_t bytes)
{
	soon_log_debug("storing", SOON_F("key", key), SOON_F("bytes", bytes));
	return bytes > 1000 ? -ENOSPC : 0;
}

static int serve(uintptr_t id)
{
	const char *key = id == 1 ? "plain" : "with a\nline break";
	int rc = soon_local_set(&request_id, (void *)id);

	if (rc == 0)
		rc = store(key, 900 * id);
	if (rc < 0)
		soon_log_warn("cannot store", SOON_F("key", key), SOON_F_ERR("rc", rc));
	else
		soon_log_info("stored", SOON_F("key", key), SOON_F_NS("took", SOON_US(1500)));
	return 0;
}

static int app(void *unused)
{
	int rc = 0;
	SOON_GROUP(g);

	(void)unused;
	for (uintptr_t id = 1; id <= 2 && rc == 0; id++)
		rc = soon_spawn(&g, serve, id);
	return (int)soon_group_close(&g, rc);
}

/* A sink of one's own: called on the log's thread, so it may block. Here it leaves the time out. */
static int print_line(const char *line, size_t len, soon_level level, void *unused)
{
	const char *rest = memchr(line, ' ', len);

	(void)level, (void)unused;
	return printf("%.*s", (int)(line + len - rest - 1), rest + 1) < 0 ? -EIO : 0;
}

int main(void)
{
	const soon_log_opts opts = { .sink = print_line };
	int rc = soon_log_open(&opts);

	if (rc == 0)
		rc = soon_log_context(&request_id, true);
	if (rc == 0)
		rc = soon_log_levels("info,guide=debug");
	if (rc == 0)
		rc = soon_run(app, NULL);
	soon_logf(SOON_LOG_INFO, "%s: %d records lost", rc < 0 ? strerror(-rc) : "fine",
		(int)soon_log_lost());
	return rc < 0;
}
