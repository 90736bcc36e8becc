// SPDX-License-Identifier: Apache-2.0
/* Logging as programs do it: levels, order, where lines go, what is lost. */
#include <soon/log.h>

#include "fake_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a sink got. */
struct got {
	char text[1 << 20];
	size_t len;
	unsigned count;
	soon_level last;
	int rc;
};

static struct got got;

static int take(const char *line, size_t len, soon_level level, void *data)
{
	struct got *to = data;

	cr_assert_lt(to->len + len, sizeof to->text);
	memcpy(to->text + to->len, line, len);
	to->len += len;
	to->text[to->len] = '\0';
	to->count++;
	to->last = level;
	return to->rc;
}

static void to_sink(soon_log_format format)
{
	const soon_log_opts opts = { .format = format, .sink = take, .data = &got };

	cr_assert_eq(soon_log_open(&opts), 0);
}

static void flush(void)
{
	cr_assert_eq(soon_log_flush(SOON_S(10)), 0);
}

static int says_hello(int number)
{
	soon_log_info("hello", SOON_F("number", number));
	return 0;
}

static int hello_main(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	cr_assert_eq(soon_sleep(SOON_MS(1500)), 0);
	soon_log_warn("begins");
	cr_assert_eq(soon_spawn(&g, says_hello, 1), 0);
	return (int)soon_group_close(&g, 0);
}

/* The clock of the run is injected, and so are the times of its lines. */
SOON_TEST_PLAIN(log, lines_of_a_run_are_a_function_of_the_run)
{
	to_sink(SOON_LOG_TEXT);
	cr_assert_eq(FAKE_RUN(NULL, hello_main, NULL), 0);
	/* The end of the run has waited for them. */
	cr_assert_str_eq(got.text,
		"1970-01-01T01:00:01.500000Z warn app: begins core=0 task=hello_main/1 "
		"at=log.c:64\n"
		"1970-01-01T01:00:01.500000Z info app: hello number=1 core=0 task=says_hello/2 "
		"at=log.c:54\n");
}

SOON_TEST_PLAIN(log, threads_without_a_core_may_log)
{
	char expected[64];

	to_sink(SOON_LOG_JSON);
	soon_log_error("by a thread", SOON_F("n", 1));
	flush();
	(void)snprintf(expected, sizeof expected, "\"fields\":{\"n\":1},\"thread\":%d,", gettid());
	cr_assert_not_null(strstr(got.text, expected), "%s", got.text);
	cr_assert_eq(got.last, SOON_LOG_ERROR);
}

static unsigned evaluated;

static int evaluate(void)
{
	evaluated++;
	return 1;
}

static void debug_line(void)
{
	soon_log_debug("debug", SOON_F("n", evaluate()));
}

#undef SOON_LOG_CATEGORY
#define SOON_LOG_CATEGORY "http"
static void http_debug_line(void)
{
	soon_log_debug("http debug");
}

static bool is_http_debug_on(void)
{
	return soon_log_is_on(SOON_LOG_DEBUG);
}
#undef SOON_LOG_CATEGORY
#define SOON_LOG_CATEGORY "app"

SOON_TEST_PLAIN(log, levels_of_categories)
{
	to_sink(SOON_LOG_TEXT);
	debug_line();
	http_debug_line();
	flush();
	cr_assert_eq(got.count, 0);
	cr_assert_eq(evaluated, 0);
	cr_assert_not(is_http_debug_on());

	cr_assert_eq(soon_log_level("http", SOON_LOG_DEBUG), 0);
	debug_line();
	http_debug_line();
	flush();
	cr_assert_eq(got.count, 1);
	cr_assert(is_http_debug_on());

	cr_assert_eq(soon_log_level(NULL, SOON_LOG_TRACE), 0);
	debug_line();
	cr_assert_eq(soon_log_level("http", SOON_LOG_OFF), 0);
	http_debug_line();
	flush();
	cr_assert_eq(got.count, 2);
	cr_assert_eq(evaluated, 1);
	cr_assert_not(is_http_debug_on());
}

SOON_TEST_PLAIN(log, levels_by_text)
{
	to_sink(SOON_LOG_TEXT);
	cr_assert_eq(soon_log_levels("warn, http=debug,"), 0);
	says_hello(1);
	http_debug_line();
	flush();
	cr_assert_eq(got.count, 1);
	cr_assert_eq(soon_log_levels("http=loud"), -EINVAL);
	cr_assert_eq(soon_log_levels("=info"), -EINVAL);
	cr_assert_eq(soon_log_levels("info,chatty"), -EINVAL);
	says_hello(1); /* the word before it holds */
	flush();
	cr_assert_eq(got.count, 2);
	cr_assert_eq(
		soon_log_level("a-name-of-more-than-31-characters", SOON_LOG_INFO), -ENAMETOOLONG);
}

SOON_TEST_PLAIN(log, the_environment_sets_levels_and_the_program_has_the_last_word)
{
	cr_assert_eq(setenv("SOON_LOG", "error,http=debug", 1), 0);
	cr_assert_eq(setenv("SOON_LOG_FORMAT", "json", 1), 0);
	to_sink(SOON_LOG_AUTO);
	says_hello(1);
	http_debug_line();
	flush();
	cr_assert_eq(got.count, 1);
	cr_assert_eq(got.text[0], '{');
	cr_assert_eq(soon_log_level("http", SOON_LOG_INFO), 0);
	http_debug_line();
	flush();
	cr_assert_eq(got.count, 1);
}

SOON_TEST_PLAIN(log, too_many_categories_share_the_default_level)
{
	char name[16];

	for (unsigned i = 0; i < SOON_LOG_CATEGORIES_MAX; i++) {
		(void)snprintf(name, sizeof name, "c%u", i);
		cr_assert_eq(soon_log_level(name, SOON_LOG_OFF), 0);
	}
	cr_assert_eq(soon_log_level("one more", SOON_LOG_OFF), -ENOSPC);
	to_sink(SOON_LOG_TEXT);
	says_hello(1);
	debug_line();
	cr_assert_eq(soon_log_level(NULL, SOON_LOG_DEBUG), 0);
	debug_line();
	flush();
	cr_assert_eq(got.count, 2);
}

SOON_TEST_PLAIN(log, formatted_messages_are_cut)
{
	char text[1000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	to_sink(SOON_LOG_TEXT);
	soon_logf(SOON_LOG_INFO, "%d of %s", 3, "four");
	soon_logf(SOON_LOG_INFO, "%s", text);
	flush();
	cr_assert_not_null(strstr(got.text, " app: 3 of four thread="));
	cr_assert_eq(strcspn(strstr(got.text, ": xxx") + 2, " "), SOON_LOG_TEXT_BYTES - 1);
}

/* A sink that waits until it is let go, like a pipe whose reader stopped. */
static sem_t let_go, is_inside;

static int take_slowly(const char *line, size_t len, soon_level level, void *data)
{
	if (strstr(line, "blocks")) {
		(void)sem_post(&is_inside);
		(void)sem_wait(&let_go);
	}
	return take(line, len, level, data);
}

SOON_TEST_PLAIN(log, a_full_ring_drops_and_says_how_many)
{
	const soon_log_opts opts = { .sink = take_slowly, .data = &got };
	static char filler[3000];
	unsigned long told = 0;
	uint64_t lost;
	const char *at;

	memset(filler, 'x', sizeof filler - 1);
	cr_assert_eq(sem_init(&let_go, 0, 0) | sem_init(&is_inside, 0, 0), 0);
	cr_assert_eq(soon_log_open(&opts), 0);
	soon_log_info("blocks");
	cr_assert_eq(sem_wait(&is_inside), 0);
	for (unsigned i = 0; i < 100000 && soon_log_lost() == 0; i++)
		soon_log_info("fills", SOON_F("text", filler));
	for (unsigned i = 0; i < 9; i++)
		soon_log_info("fills", SOON_F("text", filler));
	lost = soon_log_lost();
	cr_assert_geq(lost, 1);
	cr_assert_eq(soon_log_flush(SOON_MS(10)), -ETIMEDOUT);
	got.len = 0;
	cr_assert_eq(sem_post(&let_go), 0);
	cr_assert_eq(soon_log_open(NULL), 0); /* waits for the old place */
	at = strstr(got.text, "log records dropped, their ring was full count=");
	cr_assert_not_null(at);
	cr_assert_eq(sscanf(strstr(at, "count="), "count=%lu", &told), 1);
	cr_assert_eq(told, lost);
	cr_assert_eq(soon_log_lost(), lost);
}

static int flush_inside_rc;

static int take_and_flush(const char *line, size_t len, soon_level level, void *data)
{
	flush_inside_rc = soon_log_flush(SOON_S(10));
	return take(line, len, level, data);
}

SOON_TEST_PLAIN(log, flushing_in_the_sink_is_refused)
{
	const soon_log_opts opts = { .sink = take_and_flush, .data = &got };

	cr_assert_eq(soon_log_open(&opts), 0);
	says_hello(1);
	flush();
	cr_assert_eq(flush_inside_rc, -EDEADLK);
	cr_assert_eq(got.count, 1);
}

SOON_TEST_PLAIN(log, a_sink_that_refuses_is_told_of_it)
{
	to_sink(SOON_LOG_TEXT);
	got.rc = -ENOSPC;
	says_hello(1);
	says_hello(2);
	flush();
	cr_assert_eq(soon_log_lost(), 2);
	got.rc = 0;
	got.len = 0;
	says_hello(3);
	flush();
	cr_assert_not_null(strstr(
		got.text, "soon: log lines lost, they could not be written count=2 rc=-ENOSPC"));
	cr_assert_not_null(strstr(got.text, "number=3"));
}

/* ---- files ------------------------------------------------------------------------------- */

static char path[64], old_path[80];

static void to_path(void)
{
	const soon_log_opts opts = { .path = path };

	(void)snprintf(path, sizeof path, "/tmp/soon-log-%d", (int)getpid());
	(void)snprintf(old_path, sizeof old_path, "%s.1", path);
	cr_assert_eq(soon_log_open(&opts), 0);
}

static const char *content(const char *name)
{
	static char text[65536];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

	cr_assert_geq(n, 0);
	if (fd >= 0)
		(void)close(fd);
	text[n] = '\0';
	return text;
}

SOON_TEST_PLAIN(log, files_are_reopened_without_a_line_lost)
{
	to_path();
	says_hello(1);
	flush();
	cr_assert_eq(rename(path, old_path), 0);
	says_hello(2);
	flush(); /* still the old one */
	cr_assert_eq(soon_log_reopen(), 0);
	says_hello(3);
	flush();
	cr_assert_not_null(strstr(content(old_path), "number=1"));
	cr_assert_not_null(strstr(content(old_path), "number=2"));
	cr_assert_null(strstr(content(old_path), "number=3"));
	cr_assert_not_null(strstr(content(path), "number=3"));
	cr_assert_eq(soon_log_open(NULL), 0);
	cr_assert_eq(soon_log_reopen(), -EOPNOTSUPP);
	(void)unlink(path);
	(void)unlink(old_path);
}

SOON_TEST_PLAIN(log, a_file_that_cannot_be_reopened_is_gone_on_with)
{
	to_path();
	says_hello(1);
	flush();
	cr_assert_eq(rename(path, old_path), 0);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(soon_log_reopen(), 0);
	says_hello(2);
	flush();
	cr_assert_not_null(strstr(content(old_path),
		"soon: log file not reopened, going on with the old one rc=-EISDIR path="));
	cr_assert_not_null(strstr(content(old_path), "number=2"));
	cr_assert_eq(soon_log_open(NULL), 0);
	(void)rmdir(path);
	(void)unlink(old_path);
}

SOON_TEST_PLAIN(log, what_cannot_be_opened_changes_nothing)
{
	const soon_log_opts bad = { .path = "/nonexistent/log" };

	to_sink(SOON_LOG_TEXT);
	cr_assert_eq(soon_log_open(&bad), -ENOENT);
	says_hello(1);
	flush();
	cr_assert_eq(got.count, 1);
}

/* ---- context, reports, signals ----------------------------------------------------------- */

static const soon_local request = { .name = "request" };
static const soon_local user = { .name = "user" };

static int serve_request(uintptr_t id)
{
	cr_assert_eq(soon_local_set(&request, (void *)id), 0);
	cr_assert_eq(soon_local_set(&user, (void *)(uintptr_t) "joe"), 0);
	soon_log_info("served", SOON_F("bytes", 10));
	return 0;
}

static int context_main(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	soon_log_info("no context");
	cr_assert_eq(soon_spawn(&g, serve_request, (uintptr_t)77), 0);
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(log, values_of_the_task_are_added)
{
	to_sink(SOON_LOG_TEXT);
	cr_assert_eq(soon_log_context(&request, true), 0);
	cr_assert_eq(soon_log_context(&user, false), 0);
	cr_assert_eq(FAKE_RUN(NULL, context_main, NULL), 0);
	cr_assert_not_null(strstr(got.text, ": no context core=0"));
	cr_assert_not_null(strstr(got.text, ": served bytes=10 request=77 user=joe core=0"));
}

static int report_main(void *unused)
{
	(void)unused;
	soon_log_info("before");
	soon_report_file(SOON_REPORT_WARNING, -ENOMEM, "low on %s", "memory");
	soon_log_info("after");
	return 0;
}

SOON_TEST_PLAIN(log, reports_may_go_through_it)
{
	to_sink(SOON_LOG_TEXT);
	soon_on_report(soon_log_report, NULL);
	cr_assert_eq(FAKE_RUN(NULL, report_main, NULL), 0);
	cr_assert_eq(got.count, 3);
	cr_assert_not_null(strstr(got.text, "warn soon: low on memory rc=-ENOMEM core=0 task="));
	cr_assert(strstr(got.text, "before") < strstr(got.text, "low on memory"));
	cr_assert(strstr(got.text, "low on memory") < strstr(got.text, "after"));
}

static volatile sig_atomic_t signals_handled;

static void log_in_handler(int signo)
{
	soon_log_info("in a handler", SOON_F("signo", signo));
	signals_handled++;
}

static void *raise_often(void *thread)
{
	for (unsigned i = 0; i < 200; i++) {
		(void)pthread_kill(*(pthread_t *)thread, SIGUSR1);
		(void)sched_yield();
	}
	return NULL;
}

/* A handler that logs where the interrupted code logs. */
SOON_TEST_PLAIN(log, signal_handlers_may_log)
{
	pthread_t thread, self = pthread_self();
	unsigned logged = 0, seen = 0;

	to_sink(SOON_LOG_TEXT);
	says_hello(0);
	(void)signal(SIGUSR1, log_in_handler);
	cr_assert_eq(pthread_create(&thread, NULL, raise_often, &self), 0);
	for (unsigned i = 0; i < 400; i++, logged++) {
		says_hello(1);
		if (i % 50 == 0) {
			flush();
			got.len = 0;
		}
	}
	cr_assert_eq(pthread_join(thread, NULL), 0);
	flush();
	seen = got.count;
	cr_assert_eq(seen, 1 + logged + (unsigned)signals_handled);
	cr_assert_eq(soon_log_lost(), 0);
}
