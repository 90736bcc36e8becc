// SPDX-License-Identifier: Apache-2.0
/* notify_test.c: what the service manager is told, by a socket that plays its part. */
#include "net_kit.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

static char last_report[1024];
static atomic_uint reports;

static int report_keep(const soon_report *report, void *unused)
{
	(void)unused;
	(void)snprintf(last_report, sizeof last_report, "%s", report->text);
	atomic_fetch_add_explicit(&reports, 1, memory_order_release); /* pairs with the loads */
	return 0;
}

/* Binds a manager's socket and has the environment name it. `name` begins with '@' or is a path. */
static int manager_open(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	cr_assert_geq(fd, 0);
	memcpy(un.sun_path, name, len + 1);
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	cr_assert_eq(bind(fd, (struct sockaddr *)&un,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
		0);
	cr_assert_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static const char *unique_name(void)
{
	static char name[64];

	(void)snprintf(name, sizeof name, "@soon-test-notify-%d", getpid());
	return name;
}

/* The next message, or "" when there is none. */
static const char *heard(int fd)
{
	static char text[1024];
	ssize_t n = recv(fd, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

NET_TEST(notify, without_a_manager_nothing_happens)
{
	cr_assert_eq(unsetenv("NOTIFY_SOCKET"), 0);
	cr_expect_eq(soon_notify_ready(), 0);
	cr_expect_eq(soon_notify_reloading(), 0);
	cr_expect_eq(soon_notify_stopping(), 0);
	cr_expect_eq(soon_notify_status("%s", "fine"), 0);
	cr_expect_eq(soon_notify("X=1"), 0);
	cr_expect_eq(soon_notify_watchdog(), 0);
	cr_assert_eq(setenv("NOTIFY_SOCKET", "", 1), 0);
	cr_expect_eq(soon_notify_ready(), 0);
}

static void says_all(int manager)
{
	char long_text[2 * SOON_NOTIFY_STATUS_BYTES];
	unsigned long long usec = 0;

	cr_expect_eq(soon_notify_ready(), 1);
	cr_expect_str_eq(heard(manager), "READY=1");
	cr_expect_eq(soon_notify_stopping(), 1);
	cr_expect_str_eq(heard(manager), "STOPPING=1");
	cr_expect_eq(soon_notify_reloading(), 1);
	cr_expect_eq(sscanf(heard(manager), "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
	cr_expect_gt(usec, 0);
	cr_expect_eq(soon_notify_status("%d\nof %d", 1, 2), 1);
	cr_expect_str_eq(heard(manager), "STATUS=1 of 2", "one assignment");
	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	cr_expect_eq(soon_notify_status("%s", long_text), 1);
	cr_expect_eq(strlen(heard(manager)), strlen("STATUS=") + SOON_NOTIFY_STATUS_BYTES - 1);
	cr_expect_eq(soon_notify("MAINPID=1\nX=y"), 1);
	cr_expect_str_eq(heard(manager), "MAINPID=1\nX=y");
	cr_expect_eq(close(manager), 0);
}

NET_TEST(notify, abstract_names_and_paths_are_reached)
{
	char path[64];

	says_all(manager_open(unique_name()));
	(void)snprintf(path, sizeof path, "/tmp/soon-test-notify-%d.sock", getpid());
	says_all(manager_open(path));
	cr_expect_eq(unlink(path), 0);
}

NET_TEST(notify, also_a_cancelled_task_says_that_it_stops)
{
	int manager = manager_open(unique_name());

	SOON_SCOPE(s, .timeout = SOON_S(100));
	soon_scope_cancel(&s, "test");
	cr_expect_eq(soon_notify_stopping(), 1);
	cr_expect_eq(soon_scope_close(&s, -ECANCELED), 0);
	cr_expect_str_eq(heard(manager), "STOPPING=1");
	cr_expect_eq(close(manager), 0);
}

NET_TEST(notify, descriptors_go_along)
{
	int manager = manager_open(unique_name());
	char text[64];
	struct iovec iov = { text, sizeof text };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr header = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control };
	struct stat ours, theirs;
	int pair[2], got, none = 9999;

	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	cr_expect_eq(soon_notify_fds("FDSTORE=1\nFDNAME=x", &pair[0], 1), 1);
	cr_assert_gt(recvmsg(manager, &header, MSG_CMSG_CLOEXEC), 0);
	cr_assert_not_null(CMSG_FIRSTHDR(&header));
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof got);
	cr_assert_eq(fstat(pair[0], &ours), 0);
	cr_assert_eq(fstat(got, &theirs), 0);
	cr_expect_eq(ours.st_ino, theirs.st_ino);

	soon_on_report(report_keep, NULL);
	cr_assert_eq(close(got), 0);
	cr_expect_eq(soon_notify_fds("FDSTORE=1", &none, 1), -EBADF);
	cr_expect_eq(soon_notify_fds("FDSTORE=1", &none, SOON_NOTIFY_FDS_MAX + 1), -EINVAL);
	cr_expect_eq(close(pair[0]), 0);
	cr_expect_eq(close(pair[1]), 0);
	cr_expect_eq(close(manager), 0);
}

static int release_soon(int manager)
{
	cr_expect_eq(soon_yield(), 0);
	for (int i = 0; i < 4; i++)
		(void)heard(manager);
	return 0;
}

NET_TEST(notify, a_full_queue_is_waited_for)
{
	int manager = manager_open(unique_name());
	struct sockaddr_un un;
	socklen_t len = sizeof un;
	int filler = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	cr_assert_geq(filler, 0);
	cr_assert_eq(getsockname(manager, (struct sockaddr *)&un, &len), 0);
	while (sendto(filler, "x", 1, 0, (struct sockaddr *)&un, len) == 1)
		;
	cr_assert_eq(errno, EAGAIN);
	SOON_GROUP(g, .name = "manager");
	cr_assert_eq(soon_spawn(&g, release_soon, manager), 0);
	cr_expect_eq(soon_notify_ready(), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(close(filler), 0);
	cr_expect_eq(close(manager), 0);
}

NET_TEST(notify, failures_name_the_socket_and_the_cure)
{
	soon_on_report(report_keep, NULL);
	cr_assert_eq(setenv("NOTIFY_SOCKET", "/no/such/manager", 1), 0);
	cr_expect_eq(soon_notify_ready(), -ENOENT);
	cr_expect_not_null(strstr(last_report, "/no/such/manager"), "%s", last_report);
	cr_expect_not_null(strstr(last_report, "READY=1"), "%s", last_report);
	cr_expect_not_null(strstr(last_report, "container"), "%s", last_report);
	cr_assert_eq(setenv("NOTIFY_SOCKET", "vsock:2:1234", 1), 0);
	cr_expect_eq(soon_notify_ready(), -EAFNOSUPPORT);
	cr_expect_not_null(strstr(last_report, "vsock:2:1234"), "%s", last_report);
	cr_assert_eq(setenv("NOTIFY_SOCKET", "@soon-test-nobody", 1), 0);
	cr_expect_eq(soon_notify_ready(), -ECONNREFUSED);
	cr_assert_eq(setenv("WATCHDOG_USEC", "often", 1), 0);
	cr_expect_eq(soon_notify_watchdog(), -EINVAL);
	cr_expect_not_null(strstr(last_report, "often"), "%s", last_report);
}

NET_TEST(watchdog, is_not_for_another_process)
{
	cr_assert_eq(setenv("WATCHDOG_USEC", "1000", 1), 0);
	cr_assert_eq(setenv("WATCHDOG_PID", "1", 1), 0);
	cr_expect_eq(soon_notify_watchdog(), 0);
}

/* ---- with cores that get stuck ------------------------------------------------------------ */

static atomic_bool is_stuck, is_released;

/* Keeps its core from every other task. */
static int stick(void *unused)
{
	(void)unused;
	atomic_store_explicit(&is_stuck, true, memory_order_release); /* pairs with stuck_core */
	while (!atomic_load_explicit(&is_released, memory_order_acquire)) /* likewise */
		;
	return 0;
}

static void heard_pings(int manager, int count)
{
	while (count > 0) {
		const char *text = heard(manager);

		if (*text == '\0')
			cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
		else if (strcmp(text, "WATCHDOG=1") == 0)
			count--;
		else
			cr_assert_fail("heard \"%s\"", text);
	}
}

/* The messages that come within eight periods; the watch has its turns between the sleeps. */
static unsigned pings_in_eight_periods(int manager)
{
	unsigned pings = 0;

	for (int i = 0; i < 8; i++) {
		cr_assert_eq(soon_sleep(SOON_MS(10)), 0);
		while (strcmp(heard(manager), "WATCHDOG=1") == 0)
			pings++;
	}
	return pings;
}

/* A busy machine keeps a core from its turns, too: reports of that may come before and after. */
static int stuck_core(int manager)
{
	unsigned before, told;
	soon_core *other;
	soon_call call;

	soon_on_report(report_keep, NULL);
	cr_assert_eq(setenv("WATCHDOG_USEC", "20000", 1), 0);
	cr_assert_eq(unsetenv("WATCHDOG_PID"), 0);
	cr_assert_eq(soon_notify_watchdog(), 1);
	heard_pings(manager, 2);
	cr_assert_eq(soon_core_at(1, &other), 0);
	heard_pings(manager, 2);

	cr_assert_eq(soon_call_start(other, stick, NULL, &call), 0);
	while (!atomic_load_explicit(&is_stuck, memory_order_acquire)) /* pairs with stick */
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	before = atomic_load_explicit(&reports, memory_order_acquire); /* pairs with report_keep */
	while (*heard(manager) != '\0')
		;
	while (atomic_load_explicit(&reports, memory_order_acquire) == before) /* likewise */
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	cr_expect_not_null(strstr(last_report, "core 1"), "%s", last_report);
	/* One of each may have been on its way, for what was asked before the core got stuck. */
	cr_expect_leq(pings_in_eight_periods(manager), 1, "told while a core is stuck");
	told = atomic_load_explicit(&reports, memory_order_acquire) - before; /* likewise */
	cr_expect_leq(told, 2, "it is told once");
	/* By now the watch has come to wait for this core, and for nothing else. */
	cr_expect_eq(pings_in_eight_periods(manager), 0, "a keep-alive while a core is stuck");
	cr_expect_eq(atomic_load_explicit(&reports, memory_order_acquire) - before, told,
		"it is told again"); /* likewise */

	atomic_store_explicit(&is_released, true, memory_order_release); /* pairs with stick */
	cr_expect_eq(soon_call_wait(&call, SOON_NEVER), 0);
	heard_pings(manager, 2);
	cr_expect_eq(close(manager), 0);
	return 0;
}

SOON_TEST_PLAIN(watchdog, a_stuck_core_stops_the_keep_alive)
{
	soon_opts opts = { .cores = 2 };

	cr_expect_eq(soon_run_with(&opts, stuck_core, manager_open(unique_name())), 0);
	soon_test_reports_expected = (int)soon_report_errors();
}
