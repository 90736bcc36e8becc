// SPDX-License-Identifier: Apache-2.0
/*
 * refuse_uring HOW PROGRAM [ARG]...: runs the program where the three calls of io_uring fail with
 * the errno HOW, one of EPERM, ENOSYS and EOPNOTSUPP, or kill the process (HOW is "kill").
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int action_of(const char *how, unsigned *ret_action)
{
	static const struct {
		const char *name;
		unsigned action;
	} actions[] = {
		{ "EPERM", SECCOMP_RET_ERRNO | EPERM },
		{ "ENOSYS", SECCOMP_RET_ERRNO | ENOSYS },
		{ "EOPNOTSUPP", SECCOMP_RET_ERRNO | EOPNOTSUPP },
		{ "kill", SECCOMP_RET_KILL_PROCESS },
	};

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(how, actions[i].name) == 0) {
			*ret_action = actions[i].action;
			return 0;
		}
	return -1;
}

static int refuse(unsigned action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_enter, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_register, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, action),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	unsigned action;

	if (argc < 3 || action_of(argv[1], &action) != 0) {
		(void)fprintf(stderr, "usage: refuse_uring EPERM|ENOSYS|EOPNOTSUPP|kill PROGRAM\n");
		return 2;
	}
	if (refuse(action) != 0) {
		perror("refuse_uring: seccomp");
		return 77;
	}
	(void)execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
