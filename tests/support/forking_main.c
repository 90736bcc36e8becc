// SPDX-License-Identifier: Apache-2.0
/*
 * forking_main.c: runs Criterion's cases without Criterion's library, each in a fork of one
 * process.
 *
 * That library starts a program anew for each case. Under Valgrind most of the time went there,
 * 1.4 s of CPU until a case began, of which a fork takes nothing. Under ThreadSanitizer it does not
 * work at all. Cases are declared and judged as ever, by Criterion's headers; here is what these
 * call, and what is missing fails to link. A case may take as long as ctest gives the program:
 * .timeout is for where Criterion runs.
 *
 *	unit_core_timer [--json=FILE] [PATTERN]		cases by suite/name, as of fnmatch(3)
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77

struct outcome {
	unsigned passed, failed, skipped;
};

/* The section that Test() fills, by the linker's names for its two ends. */
extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];

static const struct criterion_test *current; /* in the process of a case */
static atomic_uint failures;                 /* of its assertions */

/* ---- what Criterion's headers call ---------------------------------------------------------- */

struct criterion_options criterion_options;

void criterion_internal_test_setup(void)
{
	if (current->data->init)
		current->data->init();
}

void criterion_internal_test_main(void (*fn)(void))
{
	fn();
}

void criterion_internal_test_teardown(void)
{
	if (current->data->fini)
		current->data->fini();
}

void criterion_send_assert(struct criterion_assert_stats *stats)
{
	if (stats->passed)
		return;
	(void)fprintf(
		stderr, "%s:%u: assertion failed: %s\n", stats->file, stats->line, stats->message);
	atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
}

/* Not by exit(): nothing was undone that its handlers would look for. */
void criterion_abort_test(void)
{
	(void)fflush(NULL);
	_exit(EXIT_FAILURE);
}

__attribute__((format(printf, 1, 2))) void criterion_skip_test(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	(void)fflush(NULL);
	_exit(EXIT_SKIPPED);
}

void criterion_continue_test(void)
{
}

void cri_asserts_passed_incr(void)
{
}

__attribute__((format(printf, 2, 3))) int cr_asprintf(char **ret, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(ret, fmt, args);
	va_end(args);
	if (n < 0)
		*ret = NULL;
	return n;
}

void cr_asprintf_free(char *text)
{
	free(text);
}

/* Who failed without a message of its own shows the expression, the first of `...`. */
char *cr_translate_assert_msg(int index, ...)
{
	va_list args;
	char *text;

	va_start(args, index);
	text = strdup(index == CRITERION_ASSERT_MSG_FAIL ? "" : va_arg(args, const char *));
	va_end(args);
	return text;
}

/* ---- what ThreadSanitizer calls -------------------------------------------------------------- */

/*
 * It takes a descriptor's number for a variable that opening and closing write. That the ring has
 * closed one it does not see, so who opens the next under that number seems to race with the first.
 */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race_top:accept\n"
	       "race_top:epoll_create\n"
	       "race_top:eventfd\n"
	       "race_top:fopen\n"
	       "race_top:open\n"
	       "race_top:pipe\n"
	       "race_top:socket\n";
}

/* ---- the runner ----------------------------------------------------------------------------- */

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "forking_main: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static _Noreturn void run_here(const struct criterion_test *test)
{
	/* What hangs goes with the runner that ctest kills. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	current = test;
	test->test();
	exit(failures ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Returns the status, as of wait(2). */
static int run_in_fork(const struct criterion_test *test)
{
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		run_here(test);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid");
	return status;
}

static bool is_skipped(int status, const struct criterion_test_extra_data *expected)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED &&
		expected->exit_code != EXIT_SKIPPED;
}

static bool is_as_expected(int status, const struct criterion_test_extra_data *expected)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == expected->signal;
	return expected->signal == 0 && WEXITSTATUS(status) == expected->exit_code;
}

static void run(const struct criterion_test *test, struct outcome *outcome)
{
	int status;

	if (test->data->kind_ != CR_TEST_NORMAL) {
		errno = ENOTSUP;
		die("parametrized tests");
	}
	if (test->data->disabled) {
		outcome->skipped++;
		return;
	}
	status = run_in_fork(test);
	if (is_skipped(status, test->data)) {
		outcome->skipped++;
		return;
	}
	if (is_as_expected(status, test->data)) {
		outcome->passed++;
		return;
	}
	outcome->failed++;
	(void)fprintf(stderr, "FAILED %s::%s: %s %d\n", test->category, test->name,
		WIFSIGNALED(status) ? "signal" : "exit status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static int by_name(const void *left, const void *right)
{
	const struct criterion_test *a = *(struct criterion_test *const *)left;
	const struct criterion_test *b = *(struct criterion_test *const *)right;
	int by_suite = strcmp(a->category, b->category);

	return by_suite ? by_suite : strcmp(a->name, b->name);
}

static bool is_meant(const struct criterion_test *test, const char *pattern)
{
	char name[256];

	(void)snprintf(name, sizeof name, "%s/%s", test->category, test->name);
	return !pattern || fnmatch(pattern, name, 0) == 0;
}

/* As Criterion does; tools/summary.py reads it. */
static void report_write(const char *path, const struct outcome *outcome)
{
	FILE *file = fopen(path, "we");

	if (!file ||
		fprintf(file, "{\"passed\": %u, \"failed\": %u, \"skipped\": %u}\n",
			outcome->passed, outcome->failed, outcome->skipped) < 0)
		die(path);
	if (fclose(file) != 0)
		die(path);
}

int main(int argc, char **argv)
{
	static const char json[] = "--json=";
	struct outcome outcome = { 0 };
	const char *report = NULL, *pattern = NULL;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], json, sizeof json - 1) == 0)
			report = argv[i] + sizeof json - 1;
		else
			pattern = argv[i];
	}
	qsort(__start_cr_tst, (size_t)(__stop_cr_tst - __start_cr_tst), sizeof *__start_cr_tst,
		by_name);
	for (struct criterion_test **test = __start_cr_tst; test < __stop_cr_tst; test++)
		if (is_meant(*test, pattern))
			run(*test, &outcome);
	if (report)
		report_write(report, &outcome);
	(void)fprintf(stderr, "%u passed, %u failed, %u skipped\n", outcome.passed, outcome.failed,
		outcome.skipped);
	return outcome.failed || !outcome.passed ? EXIT_FAILURE : EXIT_SUCCESS;
}
