// SPDX-License-Identifier: Apache-2.0
/* proc_run_test.c: programs from start to end, and that nobody hears of their arguments. */
#include "net_kit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#define SECRET "hunter2-the-secret"

static char reports[8192];

static int report_keep(const soon_report *report, void *unused)
{
	size_t len = strlen(reports);

	(void)unused;
	(void)snprintf(reports + len, sizeof reports - len, "%s\n", report->text);
	return 0;
}

static bool has_no_child(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static soon_proc_result run_sh(const char *script, const soon_proc_run_opts *opts)
{
	soon_proc_result r;
	int rc = (int)soon_within(
		SOON_S(20), soon_proc_run(SOON_ARGV("/bin/sh", "-c", script), opts, &r));

	cr_assert_eq(rc, 0, "%d: %s", rc, soon_fail_message());
	cr_expect(has_no_child());
	return r;
}

NET_TEST(proc_run, collects_both_outputs_and_the_status)
{
	soon_proc_result r = run_sh("echo out; echo err >&2; exit 3", NULL);

	cr_expect_str_eq(r.out, "out\n");
	cr_expect_str_eq(r.err, "err\n");
	cr_expect_eq(r.out_len, 4);
	cr_expect_eq(r.status.code, 3);
	soon_proc_result_fini(&r);
	r = run_sh("kill -9 $$", NULL);
	cr_expect_str_eq(r.out, "");
	cr_expect_eq(r.status.signal, SIGKILL);
	soon_proc_result_fini(&r);
	soon_proc_result_fini(&r);
}

/* More than the pipes hold, both ways at once. */
NET_TEST(proc_run, feeds_while_it_collects)
{
	static char bytes[2000000];
	soon_proc_run_opts opts = { .input = { bytes, sizeof bytes }, .out_max = sizeof bytes };
	soon_proc_result r;

	pattern_fill(bytes, sizeof bytes, 0);
	cr_assert_eq(soon_proc_run(SOON_ARGV("cat"), &opts, &r), 0);
	cr_expect_eq(r.out_len, sizeof bytes);
	cr_expect(pattern_is(r.out, r.out_len, 0));
	soon_proc_result_fini(&r);
}

NET_TEST(proc_run, program_need_not_read_its_input)
{
	static char bytes[2000000];
	soon_proc_run_opts opts = { .input = { bytes, sizeof bytes } };
	soon_proc_result r = run_sh("exit 0", &opts);

	cr_expect_eq(r.status.code, 0);
	soon_proc_result_fini(&r);
	r = run_sh("head -c 3; exec <&-; echo on", &opts);
	cr_expect_eq(r.out_len, 6);
	soon_proc_result_fini(&r);
}

NET_TEST(proc_run, what_it_leaves_running_is_not_waited_for)
{
	soon_proc_result r = run_sh("sleep 100 & echo $!", NULL);
	pid_t left = (pid_t)atoi(r.out);

	cr_expect_gt(left, 1);
	cr_expect_eq(kill(left, SIGKILL), 0);
	soon_proc_result_fini(&r);
}

NET_TEST(proc_run, output_has_a_bound)
{
	soon_proc_run_opts opts = { .out_max = 100000 };
	soon_proc_result r;

	cr_expect_eq(soon_proc_run(SOON_ARGV("yes", SECRET), &opts, &r), -EMSGSIZE);
	cr_expect_str_eq(soon_fail_message(), "yes wrote more than 100000 bytes");
	cr_expect_null(r.out);
	soon_proc_result_fini(&r);
	opts.out_max = 4;
	r = run_sh("printf 1234", &opts);
	cr_expect_str_eq(r.out, "1234");
	soon_proc_result_fini(&r);
	cr_expect(has_no_child());
}

NET_TEST(proc_run, cancel_terminates_before_it_returns)
{
	soon_proc_run_opts opts = { .spawn = { .grace = SOON_MS(20), .new_group = true } };
	soon_proc_result r;

	cr_expect_eq(soon_within(SOON_MS(20), soon_proc_run(SOON_ARGV("sleep", "100"), NULL, &r)),
		-ETIMEDOUT);
	cr_expect(has_no_child());
	/* One that does not want to, and neither does its child. */
	soon_on_report(report_keep, NULL);
	cr_expect_eq(
		soon_within(SOON_MS(100),
			soon_proc_run(SOON_ARGV("sh", "-c",
					      "trap '' TERM; while :; do sleep 9; done", SECRET),
				&opts, &r)),
		-ETIMEDOUT);
	soon_on_report(NULL, NULL);
	cr_expect_not_null(strstr(reports, "SIGKILL"), "%s", reports);
	cr_expect_null(strstr(reports, SECRET));
	cr_expect(has_no_child());
}

NET_TEST(proc_run, each_allocation_may_fail)
{
	static char bytes[20000];
	soon_proc_run_opts opts = { .input = { bytes, sizeof bytes } };
	int rc = -ENOMEM;

	memset(bytes, 'x', sizeof bytes);
	for (uint64_t k = 1; rc == -ENOMEM && k < 100; k++) {
		soon_proc_result r;

		soon_mem_fail_at(k);
		rc = soon_proc_run(SOON_ARGV("cat"), &opts, &r);
		soon_mem_fail_at(0);
		cr_expect(rc == 0 ? r.out_len == sizeof bytes && k > 8 : r.out == NULL, "%d, %zu",
			rc, r.out_len);
		soon_proc_result_fini(&r);
		cr_assert(has_no_child());
	}
	cr_expect_eq(rc, 0);
}

static int run_secret(const char *script)
{
	soon_proc_result r;

	return soon_proc_run(SOON_ARGV("sh", "-c", script, SECRET), NULL, &r);
}

/* What all tasks do, as a dump shows it, while programs with a secret run. */
NET_TEST(proc_run, dumps_show_no_argument)
{
	char text[20000];
	int file = fileno(tmpfile());
	ssize_t n;
	SOON_GROUP(g);

	cr_assert_geq(file, 0);
	cr_assert_eq(soon_spawn(&g, run_secret, "sleep 100"), 0);
	cr_assert_eq(soon_sleep(SOON_MS(20)), 0);
	cr_assert_eq(soon_dump(file, 0), 0);
	n = pread(file, text, sizeof text - 1, 0);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_expect_not_null(strstr(text, "run_secret"));
	cr_expect_null(strstr(text, SECRET));
	cr_expect_null(strstr(text, "sleep 100"));
	(void)close(file);
	soon_group_cancel(&g, "test");
	cr_expect_eq(soon_group_close(&g, 0), 0);
	cr_expect(has_no_child());
}
