// SPDX-License-Identifier: Apache-2.0
/*
 * twins.c: listeners like one that is there, on the other cores of a run.
 *
 * A socket is shared, or has siblings on the same port (SO_REUSEPORT), one for each core. A
 * listener that was handed over may come with several such siblings. They are spread over the
 * cores, and for a core that gets none one is bound. None is closed, because connections wait in
 * its queue, which the kernel gives to no other.
 */
#include <soon/assert.h>
#include <soon/cores.h>
#include <soon/io.h>
#include <soon/mem.h>

#include "inherit.h"
#include "listener.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void soon__twins_lock(struct soon__twins *twins)
{
	if (twins != NULL)
		(void)pthread_mutex_lock(&twins->lock);
}

void soon__twins_unlock(struct soon__twins *twins)
{
	if (twins != NULL)
		(void)pthread_mutex_unlock(&twins->lock);
}

/* From here on the list has the sockets that are this core's, and not the plan. */
static void enter(struct soon__twins *twins, soon_listener *l)
{
	soon__twins_lock(twins);
	for (unsigned i = 0; i < twins->sockets_count; i++)
		if (!twins->sockets[i].is_shared && twins->sockets[i].core == soon_core_index(NULL))
			twins->sockets[i].fd = -1;
	if (soon__listener_is_handed_over(twins->home))
		atomic_store_explicit(
			&l->is_handed, true, memory_order_relaxed); /* under the lock */
	l->twins = twins;
	l->next_twin = twins->first;
	twins->first = l;
	soon__twins_unlock(twins);
}

void soon__twins_leave(soon_listener *l)
{
	struct soon__twins *twins = l->twins;
	soon_listener **link;

	if (twins == NULL)
		return;
	soon__twins_lock(twins);
	link = &twins->first;
	while (*link != l)
		link = &(*link)->next_twin;
	*link = l->next_twin;
	l->twins = NULL;
	soon__twins_unlock(twins);
}

static bool is_reuse_port(const struct soon__socket *socket)
{
	socklen_t len = sizeof(int);
	int value = 0;

	return socket->addr.storage.ss_family != AF_UNIX &&
		getsockopt(socket->fd, SOL_SOCKET, SO_REUSEPORT, &value, &len) == 0 && value != 0;
}

static bool is_same_addr(const soon_addr *a, const soon_addr *b)
{
	return a->len == b->len && memcmp(&a->storage, &b->storage, a->len) == 0;
}

/* ---- the plan ---------------------------------------------------------------------------- */

static struct soon__twin_socket *plan_add(struct soon__twins *twins, const soon_addr *addr)
{
	struct soon__twin_socket *twin = &twins->sockets[twins->sockets_count++];

	*twin = (struct soon__twin_socket){
		.addr = *addr, .fd = -1, .core = soon_core_index(NULL)
	};
	return twin;
}

static int plan_shared(struct soon__twin_socket *twin, struct soon__socket *socket)
{
	twin->fd = fcntl(socket->fd, F_DUPFD_CLOEXEC, 0);
	if (twin->fd < 0)
		return -errno;
	twin->is_shared = socket->is_shared = true;
	return 0;
}

/* How many there are of an address for one core alone, or with `core` < 0 for any. */
static unsigned siblings_count(const struct soon__twins *twins, const soon_addr *addr, int core)
{
	unsigned count = 0;

	for (unsigned i = 0; i < twins->sockets_count; i++)
		count += !twins->sockets[i].is_shared &&
			(core < 0 || twins->sockets[i].core == (unsigned)core) &&
			is_same_addr(&twins->sockets[i].addr, addr);
	return count;
}

/*
 * The first of the siblings stays here and the next ones go to the next cores in turn; all stay
 * where somebody has accepted from them already.
 */
static void plan_sibling(struct soon__twins *twins, const struct soon__socket *socket)
{
	unsigned rank = siblings_count(twins, &socket->addr, -1);
	struct soon__twin_socket *twin = plan_add(twins, &socket->addr);

	if (twins->home->is_begun)
		return;
	twin->core = (twin->core + rank) % soon_core_count();
	if (twin->core != soon_core_index(NULL))
		twin->fd = socket->fd;
}

/*
 * Binds siblings for the cores that have none. All of them at once and here, so that a hand-over
 * has either all of them or none. The cores share the one that is there when a hand-over has begun
 * without them; while this process may still be given up, as what waits in a new one's queue would
 * end with it; and where binding is not allowed (a privileged port, a socket of another user's).
 */
static int siblings_bind(struct soon__twins *twins, struct soon__socket *socket, unsigned index)
	SOON_SUSPENDS
{
	soon_listen_opts opts = twins->opts;

	opts.reuse_port = true;
	opts.busy_timeout = -1; /* whoever has the port has it for as long as we do */
	for (unsigned core = 0; core < soon_core_count(); core++) {
		struct soon__socket sibling;
		struct soon__twin_socket *twin;
		int rc = -EBUSY;

		if (siblings_count(twins, &socket->addr, (int)core) > 0)
			continue;
		if (twins->home->handovers_count == 0 && !twins->is_gated)
			rc = soon__socket_bind(&sibling, &socket->addr, &opts);
		if (rc == -EBUSY || rc == -EACCES || rc == -EADDRINUSE)
			return plan_shared(&twins->sockets[index], socket);
		if (rc < 0)
			return rc;
		twin = plan_add(twins, &socket->addr);
		twin->core = core;
		twin->fd = sibling.fd;
	}
	return 0;
}

static int plan(struct soon__twins *twins) SOON_SUSPENDS
{
	soon_listener *l = twins->home;
	int rc = 0;

	for (unsigned i = 0; i < l->sockets_count && rc == 0; i++) {
		if (is_reuse_port(&l->sockets[i]))
			plan_sibling(twins, &l->sockets[i]);
		else
			rc = plan_shared(plan_add(twins, &l->sockets[i].addr), &l->sockets[i]);
	}
	/* Those that have siblings by now get no more. */
	for (unsigned i = 0; i < l->sockets_count && rc == 0; i++)
		if (!l->sockets[i].is_shared && twins->sockets[i].fd < 0)
			rc = siblings_bind(twins, &l->sockets[i], i);
	return rc;
}

/*
 * Those that are another core's now. The first stays, and with it the leader. Nothing here waits,
 * so that a hand-over sees each socket once: none of the acceptors was asked for anything yet.
 */
static void give_away(soon_listener *l, const struct soon__twins *twins) SOON_SUSPENDS
{
	unsigned kept = 0, count = l->sockets_count;

	for (unsigned i = count; i-- > 0;)
		soon_acceptor_fini(&l->sockets[i].acceptor);
	for (unsigned i = 0; i < count; i++)
		if (twins->sockets[i].core == soon_core_index(NULL))
			l->sockets[kept++] = l->sockets[i];
	l->sockets_count = kept;
	soon__acceptors_begin(l);
}

int soon__twins_init(struct soon__twins *twins, soon_listener *listener)
{
	unsigned count = listener->sockets_count;
	size_t room = (size_t)count * (1 + soon_core_count());
	struct soon__twin_socket *sockets = soon_zalloc(room * sizeof *sockets);
	int rc;

	if (sockets == NULL)
		return -ENOMEM;
	*twins = (struct soon__twins){ .opts = listener->opts,
		.sockets = sockets,
		.home = listener,
		.is_gated = listener->is_gated && !soon__takeover_is_done() };
	(void)pthread_mutex_init(&twins->lock, NULL); /* cannot fail with no attributes */
	rc = plan(twins);
	if (rc < 0) {
		for (unsigned i = 0; i < count && i < twins->sockets_count; i++)
			if (!sockets[i].is_shared)
				sockets[i].fd = -1; /* still the listener's */
		soon__twins_fini(twins);
		return rc;
	}
	if (!listener->is_begun)
		give_away(listener, twins);
	enter(twins, listener);
	return 0;
}

void soon__twins_fini(struct soon__twins *twins)
{
	while (twins->first != NULL)
		soon__twins_leave(twins->first);
	for (unsigned i = 0; i < twins->sockets_count; i++)
		if (twins->sockets[i].fd >= 0)
			(void)soon_close(twins->sockets[i].fd); /* a copy, or nobody's */
	soon_free(twins->sockets);
	(void)pthread_mutex_destroy(&twins->lock);
	*twins = (struct soon__twins){ 0 };
}

/* ---- one of them ------------------------------------------------------------------------- */

static int twin_sockets(const struct soon__twins *twins, soon_listener *l) SOON_ON_CORE
{
	for (unsigned i = 0; i < twins->sockets_count; i++) {
		const struct soon__twin_socket *from = &twins->sockets[i];
		struct soon__socket *socket = &l->sockets[l->sockets_count];
		int rc, fd;

		/* Its `fd` is that core's to change. */
		if (!from->is_shared && from->core != soon_core_index(NULL))
			continue;
		fd = from->is_shared ? fcntl(from->fd, F_DUPFD_CLOEXEC, 0) : from->fd;
		rc = fd < 0 ? -errno : soon__socket_adopt(socket, fd, &l->opts);
		if (rc < 0) {
			if (from->is_shared && fd >= 0)
				(void)close(fd); /* a copy */
			return rc;
		}
		socket->is_shared = from->is_shared;
		l->sockets_count++;
	}
	return 0;
}

/* The plan keeps those that would have been this core's alone. */
static void forget(soon_listener *l)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < l->sockets_count; i++)
		if (l->sockets[i].is_shared)
			l->sockets[kept++] = l->sockets[i];
	l->sockets_count = kept;
}

int soon__twin_make(struct soon__twins *twins, soon_listener **ret_listener)
{
	soon_listener *l = soon_zalloc(sizeof *l);
	int rc;

	if (l == NULL)
		return -ENOMEM;
	l->opts = twins->opts;
	l->is_gated = twins->is_gated;
	rc = soon__sockets_alloc(l, twins->sockets_count);
	if (rc == 0)
		rc = twin_sockets(twins, l);
	if (rc < 0)
		forget(l);
	rc = soon__listener_begin(l, rc, ret_listener);
	if (rc == 0)
		enter(twins, l);
	return rc;
}
