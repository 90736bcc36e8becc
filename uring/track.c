// SPDX-License-Identifier: Apache-2.0
#include "track.h"

#include <soon/assert.h>
#include <soon/io.h>
#include <soon/mem.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#define LISTS 256u

struct entry {
	struct soon__track track;
	struct entry *next;
	int fd;
};

/* Debugging may take a lock and allocate. The lock is taken inside that of the tracks. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *lists[LISTS];
static atomic_uint entries; /* in all lists; others only ask whether it is 0 */

/* In the child of a fork nothing is tracked: neither here nor, see core.c, by what is above. */
static void forget_all(void)
{
	/* A thread that is not here any more may hold it. */
	lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	for (unsigned i = 0; i < LISTS; i++)
		lists[i] = NULL; /* the entries are lost, for one may have been half changed */
	atomic_store_explicit(&entries, 0, memory_order_relaxed);
}

static void watch_forks(void)
{
	(void)pthread_atfork(NULL, NULL, forget_all);
}

/* Takes the entry of a descriptor out; NULL: it is not tracked. */
static struct entry *take(int fd)
{
	struct entry **link = &lists[(unsigned)fd % LISTS], *entry;

	(void)pthread_mutex_lock(&lock);
	while (*link && (*link)->fd != fd)
		link = &(*link)->next;
	entry = *link;
	if (entry) {
		*link = entry->next;
		atomic_fetch_sub_explicit(&entries, 1, memory_order_relaxed);
	}
	(void)pthread_mutex_unlock(&lock);
	return entry;
}

static void tell(const struct soon__track *track, struct soon__text *text)
{
	soon__text_str(text, " fd ");
	soon__text_int(text, SOON_CONTAINER_OF_CONST(track, struct entry, track)->fd);
}

/* One that was closed by other means is gone all the same. */
static bool is_left(struct soon__track *track)
{
	struct entry *entry = SOON_CONTAINER_OF(track, struct entry, track);
	bool is_open = fcntl(entry->fd, F_GETFD) >= 0;

	if (take(entry->fd) == entry)
		soon_free(entry);
	return is_open;
}

void soon__fd_track(int fd, const char *what, const void *caller)
{
	static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
	struct entry *entry;

	(void)pthread_once(&fork_once, watch_forks);
	soon__fd_untrack(fd);
	entry = soon_zalloc(sizeof *entry);
	if (entry == NULL)
		return; /* one that will not be told of */
	entry->track.what = what;
	entry->track.tell = tell;
	entry->track.is_left = is_left;
	entry->fd = fd;
	(void)pthread_mutex_lock(&lock);
	entry->next = lists[(unsigned)fd % LISTS];
	lists[(unsigned)fd % LISTS] = entry;
	atomic_fetch_add_explicit(&entries, 1, memory_order_relaxed);
	(void)pthread_mutex_unlock(&lock);
	soon__track_open(&entry->track, caller);
}

void soon__fd_untrack(int fd)
{
	struct entry *entry;

	/* Relaxed: who opened it on this thread sees it, and who got it from another was told. */
	if (SOON_LIKELY(atomic_load_explicit(&entries, memory_order_relaxed) == 0))
		return;
	entry = take(fd);
	if (entry == NULL)
		return;
	soon__track_close(&entry->track);
	soon_free(entry);
}

void soon_fd_track(int fd, const char *what)
{
	SOON_ASSERT(what != NULL);
	if (SOON_UNLIKELY(soon__track_is_on()) && fd >= 0)
		soon__fd_track(fd, what, __builtin_return_address(0));
}
