// SPDX-License-Identifier: Apache-2.0
/* What the kernel does when io_uring is tried, and what a service would get. */
#include "soonctl.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child tells. */
struct answer {
	int setup_rc;
	int rc;
	uint64_t found;
};

static int drop_report(const soon_report *report, void *data)
{
	(void)report;
	(void)data;
	return 0;
}

static int keep_report(const soon_report *report, void *data)
{
	struct trial *trial = data;

	if (trial->reports < REPORTS_MAX)
		(void)snprintf(trial->report[trial->reports++], SOON_REPORT_TEXT_BYTES, "%s",
			report->text);
	return 0;
}

/* The bare call, as a container's filter or the sysctl answers it. */
static int set_up(void)
{
	struct io_uring_params params = { 0 };
	long fd = syscall(SYS_io_uring_setup, 4, &params);

	if (fd < 0)
		return -errno;
	(void)close((int)fd);
	return 0;
}

static void ask_in_child(int fd)
{
	struct answer answer = { 0 };

	soon_on_report(drop_report, NULL);
	answer.setup_rc = set_up();
	answer.rc = answer.setup_rc == 0 ? soon_io_features(&answer.found) : answer.setup_rc;
	_exit(write(fd, &answer, sizeof answer) == (ssize_t)sizeof answer ? 0 : 1);
}

/* Without a child there is no answer: a shortage, which is told as io_uring's. */
static int ask(struct answer *ret_answer, int *ret_status)
{
	int pipes[2];
	pid_t child;
	ssize_t n;
	int rc = 0;

	if (pipe(pipes) != 0)
		return -errno;
	child = fork();
	if (child < 0)
		rc = -errno;
	if (child == 0) {
		(void)close(pipes[0]);
		ask_in_child(pipes[1]);
	}
	(void)close(pipes[1]);
	n = rc == 0 ? read(pipes[0], ret_answer, sizeof *ret_answer) : 0;
	(void)close(pipes[0]);
	while (rc == 0 && waitpid(child, ret_status, 0) < 0)
		if (errno != EINTR)
			rc = -errno;
	if (rc == 0 && WIFEXITED(*ret_status) && n != (ssize_t)sizeof *ret_answer)
		rc = -EIO;
	return rc;
}

static int look(struct trial *trial)
{
	trial->backend = soon_io_backend(&trial->why);
	trial->cores = soon_core_count();
	return 0;
}

/* A run would die of the same call that the child died of, unless it is told not to make it. */
static bool is_deadly(const struct trial *trial)
{
	const char *text = getenv("SOON_IO");

	return trial->killed_by != 0 && (text == NULL || strcmp(text, "epoll") != 0);
}

void trial_run(struct trial *ret_trial)
{
	struct answer answer = { 0 };
	int status = 0;
	int rc = ask(&answer, &status);

	*ret_trial = (struct trial){
		.setup_rc = rc < 0 ? rc : answer.setup_rc,
		.rc = rc < 0 ? rc : answer.rc,
		.found = answer.found,
		.why = "there is no back end",
	};
	if (rc == 0 && WIFSIGNALED(status))
		ret_trial->killed_by = WTERMSIG(status);
	if (is_deadly(ret_trial)) {
		ret_trial->why = "io_uring_setup kills the process; SOON_IO=epoll avoids it";
		return;
	}
	soon_on_report(keep_report, ret_trial);
	ret_trial->has_run = true;
	ret_trial->run_rc = soon_run(look, ret_trial);
	soon_on_report(NULL, NULL);
}
