// SPDX-License-Identifier: Apache-2.0
/*
 * Several cores start, talk to and end processes at once, while the host forks children
 * of its own: none is lost, none is mistaken for another, nothing is left.
 */
#include <soon/soon.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <support/program.h>
#include <sys/wait.h>
#include <unistd.h>

/* ThreadSanitizer follows descriptors, but does not see the ring close them: no second core. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define CORES 1
#endif
#endif
#ifndef CORES
#define CORES 3
#endif
#define TASKS      4
#define ROUNDS     4
#define HOST_FORKS 10

/* Each gets its own number back. */
static void ask(int number)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%d", number);
	soon_proc_run_opts opts = { .input = { text, (size_t)len } };
	soon_proc_result r;

	CHECK_EQ(soon_proc_run(SOON_ARGV("/bin/cat"), &opts, &r), 0);
	CHECK_EQ(r.status.code, 0);
	CHECK_EQ(r.out_len, len);
	CHECK_EQ(memcmp(r.out, text, r.out_len), 0);
	soon_proc_result_fini(&r);
}

static void end(int sig)
{
	soon_proc_opts opts = { .in = SOON_PROC_PIPE };
	soon_proc_status status;
	soon_proc *proc = NULL;

	CHECK_EQ(soon_proc_spawn(SOON_ARGV("/bin/cat"), &opts, &proc), 0);
	CHECK_EQ(soon_proc_kill(proc, sig), 0);
	CHECK_EQ(soon_proc_wait(proc, &status), 0);
	CHECK_EQ(status.signal, sig);
	soon_proc_close(proc);
}

static int play(int number)
{
	for (int i = 0; i < ROUNDS; i++) {
		ask(number * 1000 + i);
		end(i % 2 == 0 ? SIGUSR1 : SIGKILL);
		CHECK_EQ(soon_within(SOON_MS(1),
				 soon_proc_run(SOON_ARGV("/bin/sleep", "100"), NULL,
					 &(soon_proc_result){ 0 })),
			-ETIMEDOUT);
	}
	return 0;
}

static int app(int core)
{
	int rc = 0;
	SOON_GROUP(g);

	for (int i = 0; rc == 0 && i < TASKS; i++)
		rc = soon_spawn(&g, play, core * TASKS + i + 1);
	return (int)soon_group_close(&g, rc);
}

static void *run_core(void *number)
{
	CHECK_EQ(soon_run(app, (int)(intptr_t)number), 0);
	return NULL;
}

static void *fork_of_the_host(void *unused)
{
	for (int i = 0; i < HOST_FORKS; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(9);
		CHECK(pid > 0);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(WEXITSTATUS(status), 9);
		usleep(2000);
	}
	return unused;
}

int main(void)
{
	pthread_t cores[CORES], forks;
	siginfo_t info;

	CHECK_EQ(pthread_create(&forks, NULL, fork_of_the_host, NULL), 0);
	for (int i = 0; i < CORES; i++)
		CHECK_EQ(pthread_create(&cores[i], NULL, run_core, (void *)(intptr_t)i), 0);
	for (int i = 0; i < CORES; i++)
		CHECK_EQ(pthread_join(cores[i], NULL), 0);
	CHECK_EQ(pthread_join(forks, NULL), 0);
	CHECK(waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0); /* nobody is left */
	return 0;
}
