// SPDX-License-Identifier: Apache-2.0
/*
 * slow.c: a service with two faults that only show under load, and what debugging says of them;
 * see docs/guide/debugging-a-slow-service.md. What varies from run to run is printed as `..`.
 */
#include <soon/soon.h>

#include <ctype.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_bool is_told;

/* Prints a report without its numbers. */
static int print_report(const soon_report *report, void *unused)
{
	(void)unused;
	if (report->level == SOON_REPORT_INFO)
		return 0;
	for (const char *at = report->text; *at; at++) {
		bool is_number = strncmp(at, "+0x", 3) == 0 || strncmp(at, " fd ", 4) == 0;

		putchar(*at);
		if (!is_number)
			continue;
		(void)fputs(*at == '+' ? ".." : "fd ..", stdout);
		at += *at == '+' ? 2 : 3;
		while (isxdigit((unsigned char)at[1]))
			at++;
	}
	putchar('\n');
	if (strstr(report->text, "still does"))
		atomic_store(&is_told, true);
	return 0;
}

static unsigned crunch(unsigned sum) __attribute__((noinline));

/* Work for the processor, until somebody complains. */
static unsigned crunch(unsigned sum)
{
	while (!atomic_load(&is_told))
		sum = sum * 31 + 7;
	return sum;
}

static int import_rows(unsigned *ret_sum)
{
	*ret_sum = crunch(1); /* everybody else waits */
	return soon_yield();
}

static int read_settings(void *unused)
{
	int fd = soon_open("/dev/null", O_RDONLY, 0);

	(void)unused;
	return fd < 0 ? fd : 0; /* and never closed */
}

static int serve(void *unused)
{
	unsigned sum;
	SOON_GROUP(g);
	int rc = soon_spawn(&g, import_rows, &sum);

	(void)unused;
	if (rc == 0)
		rc = soon_spawn(&g, read_settings, NULL);
	return (int)soon_group_close(&g, rc);
}

int main(void)
{
	const soon_opts opts = { .debug = 1, .slow_step = SOON_MS(100) };

	soon_on_report(print_report, NULL);
	return soon_run_with(&opts, serve, NULL) < 0;
}
