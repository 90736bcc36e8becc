// SPDX-License-Identifier: Apache-2.0
/*
 * Every call that the guard knows, made in a task, twice at one place: each is reported once, with
 * the function that made it. Then the same on a thread of the pool, outside tasks, with descriptors
 * that do not block, and where it is meant: nothing is reported.
 *
 *	sins [NAME]		only that one, for words.sh
 */
#include <soon/debug.h>
#include <soon/offload.h>
#include <soon/report.h>
#include <soon/task.h>
#include <soon/thread.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <support/program.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static atomic_uint reports;
static char said[SOON_REPORT_TEXT_BYTES];

static int keep(const soon_report *report, void *unused)
{
	(void)unused;
	if (report->level != SOON_REPORT_ERROR)
		return 0;
	(void)snprintf(said, sizeof said, "%s", report->text);
	atomic_fetch_add(&reports, 1);
	return 0;
}

/* What the sins are about. */
static struct {
	int pipe[2], file, listener, sockets[2];
	struct sockaddr_in addr;
	pthread_mutex_t mutex;
	pthread_rwlock_t rwlock;
	pthread_cond_t cond;
	mtx_t mtx;
	cnd_t cnd;
	sem_t sem;
	pthread_barrier_t barrier;
} of;

static const struct timespec moment = { .tv_nsec = 1000000 };

static void nap(void)
{
	(void)nanosleep(&moment, NULL);
}

/* The thread that sins, while it goes to wait for what another one holds back. */
static atomic_int sinner;

/* Until it waits, as the kernel sees it: before, there would be nothing to wait for. */
static void let_wait(void)
{
	char path[64], stat[256] = "";
	int tid;

	while ((tid = atomic_load(&sinner)) == 0)
		nap();
	(void)snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	while (!strstr(stat, ") S")) {
		FILE *file = fopen(path, "re");

		CHECK(file != NULL && fgets(stat, sizeof stat, file) != NULL);
		(void)fclose(file);
		nap();
	}
	atomic_store(&sinner, 0);
}

static pthread_t begin(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, fn, arg), 0);
	return thread;
}

/* Waits for a thread in a way that is meant. */
static void end(pthread_t thread)
{
	CHECK_EQ(soon_unguarded(pthread_join(thread, NULL)), 0);
}

static void *hold_mutex(void *held)
{
	CHECK_EQ(pthread_mutex_lock(&of.mutex), 0);
	CHECK_EQ(sem_post(held), 0);
	let_wait();
	CHECK_EQ(pthread_mutex_unlock(&of.mutex), 0);
	return NULL;
}

static void *hold_rwlock(void *held)
{
	CHECK_EQ(pthread_rwlock_wrlock(&of.rwlock), 0);
	CHECK_EQ(sem_post(held), 0);
	let_wait();
	CHECK_EQ(pthread_rwlock_unlock(&of.rwlock), 0);
	return NULL;
}

static void *hold_mtx(void *held)
{
	CHECK_EQ(mtx_lock(&of.mtx), thrd_success);
	CHECK_EQ(sem_post(held), 0);
	let_wait();
	CHECK_EQ(mtx_unlock(&of.mtx), thrd_success);
	return NULL;
}

static void *signal_cond(void *unused)
{
	CHECK_EQ(pthread_mutex_lock(&of.mutex), 0);
	CHECK_EQ(pthread_cond_broadcast(&of.cond), 0);
	CHECK_EQ(pthread_mutex_unlock(&of.mutex), 0);
	return unused;
}

static void *signal_cnd(void *unused)
{
	CHECK_EQ(mtx_lock(&of.mtx), thrd_success);
	CHECK_EQ(cnd_broadcast(&of.cnd), thrd_success);
	CHECK_EQ(mtx_unlock(&of.mtx), thrd_success);
	return unused;
}

static void *post_later(void *unused)
{
	nap();
	CHECK_EQ(sem_post(&of.sem), 0);
	return unused;
}

static void *meet(void *unused)
{
	(void)pthread_barrier_wait(&of.barrier);
	return unused;
}

static void *connect_later(void *unused)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_EQ(connect(fd, (struct sockaddr *)&of.addr, sizeof of.addr), 0);
	(void)close(fd);
	return unused;
}

static pthread_t begin_holding(void *(*fn)(void *))
{
	sem_t held;
	pthread_t thread;

	CHECK_EQ(sem_init(&held, 0, 0), 0);
	thread = begin(fn, &held);
	CHECK_EQ(soon_unguarded(sem_wait(&held)), 0);
	CHECK_EQ(sem_destroy(&held), 0);
	atomic_store(&sinner, (int)gettid());
	return thread;
}

/* A child that ends at once. */
static pid_t bear(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		_exit(0);
	return pid;
}

/* The sins. Each function is named after its call. */

#define SIN(name) static __attribute__((noinline)) void sin_##name(void)

SIN(read)
{
	char c;

	CHECK_EQ(soon_unguarded(write(of.pipe[1], "x", 1)), 1);
	CHECK_EQ(read(of.pipe[0], &c, 1), 1);
}

SIN(write)
{
	char c;

	CHECK_EQ(write(of.pipe[1], "x", 1), 1);
	CHECK_EQ(soon_unguarded(read(of.pipe[0], &c, 1)), 1);
}

SIN(recv)
{
	char c;

	CHECK_EQ(soon_unguarded(write(of.sockets[1], "x", 1)), 1);
	CHECK_EQ(recv(of.sockets[0], &c, 1, 0), 1);
}

SIN(send)
{
	char c;

	CHECK_EQ(send(of.sockets[0], "x", 1, 0), 1);
	CHECK_EQ(soon_unguarded(read(of.sockets[1], &c, 1)), 1);
}

SIN(accept)
{
	pthread_t thread = begin(connect_later, NULL);
	int fd = accept(of.listener, NULL, NULL);

	CHECK(fd >= 0);
	(void)close(fd);
	end(thread);
}

SIN(connect)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;

	CHECK_EQ(connect(fd, (struct sockaddr *)&of.addr, sizeof of.addr), 0);
	peer = soon_unguarded(accept(of.listener, NULL, NULL));
	(void)close(peer);
	(void)close(fd);
}

SIN(fsync)
{
	CHECK_EQ(fsync(of.file), 0);
}

SIN(fdatasync)
{
	CHECK_EQ(fdatasync(of.file), 0);
}

SIN(flock)
{
	CHECK_EQ(flock(of.file, LOCK_EX), 0);
	CHECK_EQ(flock(of.file, LOCK_UN), 0);
}

SIN(lockf)
{
	CHECK_EQ(lockf(of.file, F_LOCK, 1), 0);
	CHECK_EQ(lockf(of.file, F_ULOCK, 1), 0);
}

SIN(fcntl)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1 };

	CHECK_EQ(fcntl(of.file, F_SETLKW, &lock), 0);
}

SIN(usleep)
{
	(void)usleep(1);
}

SIN(nanosleep)
{
	(void)nanosleep(&moment, NULL);
}

SIN(clock_nanosleep)
{
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
}

SIN(thrd_sleep)
{
	(void)thrd_sleep(&moment, NULL);
}

SIN(poll)
{
	struct pollfd pollfd = { .fd = of.pipe[0], .events = POLLIN };

	CHECK_EQ(poll(&pollfd, 1, 1), 0);
}

SIN(select)
{
	struct timeval timeout = { .tv_usec = 1 };

	CHECK_EQ(select(0, NULL, NULL, NULL, &timeout), 0);
}

SIN(epoll_wait)
{
	struct epoll_event event;
	int fd = epoll_create1(EPOLL_CLOEXEC), rc;

	/* The one wait that does not go on by itself when a ring has had work for the thread. */
	do {
		rc = epoll_wait(fd, &event, 1, 1);
	} while (rc == -1 && errno == EINTR);
	CHECK_EQ(rc, 0);
	(void)close(fd);
}

SIN(sigtimedwait)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigtimedwait(&set, NULL, &moment);
}

SIN(system)
{
	CHECK_EQ(system("exit 0"), 0);
}

SIN(popen)
{
	FILE *stream = popen("exit 0", "r");

	CHECK(stream != NULL);
	CHECK_EQ(soon_unguarded(pclose(stream)), 0);
}

SIN(waitpid)
{
	pid_t pid = bear();

	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

SIN(getaddrinfo)
{
	struct addrinfo *list = NULL;

	if (getaddrinfo("localhost", NULL, NULL, &list) == 0)
		freeaddrinfo(list);
}

SIN(pthread_mutex_lock)
{
	pthread_t thread = begin_holding(hold_mutex);

	CHECK_EQ(pthread_mutex_lock(&of.mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&of.mutex), 0);
	end(thread);
}

SIN(pthread_rwlock_rdlock)
{
	pthread_t thread = begin_holding(hold_rwlock);

	CHECK_EQ(pthread_rwlock_rdlock(&of.rwlock), 0);
	CHECK_EQ(pthread_rwlock_unlock(&of.rwlock), 0);
	end(thread);
}

SIN(pthread_rwlock_wrlock)
{
	pthread_t thread = begin_holding(hold_rwlock);

	CHECK_EQ(pthread_rwlock_wrlock(&of.rwlock), 0);
	CHECK_EQ(pthread_rwlock_unlock(&of.rwlock), 0);
	end(thread);
}

SIN(mtx_lock)
{
	pthread_t thread = begin_holding(hold_mtx);

	CHECK_EQ(mtx_lock(&of.mtx), thrd_success);
	CHECK_EQ(mtx_unlock(&of.mtx), thrd_success);
	end(thread);
}

SIN(pthread_cond_wait)
{
	pthread_t thread;

	CHECK_EQ(pthread_mutex_lock(&of.mutex), 0);
	thread = begin(signal_cond, NULL);
	CHECK_EQ(pthread_cond_wait(&of.cond, &of.mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&of.mutex), 0);
	end(thread);
}

SIN(cnd_wait)
{
	pthread_t thread;

	CHECK_EQ(mtx_lock(&of.mtx), thrd_success);
	thread = begin(signal_cnd, NULL);
	CHECK_EQ(cnd_wait(&of.cnd, &of.mtx), thrd_success);
	CHECK_EQ(mtx_unlock(&of.mtx), thrd_success);
	end(thread);
}

SIN(sem_wait)
{
	pthread_t thread = begin(post_later, NULL);

	CHECK_EQ(sem_wait(&of.sem), 0);
	end(thread);
}

SIN(pthread_barrier_wait)
{
	pthread_t thread = begin(meet, NULL);

	(void)pthread_barrier_wait(&of.barrier);
	end(thread);
}

SIN(pthread_join)
{
	CHECK_EQ(pthread_join(begin(signal_cond, NULL), NULL), 0);
}

static const struct sin {
	const char *name;
	void (*fn)(void);
} sins[] = {
#define ROW(name)                                                                                  \
	{                                                                                          \
#name, sin_##name                                                                  \
	}
	ROW(read),
	ROW(write),
	ROW(recv),
	ROW(send),
	ROW(accept),
	ROW(connect),
	ROW(fsync),
	ROW(fdatasync),
	ROW(flock),
	ROW(lockf),
	ROW(fcntl),
	ROW(usleep),
	ROW(nanosleep),
	ROW(clock_nanosleep),
	ROW(thrd_sleep),
	ROW(poll),
	ROW(select),
	ROW(epoll_wait),
	ROW(sigtimedwait),
	ROW(system),
	ROW(popen),
	ROW(waitpid),
	ROW(getaddrinfo),
	ROW(pthread_mutex_lock),
	ROW(pthread_rwlock_rdlock),
	ROW(pthread_rwlock_wrlock),
	ROW(mtx_lock),
	ROW(pthread_cond_wait),
	ROW(cnd_wait),
	ROW(sem_wait),
	ROW(pthread_barrier_wait),
	ROW(pthread_join),
};
enum { SINS = sizeof sins / sizeof *sins };

static int commit_all(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < SINS; i++) {
		char expected[128];
		unsigned before = atomic_load(&reports);

		said[0] = '\0';
		for (int n = 0; n < 2; n++)
			sins[i].fn();
		if (atomic_load(&reports) - before != 1)
			fprintf(stderr, "%s: %u reports, the last: %s\n", sins[i].name,
				atomic_load(&reports) - before, said);
		CHECK_EQ(atomic_load(&reports) - before, 1);
		(void)snprintf(expected, sizeof expected, "%s() on a core, ", sins[i].name);
		CHECK_EQ(strncmp(said, expected, strlen(expected)), 0);
		(void)snprintf(expected, sizeof expected, ": in sin_%s+0x", sins[i].name);
		if (!strstr(said, expected))
			fprintf(stderr, "%s said: %s\n", sins[i].name, said);
		CHECK(strstr(said, expected) != NULL);
	}
	return 0;
}

static int commit_one(const struct sin *sin)
{
	sin->fn();
	return 0;
}

static void in_callback(soon_callback *self)
{
	nap();
	self->fn = NULL;
}

/* All of these are none. */
static int commit_none(void *unused)
{
	static soon_callback callback = { .fn = in_callback };
	struct pollfd pollfd = { .fd = of.pipe[0], .events = POLLIN };
	int fds[2];
	char c;

	(void)unused;
	for (size_t i = 0; i < SINS; i++)
		CHECK_EQ(soon_offload(commit_one, &sins[i]), 0);
	CHECK_EQ(soon_post(soon_core_self(), &callback), 0);
	while (callback.fn)
		CHECK_EQ(soon_yield(), 0);
	CHECK_EQ(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	(void)close(fds[0]);
	(void)close(fds[1]);
	CHECK_EQ(recv(of.sockets[0], &c, 1, MSG_DONTWAIT), -1);
	CHECK_EQ(poll(&pollfd, 1, 0), 0);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_EQ(write(of.file, "x", 1), 1);
	CHECK_EQ(write(STDERR_FILENO, "", 0), 0);
	CHECK_EQ(pthread_mutex_lock(&of.mutex), 0); /* it is free */
	CHECK_EQ(pthread_mutex_unlock(&of.mutex), 0);
	CHECK_EQ(soon_unguarded(usleep(1)), 0);
	return 0;
}

static void set_up(void)
{
	socklen_t len = sizeof of.addr;

	CHECK_EQ(pipe2(of.pipe, O_CLOEXEC), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, of.sockets), 0);
	of.file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	CHECK(of.file >= 0);
	of.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	of.addr.sin_family = AF_INET;
	of.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_EQ(bind(of.listener, (struct sockaddr *)&of.addr, sizeof of.addr), 0);
	CHECK_EQ(listen(of.listener, 4), 0);
	CHECK_EQ(getsockname(of.listener, (struct sockaddr *)&of.addr, &len), 0);
	CHECK_EQ(pthread_mutex_init(&of.mutex, NULL), 0);
	CHECK_EQ(pthread_rwlock_init(&of.rwlock, NULL), 0);
	CHECK_EQ(pthread_cond_init(&of.cond, NULL), 0);
	CHECK_EQ(mtx_init(&of.mtx, mtx_plain), thrd_success);
	CHECK_EQ(cnd_init(&of.cnd), thrd_success);
	CHECK_EQ(sem_init(&of.sem, 0, 0), 0);
	CHECK_EQ(pthread_barrier_init(&of.barrier, NULL, 2), 0);
}

int main(int argc, char **argv)
{
	CHECK(dlsym(RTLD_DEFAULT, "soon_guard_attach") != NULL);
	set_up();
	for (size_t i = 0; argc > 1 && i < SINS; i++)
		if (strcmp(argv[1], sins[i].name) == 0)
			return soon_run(commit_one, &sins[i]);
	soon_on_report(keep, NULL);
	CHECK_EQ(soon_run(commit_none, NULL), 0);
	CHECK_EQ(atomic_load(&reports), 0);
	CHECK_EQ(soon_run(commit_all, NULL), 0);
	CHECK_EQ(atomic_load(&reports), SINS);
	nap(); /* in no task */
	CHECK_EQ(atomic_load(&reports), SINS);
	fprintf(stderr, "%d calls found\n", SINS);
	return 0;
}
