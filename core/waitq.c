// SPDX-License-Identifier: Apache-2.0
#include "waitq.h"

#include <stdio.h>

/* Enough for "task '<name>', spawned at <file>:<line>"; cut beyond. */
enum { PARTY_BYTES = 160 };

static SOON_COLD const char *name_owner(
	const struct soon__waitq *queue, char text[static PARTY_BYTES])
{
	int len = snprintf(text, PARTY_BYTES, "run %ju of this process", (uintmax_t)queue->run_id);

	/* The site is static: it outlives the task, its run and its thread. */
	if (queue->site && len > 0 && len < PARTY_BYTES)
		(void)snprintf(text + len, (size_t)(PARTY_BYTES - len),
			", where '%s', spawned at %s:%d, was the first to wait for it",
			queue->site->what, queue->site->file, queue->site->line);
	return text;
}

static SOON_COLD int refuse(const struct soon__waitq *queue, int rc, const char *what)
{
	char owner[PARTY_BYTES];

	if (!soon__core)
		soon_report_file(SOON_REPORT_ERROR, rc,
			"soon_%s: must be called on a core's thread; this one runs none", what);
	else if (rc == -EPERM)
		soon_report_file(SOON_REPORT_ERROR, rc,
			"soon_%s: the object belongs to another core, in %s; task '%s' is in run "
			"%ju",
			what, name_owner(queue, owner), soon_task_name(NULL),
			(uintmax_t)soon__core->run_id);
	else
		soon_report_file(SOON_REPORT_ERROR, rc,
			"soon_%s: the object was in use when %s ended; task '%s' in run %ju has to "
			"initialise it first",
			what, name_owner(queue, owner), soon_task_name(NULL),
			(uintmax_t)soon__core->run_id);
	return rc;
}

int soon__waitq_enter_slow(struct soon__waitq *queue, bool is_held, const char *what)
{
	const soon_core *core = soon__core;
	bool is_idle = !is_held && !queue->head;

	if (!core)
		return refuse(queue, -EPERM, what);
	SOON_ASSERT(queue->run_id != core->run_id);
	if (queue->run_id != 0 && soon__run_is_live(queue->run_id)) {
		if (!is_idle || queue->site)
			return refuse(queue, -EPERM, what);
	} else if (queue->run_id != 0 && !is_idle) {
		return refuse(queue, -EOWNERDEAD, what);
	}
	queue->run_id = core->run_id;
	queue->site = NULL;
	return 0;
}

/* Whoever waits is parked already, put here by somebody else, or about to park. */
static const soon_site *spawn_of(const struct soon__wait *wait)
{
	return wait->task ? wait->task->site : soon__core->sched.current->site;
}

void soon__waitq_push(struct soon__waitq *queue, struct soon__waiter *waiter)
{
	SOON_ASSERT(queue->run_id == soon__core->run_id);
	SOON_ASSERT(waiter->wait);
	SOON_ASSERT(!waiter->queue);
	if (!queue->site)
		queue->site = spawn_of(waiter->wait);
	waiter->queue = queue;
	waiter->next = NULL;
	waiter->prev = queue->tail;
	if (queue->tail)
		queue->tail->next = waiter;
	else
		queue->head = waiter;
	queue->tail = waiter;
}

void soon__waitq_remove(struct soon__waiter *waiter)
{
	struct soon__waitq *queue = waiter->queue;

	if (!queue)
		return;
	SOON_ASSERT(queue->head);
	SOON_ASSERT(queue->run_id == soon__core->run_id);
	if (waiter->prev)
		waiter->prev->next = waiter->next;
	else
		queue->head = waiter->next;
	if (waiter->next)
		waiter->next->prev = waiter->prev;
	else
		queue->tail = waiter->prev;
	waiter->queue = NULL;
}

struct soon__waiter *soon__waitq_pop(struct soon__waitq *queue)
{
	struct soon__waiter *waiter = queue->head;

	if (waiter)
		soon__waitq_remove(waiter);
	return waiter;
}

enum soon__abort soon__queued_abort(struct soon__wait *wait)
{
	soon__waitq_remove(&SOON_CONTAINER_OF(wait, struct soon__queued, wait)->waiter);
	return SOON__ABORT_DONE;
}

ssize_t soon__queued_park(struct soon__waitq *queue, struct soon__queued *queued)
{
	ssize_t rc;

	SOON_ASSERT(queued->wait.what);
	queued->waiter.wait = &queued->wait;
	soon__waitq_push(queue, &queued->waiter);
	rc = soon__park(&queued->wait);
	SOON_ASSERT(!queued->waiter.queue);
	return rc;
}
