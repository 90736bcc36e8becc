// SPDX-License-Identifier: Apache-2.0
/* wait.c: calls that wait for time, descriptors, signals, other processes, or a name server. */
#include "guard.h"

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static bool is_long(const struct timespec *ts)
{
	return ts == NULL || ts->tv_sec > 0 || ts->tv_nsec > 0;
}

GUARD_API unsigned sleep(unsigned seconds)
{
	if (seconds > 0 && guard_is_on())
		GUARD_FOUND("sleep", USE_SLEEP);
	return GUARD_REAL(sleep)(seconds);
}

GUARD_API int usleep(useconds_t us)
{
	if (us > 0 && guard_is_on())
		GUARD_FOUND("usleep", USE_SLEEP);
	return GUARD_REAL(usleep)(us);
}

GUARD_API int nanosleep(const struct timespec *duration, struct timespec *ret_left)
{
	if (is_long(duration) && guard_is_on())
		GUARD_FOUND("nanosleep", USE_SLEEP);
	return GUARD_REAL(nanosleep)(duration, ret_left);
}

GUARD_API int clock_nanosleep(
	clockid_t clock, int flags, const struct timespec *when, struct timespec *ret_left)
{
	if (is_long(when) && guard_is_on())
		GUARD_FOUND("clock_nanosleep", USE_SLEEP);
	return GUARD_REAL(clock_nanosleep)(clock, flags, when, ret_left);
}

GUARD_API int thrd_sleep(const struct timespec *duration, struct timespec *ret_left)
{
	if (is_long(duration) && guard_is_on())
		GUARD_FOUND("thrd_sleep", USE_SLEEP);
	return GUARD_REAL(thrd_sleep)(duration, ret_left);
}

GUARD_API int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	if (timeout != 0 && guard_is_on())
		GUARD_FOUND("poll", USE_POLL);
	return GUARD_REAL(poll)(fds, count, timeout);
}

GUARD_API int ppoll(
	struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	if (is_long(timeout) && guard_is_on())
		GUARD_FOUND("ppoll", USE_POLL);
	return GUARD_REAL(ppoll)(fds, count, timeout, mask);
}

GUARD_API int select(
	int count, fd_set *reads, fd_set *writes, fd_set *others, struct timeval *timeout)
{
	if ((timeout == NULL || timeout->tv_sec > 0 || timeout->tv_usec > 0) && guard_is_on())
		GUARD_FOUND("select", USE_POLL);
	return GUARD_REAL(select)(count, reads, writes, others, timeout);
}

GUARD_API int pselect(int count, fd_set *reads, fd_set *writes, fd_set *others,
	const struct timespec *timeout, const sigset_t *mask)
{
	if (is_long(timeout) && guard_is_on())
		GUARD_FOUND("pselect", USE_POLL);
	return GUARD_REAL(pselect)(count, reads, writes, others, timeout, mask);
}

GUARD_API int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
	if (timeout != 0 && guard_is_on())
		GUARD_FOUND("epoll_wait", USE_POLL);
	return GUARD_REAL(epoll_wait)(fd, events, count, timeout);
}

GUARD_API int epoll_pwait(
	int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
	if (timeout != 0 && guard_is_on())
		GUARD_FOUND("epoll_pwait", USE_POLL);
	return GUARD_REAL(epoll_pwait)(fd, events, count, timeout, mask);
}

/* Signals. */

GUARD_API int pause(void)
{
	if (guard_is_on())
		GUARD_FOUND("pause", USE_SIGNAL);
	return GUARD_REAL(pause)();
}

GUARD_API int sigsuspend(const sigset_t *mask)
{
	if (guard_is_on())
		GUARD_FOUND("sigsuspend", USE_SIGNAL);
	return GUARD_REAL(sigsuspend)(mask);
}

GUARD_API int sigwait(const sigset_t *set, int *ret_signo)
{
	if (guard_is_on())
		GUARD_FOUND("sigwait", USE_SIGNAL);
	return GUARD_REAL(sigwait)(set, ret_signo);
}

GUARD_API int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	if (guard_is_on())
		GUARD_FOUND("sigwaitinfo", USE_SIGNAL);
	return GUARD_REAL(sigwaitinfo)(set, info);
}

GUARD_API int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	if (is_long(timeout) && guard_is_on())
		GUARD_FOUND("sigtimedwait", USE_SIGNAL);
	return GUARD_REAL(sigtimedwait)(set, info, timeout);
}

/* Other processes. */

GUARD_API int system(const char *command)
{
	if (command != NULL && guard_is_on())
		GUARD_FOUND("system", USE_PROC);
	return GUARD_REAL(system)(command);
}

GUARD_API FILE *popen(const char *command, const char *mode)
{
	if (guard_is_on())
		GUARD_FOUND("popen", USE_PROC);
	return GUARD_REAL(popen)(command, mode);
}

GUARD_API int pclose(FILE *stream)
{
	if (guard_is_on())
		GUARD_FOUND("pclose", USE_PROC);
	return GUARD_REAL(pclose)(stream);
}

GUARD_API pid_t wait(int *status)
{
	if (guard_is_on())
		GUARD_FOUND("wait", USE_PROC);
	return GUARD_REAL(wait)(status);
}

GUARD_API pid_t waitpid(pid_t pid, int *status, int options)
{
	if ((options & WNOHANG) == 0 && guard_is_on())
		GUARD_FOUND("waitpid", USE_PROC);
	return GUARD_REAL(waitpid)(pid, status, options);
}

GUARD_API int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	if ((options & WNOHANG) == 0 && guard_is_on())
		GUARD_FOUND("waitid", USE_PROC);
	return GUARD_REAL(waitid)(type, id, info, options);
}

GUARD_API pid_t wait3(int *status, int options, struct rusage *usage)
{
	if ((options & WNOHANG) == 0 && guard_is_on())
		GUARD_FOUND("wait3", USE_PROC);
	return GUARD_REAL(wait3)(status, options, usage);
}

GUARD_API pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	if ((options & WNOHANG) == 0 && guard_is_on())
		GUARD_FOUND("wait4", USE_PROC);
	return GUARD_REAL(wait4)(pid, status, options, usage);
}

/* Names. */

GUARD_API int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
	struct addrinfo **ret_list)
{
	/* A number needs no server, if the caller says that it is one. */
	bool is_number = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;

	if (!is_number && host != NULL && guard_is_on())
		GUARD_FOUND("getaddrinfo", USE_NAMES);
	return GUARD_REAL(getaddrinfo)(host, service, hints, ret_list);
}

GUARD_API int getnameinfo(const struct sockaddr *addr, socklen_t addr_len, char *host,
	socklen_t host_len, char *service, socklen_t service_len, int flags)
{
	if (host != NULL && (flags & NI_NUMERICHOST) == 0 && guard_is_on())
		GUARD_FOUND("getnameinfo", USE_NAMES);
	return GUARD_REAL(getnameinfo)(addr, addr_len, host, host_len, service, service_len, flags);
}

GUARD_API struct hostent *gethostbyname(const char *name)
{
	if (guard_is_on())
		GUARD_FOUND("gethostbyname", USE_NAMES);
	return GUARD_REAL(gethostbyname)(name);
}

GUARD_API struct hostent *gethostbyname2(const char *name, int family)
{
	if (guard_is_on())
		GUARD_FOUND("gethostbyname2", USE_NAMES);
	return GUARD_REAL(gethostbyname2)(name, family);
}

GUARD_API struct hostent *gethostbyaddr(const void *addr, socklen_t len, int family)
{
	if (guard_is_on())
		GUARD_FOUND("gethostbyaddr", USE_NAMES);
	return GUARD_REAL(gethostbyaddr)(addr, len, family);
}
