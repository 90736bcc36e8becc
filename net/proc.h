// SPDX-License-Identifier: Apache-2.0
/* proc.h: the record of a process, private to net/. */
#ifndef NET_PROC_H
#define NET_PROC_H

#include <soon/debug.h>
#include <soon/proc.h>

#include <pthread.h>

#define SOON__PROC_GRACE      SOON_S(5)
#define SOON__PROC_NAME_BYTES 64

struct soon_proc {
	pid_t pid;
	int pidfd;
	soon_stream *in, *out, *err; /* our ends of its pipes, or NULL */
	pthread_t thread;            /* of the core that started it */
	soon_ns grace;
	unsigned waiting; /* tasks in soon_proc_wait */
	bool has_group;   /* of its own */
	bool is_reaped;
	int reap_rc; /* 0, or -ECHILD when somebody else took the status */
	soon_proc_status status;
	soon_tracked *tracked;
	char name[SOON__PROC_NAME_BYTES]; /* the program's, for messages */
};

/* Makes everything of a record but what a running process has. See soon_proc_spawn(). */
SOON_NODISCARD int soon__proc_start(
	soon_proc *proc, const char *const *argv, const soon_proc_opts *opts) SOON_SUSPENDS;

/* Closes our ends of its pipes, without a flush. */
void soon__proc_close_pipes(soon_proc *proc) SOON_SUSPENDS;

/* Forgets a process that goes on: it is not waited for any more. */
void soon__proc_release(soon_proc *proc) SOON_SUSPENDS;

/* Waits for the end and reaps, whatever happens to the caller. */
void soon__proc_reap(soon_proc *proc) SOON_SUSPENDS;

#endif
