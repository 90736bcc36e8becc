// SPDX-License-Identifier: Apache-2.0
/* bench_main.c: what the main function of every benchmark program calls. */
#include <soon/report.h>

#include "cases.h"
#include "measure.h"
#include "options.h"
#include "show.h"
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOTHING = 3,
};

/* A run of the program. */
struct session {
	struct options options;
	struct cases cases;
	struct result *result;
	FILE *out; /* where people look; NULL: quiet */
	bool has_failed;
};

/* The benchmark that is at work, and in which process; NULL: none. */
static const char *running;
static pid_t running_pid;

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	is_interrupted = 1;
}

/* A second SIGINT ends the process; of SIGTERM some send two, to the process and its group. */
static void catch_interrupts(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };

	(void)sigaction(SIGTERM, &action, NULL);
	action.sa_flags = (int)SA_RESETHAND;
	(void)sigaction(SIGINT, &action, NULL);
}

/* Each sample of a task is a run, which tells its back end: stderr gets what matters only. */
static int take_report(const soon_report *report, void *unused)
{
	(void)unused;
	return report->level == SOON_REPORT_INFO ? 0 : -EAGAIN;
}

static bool is_wanted(const struct options *options, const char *name)
{
	if (options->exact != NULL)
		return strcmp(name, options->exact) == 0;
	return !options->has_filter || regexec(&options->filter, name, 0, NULL, 0) == 0;
}

/* Keeps what the options ask for. */
static void select_cases(struct session *session)
{
	struct cases *cases = &session->cases;
	size_t kept = 0;

	for (size_t i = 0; i < cases->count; i++) {
		if (!is_wanted(&session->options, cases->list[i].name))
			continue;
		if (kept != i)
			cases->list[kept] = cases->list[i];
		if (session->options.is_pinned)
			cases->list[kept].cpus = &session->options.cpus;
		kept++;
	}
	cases->count = kept;
}

/* For watch.c, whose marks are all that is wanted. Ends here, whatever exit handlers would do. */
static _Noreturn void take_one_sample(struct session *session)
{
	struct soon_bench_case *bench_case = &session->cases.list[0];
	struct sample sample;

	bench_case->how = PROBE_MARKS;
	_exit(sample_take(bench_case, session->options.one_sample_turns, &sample) < 0 ? 1 : 0);
}

static int no_memory(void)
{
	(void)fputs("no memory\n", stderr);
	return EXIT_FAILED;
}

/* What was asked for and cannot be had, once, by name. */
static void show_missing(const struct session *session)
{
	const char *allocations = probe_allocations_missing();
	const char *instructions = watch_instructions_missing();
	const char *syscalls = watch_syscalls_missing();

	if (!session->options.has_counters)
		return;
	if (allocations != NULL)
		(void)fprintf(session->out, "note: no allocations: %s\n", allocations);
	if (syscalls != NULL)
		(void)fprintf(session->out, "note: no system_calls: %s\n", syscalls);
	if (instructions != NULL)
		(void)fprintf(session->out, "note: no instructions: %s\n", instructions);
}

/*
 * Writes what there is so far, marked as partial: a crash loses one benchmark and not all, and a
 * file that cannot be written is told before it was waited for.
 */
static int save_so_far(struct session *session, const char *next)
{
	struct result *result = session->result;
	const char *path = session->options.out;
	struct result_error error;
	struct stat status;
	int rc;

	if (path == NULL || strcmp(path, "-") == 0 ||
		(stat(path, &status) == 0 && !S_ISREG(status.st_mode)))
		return 0;
	result->is_partial = true;
	result->partial_reason = result_text(result, "it ended in '%s'", next);
	rc = result->partial_reason != NULL ? result_write(result, path, &error) : -ENOMEM;
	result->is_partial = false;
	result->partial_reason = "";
	return rc;
}

/* A benchmark that calls exit() was not measured; one may do so in a process that it forked. */
static void on_exit_inside(void)
{
	if (running == NULL || getpid() != running_pid)
		return;
	(void)fprintf(stderr, "FAILED: '%s' ended the program\n", running);
	(void)fflush(NULL);
	_exit(EXIT_FAILED);
}

static int measure_all(struct session *session)
{
	struct result *result = session->result;
	size_t width = 24;
	int rc = 0;

	for (size_t i = 0; i < session->cases.count; i++) {
		size_t length = strlen(session->cases.list[i].name);

		width = length > width ? length : width;
	}
	if (session->out != NULL) {
		show_environment(session->out, &result->environment);
		show_head(session->out, (int)width);
	}
	for (size_t i = 0; i < session->cases.count; i++) {
		rc = save_so_far(session, session->cases.list[i].name);
		if (rc < 0)
			break;
		running = session->cases.list[i].name;
		rc = measure_case(
			&session->cases.list[i], &session->options, &is_interrupted, result);
		if (rc < 0)
			break;
		if (session->cases.list[i].state == CASE_FAILED)
			session->has_failed = true;
		if (session->out != NULL) {
			show_entry(session->out, (int)width, result->entries[i]);
			(void)fflush(session->out);
		}
	}
	running = NULL;
	if (session->out != NULL) {
		show_fits(session->out, result);
		show_missing(session);
	}
	return rc;
}

/* What could be measured is kept, also when not all was. */
static int write_result(struct session *session, int rc)
{
	struct result_error error;

	if (rc == -EINTR) {
		session->result->is_partial = true;
		session->result->partial_reason = "interrupted";
		(void)fputs("interrupted: what was measured before is kept\n", stderr);
	}
	if (session->options.out != NULL &&
		result_write(session->result, session->options.out, &error) < 0) {
		(void)fprintf(stderr, "%s\n", error.text);
		return EXIT_NOTHING;
	}
	return rc < 0 || session->has_failed ? EXIT_FAILED : EXIT_DONE;
}

static int run(struct session *session, int argc, char **argv)
{
	const char *compiler = session->cases.list[0].def->compiler;
	bool is_taken = session->options.out != NULL && strcmp(session->options.out, "-") == 0;
	int rc;

	session->result = result_create(RESULT_BENCH);
	if (session->result == NULL)
		return no_memory();
	rc = result_environment_read(session->result, argc, argv);
	if (rc < 0)
		return no_memory();
	if (compiler != NULL)
		session->result->environment.compiler = compiler;
	session->result->name = session->options.name;
	session->out = session->options.is_quiet ? NULL : is_taken ? stderr : stdout;
	catch_interrupts();
	soon_on_report(take_report, NULL);
	running_pid = getpid();
	if (atexit(on_exit_inside) != 0)
		return no_memory();
	rc = measure_all(session);
	return rc == -ENOMEM ? no_memory() : write_result(session, rc);
}

static int list(const struct session *session)
{
	for (size_t i = 0; i < session->cases.count; i++)
		(void)printf("%s\n", session->cases.list[i].name);
	return EXIT_DONE;
}

/* What was printed has to have gone somewhere. */
static int end_output(int status)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return status;
	(void)fprintf(stderr, "standard output: %s\n", strerrordesc_np(errno));
	return status != EXIT_DONE ? status : EXIT_NOTHING;
}

int soon_bench_main(int argc, char **argv)
{
	static struct session session;
	int status = EXIT_USAGE;
	int rc;

	session = (struct session){ 0 };
	options_read(&session.options, argc, argv);
	rc = cases_make(session.options.threads, &session.cases);
	if (rc == 0)
		select_cases(&session);
	if (rc == -ENOMEM) {
		status = no_memory();
	} else if (rc < 0) {
		(void)fprintf(stderr, "%s: %s\n", argv[0], session.cases.message);
	} else if (session.cases.count == 0) {
		(void)fprintf(stderr, "%s: no benchmark matches; --list shows all\n", argv[0]);
		status = EXIT_NOTHING;
	} else if (session.options.is_list) {
		status = list(&session);
	} else if (session.options.one_sample_turns > 0) {
		take_one_sample(&session);
	} else {
		status = run(&session, argc, argv);
	}
	result_free(session.result);
	cases_free(&session.cases);
	options_fini(&session.options);
	return end_output(status);
}
