// SPDX-License-Identifier: Apache-2.0
/*
 * poison.h: names that would stop a core, made errors of the compiler.
 *
 * A call that blocks its thread keeps every task of the core waiting. Include this in files that
 * run in tasks, after all other headers, for those which declare one of the names would fail as
 * well:
 *
 *	#include <netdb.h>
 *	#include <soon/soon.h>
 *	#include <soon/poison.h>
 *
 * In their place: soon_sleep(), soon_poll_fd(), soon_dial() and soon_listen(), which look names up,
 * soon_signal_wait(); and soon_offload() of a function in a file without this header for all that
 * has none. What cannot be told by its name, such as read(2) of a pipe or a lock that somebody else
 * has, is found by libsoon-guard while the program runs, which also knows the names that are left
 * out here because programs use them for other things: wait, pause, sync, fcntl.
 */
#ifndef SOON_POISON_H
#define SOON_POISON_H

#include <soon/base.h>

#pragma GCC poison sleep usleep nanosleep clock_nanosleep thrd_sleep
#pragma GCC poison select pselect poll ppoll epoll_wait epoll_pwait
#pragma GCC poison system popen pclose waitpid waitid wait3 wait4
#pragma GCC poison getaddrinfo getnameinfo gethostbyname gethostbyname2 gethostbyaddr
#pragma GCC poison sigwait sigwaitinfo sigtimedwait sigsuspend
#pragma GCC poison fsync fdatasync syncfs flock lockf
#pragma GCC poison sem_wait sem_timedwait pthread_cond_wait pthread_cond_timedwait cnd_wait
#pragma GCC poison pthread_join thrd_join pthread_barrier_wait

#endif
