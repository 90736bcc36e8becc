// SPDX-License-Identifier: Apache-2.0
/*
 * subprocesses.c: running programs, talking to them, ending them; and work in worker processes,
 * which this program becomes when it is told to. See docs/guide/subprocesses.md.
 */
#include <soon/soon.h>

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char *error(ssize_t rc)
{
	return rc < 0 ? strerrorname_np((int)-rc) : "none";
}

/* Runs a program to its end, and sorts what it is given. */
static int sort_lines(soon_slice lines)
{
	soon_proc_run_opts opts = { .input = lines };
	char how[SOON_PROC_STATUS_BYTES];
	soon_proc_result r;
	int rc = soon_proc_run(SOON_ARGV("sort", "-r"), &opts, &r);

	if (rc < 0)
		return rc;
	if (r.status.code == 0)
		printf("%s", r.out);
	else
		printf("sort: %s: %s", soon_proc_status_format(&r.status, how), r.err);
	soon_proc_result_fini(&r);
	return 0;
}

/* No longer than that; a program that does not end in time is ended. */
static ssize_t ask_in_time(const char *const *argv, soon_ns limit)
{
	soon_proc_result r;
	ssize_t rc = soon_within(limit, soon_proc_run(argv, NULL, &r));

	soon_proc_result_fini(&r);
	return rc;
}

/* Asks a program that goes on running: a line out, a line in. */
static int converse(void)
{
	static const soon_proc_opts opts = { .in = SOON_PROC_PIPE, .out = SOON_PROC_PIPE };
	char line[64];
	soon_proc *proc;
	ssize_t n;
	int rc = soon_proc_spawn(
		SOON_ARGV("sh", "-c", "while read a b; do echo $((a * b)); done"), &opts, &proc);

	if (rc < 0)
		return rc;
	SOON_PROC_OWN(proc); /* ended, reaped and closed on every way out */
	for (int i = 1; i <= 3; i++) {
		int len = snprintf(line, sizeof line, "%d %d\n", i, i + 10);

		n = soon_stream_write(soon_proc_in(proc), line, (size_t)len);
		if (n > 0)
			n = soon_stream_flush(
				soon_proc_in(proc)); /* it is another stream that we read */
		if (n == 0)
			n = soon_stream_read_until(soon_proc_out(proc), "\n", line, sizeof line);
		if (n <= 0)
			return n < 0 ? (int)n : -EPIPE;
		printf("product: %.*s", (int)n, line);
	}
	rc = soon_stream_shutdown(soon_proc_in(proc)); /* the end of its input */
	return rc < 0 ? rc : soon_proc_wait(proc, NULL);
}

/* ---- in a worker: plain C, no soon_* call ------------------------------------------------ */

static int shout(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
{
	const char *from = in;
	char *to = out;

	if (in_len > out_cap)
		return -EMSGSIZE;
	for (size_t i = 0; i < in_len; i++)
		to[i] = (char)toupper((unsigned char)from[i]);
	*ret_len = in_len;
	return 0;
}

/* A parser with a bug, or an input made for it. */
static int parse(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
{
	if (in_len > 3 && memcmp(in, "evil", 4) == 0)
		(void)raise(SIGKILL);
	return shout(in, in_len, out, out_cap, ret_len);
}

static const soon_procpool_entry table[] = { { "shout", shout }, { "parse", parse },
	{ NULL, NULL } };

/* ---- in the service ---------------------------------------------------------------------- */

static int parse_safely(soon_procpool *pool, const char *text)
{
	char out[64];
	size_t len = 0;
	int rc = (int)soon_within(SOON_S(5),
		soon_proc_offload(pool, "parse", text, strlen(text), out, sizeof out, &len));

	if (rc == 0)
		printf("parsed: %.*s\n", (int)len, out);
	else
		printf("%s: %s, %s\n", text, error(rc),
			strstr(soon_fail_message(), "killed") != NULL ? "killed" : "why?");
	return rc == -ECONNRESET ? 0 : rc;
}

static int use_workers(void)
{
	soon_procpool_opts opts = {
		.name = "parser", .workers_max = 2, .calls_max = 10000, .no_new_privs = true
	};
	soon_procpool *pool;
	int rc = soon_procpool_open(&opts, &pool);

	if (rc < 0)
		return rc;
	rc = parse_safely(pool, "good input");
	if (rc == 0)
		rc = parse_safely(pool, "evil input");
	if (rc == 0)
		rc = parse_safely(pool, "next input"); /* a new worker */
	soon_procpool_close(pool);
	return rc;
}

static int app(void *unused)
{
	static const char lines[] = "alpha\ncharlie\nbravo\n";
	int rc = sort_lines((soon_slice){ lines, sizeof lines - 1 });

	(void)unused;
	printf("too slow: %s\n", error(ask_in_time(SOON_ARGV("sleep", "1000"), SOON_MS(50))));
	printf("not there: %s\n", error(ask_in_time(SOON_ARGV("no-such-program"), SOON_S(5))));
	printf("because: %s\n", soon_fail_message());
	if (rc == 0)
		rc = converse();
	if (rc == 0)
		rc = use_workers();
	return rc;
}

int main(int argc, char **argv)
{
	soon_procpool_worker(argc, argv, table); /* first of all; in a worker it never returns */
	return soon_run(app, NULL) < 0;
}
