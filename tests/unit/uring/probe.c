// SPDX-License-Identifier: Apache-2.0
/* Refusals: every errno that a sandbox or a shortage gives arrives, with words that help. */
#include <soon/mem.h>

#include "kit.h"
#include "ring.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* From here on io_uring_setup(2) fails with `err`, as under a container's profile. */
static void refuse_setup(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static int nothing(void *unused)
{
	(void)unused;
	return 0;
}

static void check_refusal(int err, const char *words)
{
	struct kit_reports reports;
	unsigned before = kit_fd_count();

	kit_reports_keep(&reports);
	refuse_setup(err);
	cr_assert_eq(soon_run_with(&(soon_opts){ .io = SOON_IO_URING }, nothing, NULL), -err);
	cr_assert_eq(reports.count, 1);
	cr_assert_eq(reports.rc, -err);
	cr_assert_not_null(strstr(reports.text, words), "said: %s", reports.text);
	cr_assert_eq(kit_fd_count(), before);
}

SOON_TEST_PLAIN(probe, eperm_names_sysctl_and_seccomp)
{
	check_refusal(EPERM, "kernel.io_uring_disabled");
}

SOON_TEST_PLAIN(probe, enosys_names_the_sandbox)
{
	check_refusal(ENOSYS, "seccomp");
}

SOON_TEST_PLAIN(probe, eacces_names_the_security_module)
{
	check_refusal(EACCES, "security module");
}

SOON_TEST_PLAIN(probe, eopnotsupp_names_the_platform)
{
	check_refusal(EOPNOTSUPP, "platform");
}

SOON_TEST_PLAIN(probe, enomem_names_the_limit)
{
	check_refusal(ENOMEM, "RLIMIT_MEMLOCK");
}

SOON_TEST_PLAIN(probe, enfile_names_the_limits)
{
	check_refusal(ENFILE, "fs.file-max");
}

SOON_TEST_PLAIN(probe, einval_on_every_rung_is_told)
{
	check_refusal(EINVAL, "cannot be set up");
}

SOON_TEST_PLAIN(probe, real_shortage_of_descriptors)
{
	struct kit_reports reports;
	struct rlimit limit;
	int lowest = dup(0);

	(void)close(lowest);
	kit_reports_keep(&reports);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	/* Each step of the set-up runs out in turn, until all have what they need. */
	for (rlim_t extra = 0; extra < 10; extra++) {
		struct rlimit now = { (rlim_t)lowest + extra, limit.rlim_max };
		int rc;

		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
		rc = soon_run(nothing, NULL);
		cr_assert(rc == -EMFILE || rc == 0, "%d with %ju left", rc, (uintmax_t)extra);
		if (extra == 0) {
			cr_assert_eq(rc, -EMFILE);
			cr_assert_not_null(strstr(reports.text, "RLIMIT_NOFILE"));
		}
	}
	cr_assert_eq(soon_run(nothing, NULL), 0);
	soon_test_reports_expected = soon_report_errors();
}

SOON_TEST_PLAIN(probe, no_memory_at_any_step)
{
	struct kit_reports reports;
	int rc = -ENOMEM;
	unsigned k;

	kit_reports_keep(&reports);
	cr_assert_eq(soon_run(nothing, NULL), 0); /* what the process finds out once is known */
	for (k = 1; rc != 0 && k < 1000; k++) {
		soon_mem_fail_at(k);
		rc = soon_run(nothing, NULL);
		cr_assert(rc == -ENOMEM || rc == 0, "%d at allocation %u", rc, k);
	}
	soon_mem_fail_at(0);
	cr_assert_eq(rc, 0);
	cr_assert_gt(k, 2, "nothing was allocated");
	soon_test_reports_expected = soon_report_errors();
}

/* Returns which back end the run has. */
static int backend(const char **ret_why)
{
	return (int)soon_io_backend(ret_why);
}

static int backend_of(soon_io io)
{
	return soon_run_with(&(soon_opts){ .io = io }, backend, NULL);
}

SOON_TEST_PLAIN(probe, choice_of_the_back_end)
{
	struct kit_reports reports;
	const char *why;

	kit_reports_keep(&reports);
	cr_assert_eq(unsetenv("SOON_IO"), 0);
	cr_assert_eq(soon_io_backend(&why), SOON_IO_AUTO);
	cr_assert_eq(backend_of(SOON_IO_AUTO), SOON_IO_URING);
	cr_assert_eq(backend_of(SOON_IO_URING), SOON_IO_URING);
	cr_assert_eq(backend_of(SOON_IO_EPOLL), SOON_IO_EPOLL);
	cr_assert_eq(setenv("SOON_IO", "epoll", 1), 0);
	cr_assert_eq(soon_run(backend, &why), SOON_IO_EPOLL);
	cr_assert_not_null(strstr(why, "SOON_IO"));
	cr_assert_eq(backend_of(SOON_IO_URING), SOON_IO_URING);
	cr_assert_eq(setenv("SOON_IO", "uring", 1), 0);
	cr_assert_eq(soon_run(backend, &why), SOON_IO_URING);
	cr_assert_eq(setenv("SOON_IO", "auto", 1), 0);
	cr_assert_eq(soon_run(backend, &why), SOON_IO_URING);
	cr_assert_eq(setenv("SOON_IO", "", 1), 0);
	cr_assert_eq(soon_run(backend, &why), SOON_IO_URING);
	cr_assert_eq(reports.count, 0);
	cr_assert_eq(setenv("SOON_IO", "kqueue", 1), 0);
	cr_assert_eq(soon_run(nothing, NULL), -EINVAL);
	cr_assert_not_null(strstr(reports.text, "'kqueue'"));
	soon_test_reports_expected = soon_report_errors();
}

/* A refusal is no failure and no warning: another back end stands in, for all runs to come. */
static void check_stand_in(int err, const char *name)
{
	struct kit_reports reports;
	const char *why;
	unsigned before = kit_fd_count();

	cr_assert_eq(unsetenv("SOON_IO"), 0);
	kit_reports_keep(&reports);
	refuse_setup(err);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_run(backend, &why), SOON_IO_EPOLL);
		cr_assert_not_null(strstr(why, name), "why: %s", why);
	}
	cr_assert_eq(reports.count, 0, "%s", reports.text);
	cr_assert_eq(kit_fd_count(), before);
}

SOON_TEST_PLAIN(probe, epoll_stands_in_for_eperm)
{
	check_stand_in(EPERM, "EPERM");
}

SOON_TEST_PLAIN(probe, epoll_stands_in_for_enosys)
{
	check_stand_in(ENOSYS, "ENOSYS");
}

SOON_TEST_PLAIN(probe, epoll_stands_in_for_eacces)
{
	check_stand_in(EACCES, "EACCES");
}

SOON_TEST_PLAIN(probe, epoll_stands_in_for_eopnotsupp)
{
	check_stand_in(EOPNOTSUPP, "EOPNOTSUPP");
}

SOON_TEST_PLAIN(probe, epoll_stands_in_for_an_old_kernel)
{
	check_stand_in(EINVAL, "too old");
}

static void check_shortage(int err)
{
	cr_assert_eq(unsetenv("SOON_IO"), 0);
	refuse_setup(err);
	cr_assert_eq(soon_run(nothing, NULL), -err);
	cr_assert_eq(soon_run(nothing, NULL), -err);
	soon_test_reports_expected = soon_report_errors();
}

SOON_TEST_PLAIN(probe, shortage_of_memory_is_no_refusal)
{
	check_shortage(ENOMEM);
}

SOON_TEST_PLAIN(probe, shortage_of_descriptors_is_no_refusal)
{
	check_shortage(EMFILE);
}

static void *run_in_thread(void *ret_rc)
{
	*(int *)ret_rc = backend_of(SOON_IO_AUTO);
	return NULL;
}

/* A sandbox that closes after the first run does not change what the process has found out. */
SOON_TEST_PLAIN(probe, decided_once_per_process)
{
	pthread_t thread;
	int rc = 0;

	cr_assert_eq(unsetenv("SOON_IO"), 0);
	cr_assert_eq(backend_of(SOON_IO_AUTO), SOON_IO_URING);
	refuse_setup(EPERM);
	cr_assert_eq(pthread_create(&thread, NULL, run_in_thread, &rc), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(rc, -EPERM);
	soon_test_reports_expected = soon_report_errors();
}
