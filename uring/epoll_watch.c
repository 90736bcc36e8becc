// SPDX-License-Identifier: Apache-2.0
/*
 * Which descriptors the kernel watches, and who waits for them; see epoll.h.
 *
 * Level-triggered: an event says what is so now, whatever was said before, and for every kind of
 * file. A single operation asks for one event, as it is over with it; a receiver or acceptor for as
 * many as come. One registration has the wishes of all, both directions.
 *
 * An error that nobody takes is told again and again: messages in the error queue of a socket, that
 * only recvmsg(MSG_ERRQUEUE) takes, while the operations wait for something else. Such a descriptor
 * is watched edge-triggered from then on. That loses nothing, since an operation is tried before it
 * waits, and the kernel tells what comes after that.
 *
 * The kernel's set goes by open files, ours by numbers. A number may mean another file since the
 * last wait on it, closed and opened again without our knowing; so after a gap the kernel is asked
 * anew, and says ENOENT where it has nothing.
 */
#include <soon/mem.h>

#include "epoll.h"

#include <poll.h>
#include <unistd.h>

/* What poll(2) and epoll have in common; above are the bits that steer a registration. */
#define EVENTS_MASK 0x3fffu

#define GENERATION_SHIFT 32

static struct soon__fd_watch *find(const struct soon__epoll *epoll, int fd)
{
	unsigned chunk = (unsigned)fd / SOON__CHUNK_WATCHES;

	if (fd < 0 || chunk >= epoll->chunk_count || epoll->chunk[chunk] == NULL)
		return NULL;
	return &epoll->chunk[chunk][(unsigned)fd % SOON__CHUNK_WATCHES];
}

static struct soon__fd_watch *make_chunk(void)
{
	struct soon__fd_watch *chunk = soon_zalloc(SOON__CHUNK_WATCHES * sizeof(*chunk));

	for (unsigned i = 0; chunk != NULL && i < SOON__CHUNK_WATCHES; i++) {
		soon__list_init(&chunk[i].in);
		soon__list_init(&chunk[i].out);
		soon__list_init(&chunk[i].poll);
	}
	return chunk;
}

/* NULL when memory is short. */
static struct soon__fd_watch *get(struct soon__epoll *epoll, int fd)
{
	unsigned at = (unsigned)fd / SOON__CHUNK_WATCHES;

	SOON_ASSERT(fd >= 0);
	if (at >= epoll->chunk_count) {
		unsigned count = at + 1 > epoll->chunk_count * 2 ? at + 1 : epoll->chunk_count * 2;
		struct soon__fd_watch **chunk =
			soon_realloc(epoll->chunk, count * sizeof(struct soon__fd_watch *));

		if (chunk == NULL)
			return NULL;
		for (unsigned i = epoll->chunk_count; i < count; i++)
			chunk[i] = NULL;
		epoll->chunk = chunk;
		epoll->chunk_count = count;
	}
	if (epoll->chunk[at] == NULL)
		epoll->chunk[at] = make_chunk();
	return find(epoll, fd);
}

void soon__fd_watches_fini(struct soon__epoll *epoll)
{
	for (unsigned i = 0; i < epoll->chunk_count; i++)
		soon_free(epoll->chunk[i]);
	soon_free(epoll->chunk);
}

/* ---- what the kernel is asked ------------------------------------------------------------ */

/* The events that somebody waits for. */
static uint32_t wanted(struct soon__fd_watch *watch)
{
	uint32_t events = 0;

	if (!soon__list_is_empty(&watch->in))
		events |= EPOLLIN | EPOLLRDHUP;
	if (!soon__list_is_empty(&watch->out))
		events |= EPOLLOUT;
	for (struct soon__list *node = watch->poll.next; node != &watch->poll; node = node->next)
		events |= (soon__op_at(node)->flags & EVENTS_MASK) | EPOLLRDHUP;
	return events;
}

SOON_COLD static void report_limit(struct soon__epoll *epoll, int fd)
{
	if (epoll->has_told_limit)
		return;
	epoll->has_told_limit = true;
	soon_report_file(SOON_REPORT_WARNING, -ENOSPC,
		"epoll: descriptor %d cannot be waited for: all programs of this user together "
		"watch as many as the kernel allows. Raise it (sysctl "
		"fs.epoll.max_user_watches), or look which of them leaves descriptors open",
		fd);
}

static int control(struct soon__epoll *epoll, int verb, int fd, struct epoll_event *event)
{
	int rc;

	epoll->stats.ctl_count++;
	rc = epoll_ctl(epoll->fd, verb, fd, event) == 0 ? 0 : -errno;
	if (SOON_UNLIKELY(rc == -ENOSPC))
		report_limit(epoll, fd);
	return rc;
}

/* Whether the kernel should go on telling after one event. */
static bool should_last(const struct soon__fd_watch *watch)
{
	return watch->multi_count > 0 || watch->is_edge;
}

/* Has the kernel watch for `events`, whatever it had for this number. */
static int arm(struct soon__epoll *epoll, struct soon__fd_watch *watch, int fd, uint32_t events)
{
	struct epoll_event event = {
		.events = events | (should_last(watch) ? 0u : EPOLLONESHOT) |
			(watch->is_edge ? EPOLLET : 0u),
		.data.u64 = (uint64_t)watch->generation << GENERATION_SHIFT | (uint32_t)fd,
	};
	int rc = control(epoll, watch->is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);

	if (rc == -ENOENT)
		rc = control(epoll, EPOLL_CTL_ADD, fd, &event);
	else if (rc == -EEXIST)
		rc = control(epoll, EPOLL_CTL_MOD, fd, &event);
	watch->is_known = rc == 0;
	watch->armed = rc == 0 ? events : 0;
	watch->is_lasting = should_last(watch);
	watch->has_gap = false;
	return rc;
}

static void disarm(struct soon__epoll *epoll, struct soon__fd_watch *watch, int fd)
{
	struct epoll_event event = { 0 };

	if (watch->is_known)
		(void)control(epoll, EPOLL_CTL_DEL, fd, &event); /* or it is gone already */
	watch->is_known = false;
	watch->armed = 0;
}

/* Whether what the kernel was asked is what is wanted. One event too many does no harm. */
static bool is_settled(const struct soon__fd_watch *watch, uint32_t events)
{
	if (watch->has_gap || watch->is_lasting != should_last(watch))
		return false;
	return watch->is_lasting ? watch->armed == events : (watch->armed & events) == events;
}

/* After the lists have changed. A failure is that of the descriptor. */
static int settle(struct soon__epoll *epoll, struct soon__fd_watch *watch, int fd)
{
	uint32_t events = wanted(watch);

	if (events != 0)
		return is_settled(watch, events) ? 0 : arm(epoll, watch, fd, events);
	watch->has_gap = true;
	if (watch->armed != 0 && watch->is_lasting)
		disarm(epoll, watch, fd);
	return 0;
}

/* ---- who waits --------------------------------------------------------------------------- */

static enum soon__place place_of(const struct soon__op *op)
{
	switch (op->code) {
	case SOON__OP_WRITE:
	case SOON__OP_WRITEV:
	case SOON__OP_SEND:
	case SOON__OP_SENDMSG:
	case SOON__OP_CONNECT:
		return SOON__PLACE_OUT;
	case SOON__OP_POLL:
		return SOON__PLACE_POLL;
	default:
		return SOON__PLACE_IN;
	}
}

static bool is_multi(const struct soon__op *op)
{
	return op->code == SOON__OP_ACCEPT_MULTI || op->code == SOON__OP_RECV_MULTI;
}

static struct soon__list *list_of(struct soon__fd_watch *watch, enum soon__place place)
{
	if (place == SOON__PLACE_OUT)
		return &watch->out;
	return place == SOON__PLACE_IN ? &watch->in : &watch->poll;
}

static void enter(
	struct soon__epoll *epoll, struct soon__fd_watch *watch, struct soon__op *op, bool is_first)
{
	enum soon__place place = place_of(op);

	op->place = (uint8_t)place;
	if (is_first)
		soon__list_push_head(list_of(watch, place), &op->link);
	else
		soon__list_push_tail(list_of(watch, place), &op->link);
	watch->multi_count += is_multi(op);
	epoll->waiting++;
}

static void leave(struct soon__epoll *epoll, struct soon__fd_watch *watch, struct soon__op *op)
{
	SOON_ASSERT(epoll->waiting > 0);
	soon__list_remove(&op->link);
	op->place = SOON__PLACE_TRIED;
	watch->multi_count -= is_multi(op);
	epoll->waiting--;
}

void soon__fd_watch_leave(struct soon__epoll *epoll, struct soon__op *op)
{
	struct soon__fd_watch *watch = find(epoll, op->fd);

	SOON_ASSERT(watch != NULL);
	leave(epoll, watch, op);
	if (wanted(watch) == 0)
		watch->has_gap = true;
}

int soon__fd_watch_wait(struct soon__epoll *epoll, struct soon__op *op)
{
	struct soon__fd_watch *watch = get(epoll, op->fd);
	int rc;

	if (watch == NULL)
		return -ENOMEM;
	enter(epoll, watch, op, false);
	rc = settle(epoll, watch, op->fd);
	if (rc < 0)
		leave(epoll, watch, op);
	return rc;
}

void soon__fd_watch_settle(struct soon__epoll *epoll, int fd)
{
	struct soon__fd_watch *watch = find(epoll, fd);

	if (watch != NULL && wanted(watch) == 0)
		(void)settle(epoll, watch, fd);
}

bool soon__fd_watch_is_known(const struct soon__epoll *epoll, int fd)
{
	const struct soon__fd_watch *watch = find(epoll, fd);

	return watch != NULL && watch->is_known;
}

void soon__fd_watch_forget(struct soon__epoll *epoll, int fd)
{
	struct soon__fd_watch *watch = find(epoll, fd);

	if (watch == NULL)
		return;
	/* One that is not armed tells nothing, and goes with the file. */
	if (watch->armed != 0)
		disarm(epoll, watch, fd);
	watch->is_known = false;
	watch->is_edge = false;
	watch->generation++;
}

/* ---- events ------------------------------------------------------------------------------ */

/* Tries those that wait, the oldest first, until one has to wait on. */
static void serve(struct soon__epoll *epoll, struct soon__fd_watch *watch, struct soon__list *list)
{
	while (!soon__list_is_empty(list)) {
		struct soon__op *op = soon__op_at(list->next);

		leave(epoll, watch, op);
		op->is_woken = true;
		switch (soon__epoll_try(epoll, op)) {
		case SOON__TRIED_ENDED:
			break;
		case SOON__TRIED_BLOCK:
			soon__epoll_block(epoll, op);
			return; /* the thread takes what is there; the others wait for more */
		case SOON__TRIED_AGAIN:
			if (op->place == SOON__PLACE_TRIED) /* not cancelled meanwhile */
				enter(epoll, watch, op, true);
			return;
		}
	}
}

static void serve_polls(struct soon__epoll *epoll, struct soon__fd_watch *watch)
{
	struct soon__list *next;

	/* They only wake their tasks, so the list stays as it is but for them. */
	for (struct soon__list *node = watch->poll.next; node != &watch->poll; node = next) {
		struct soon__op *op = soon__op_at(node);

		next = node->next;
		leave(epoll, watch, op);
		if (soon__epoll_try(epoll, op) == SOON__TRIED_AGAIN) {
			/* Where it was: before `next`, as at the tail of a list. */
			enter(epoll, watch, op, false);
			soon__list_remove(&op->link);
			soon__list_push_tail(next, &op->link);
		}
	}
}

/* All who wait end with `rc`: the kernel does not watch the descriptor any more. */
static void fail_all(struct soon__epoll *epoll, struct soon__fd_watch *watch, int rc)
{
	struct soon__list *const lists[] = { &watch->in, &watch->out, &watch->poll };

	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		while (!soon__list_is_empty(lists[i])) {
			struct soon__op *op = soon__op_at(lists[i]->next);

			leave(epoll, watch, op);
			soon__op_event(&epoll->io, op, rc, 0);
		}
}

void soon__fd_watch_event(struct soon__epoll *epoll, const struct epoll_event *event)
{
	int fd = (int)(uint32_t)event->data.u64;
	struct soon__fd_watch *watch = find(epoll, fd);
	int rc;

	if (watch == NULL || watch->generation != event->data.u64 >> GENERATION_SHIFT) {
		epoll->stats.stale_count++;
		return;
	}
	if (!watch->is_lasting)
		watch->armed = 0;
	if ((event->events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		serve(epoll, watch, &watch->in);
	if ((event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
		serve(epoll, watch, &watch->out);
	if (SOON_UNLIKELY(!soon__list_is_empty(&watch->poll)))
		serve_polls(epoll, watch);
	/* Nothing but an error, and nobody has ended by it: it would be told for ever. */
	if (SOON_UNLIKELY(event->events == EPOLLERR) && !watch->is_edge && wanted(watch) != 0) {
		watch->is_edge = true;
		watch->armed = 0;
	}
	rc = settle(epoll, watch, fd);
	if (SOON_UNLIKELY(rc < 0))
		fail_all(epoll, watch, rc);
}
