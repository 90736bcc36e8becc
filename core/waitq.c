// SPDX-License-Identifier: Apache-2.0
#include "waitq.h"

#include "fork.h"

#include <stdio.h>

/* Enough for a run and a task with its name and place; cut beyond. */
enum { PARTY_BYTES = 240 };

/* Whose the object is. Sites are static: they outlive the task, its run and its thread. */
static SOON_COLD const char *name_owner(
	const struct soon__waitq *queue, const soon_site *holder, char text[static PARTY_BYTES])
{
	const soon_site *site = holder ? holder : queue->site;
	int len = snprintf(text, PARTY_BYTES, "run %ju of this process", (uintmax_t)queue->run_id);

	if (site && len > 0 && len < PARTY_BYTES)
		(void)snprintf(text + len, (size_t)(PARTY_BYTES - len),
			", where a task '%s', spawned at %s:%d, %s", site->what, site->file,
			site->line, holder ? "holds it" : "was the first to wait for it");
	return text;
}

static SOON_COLD int refuse(
	const struct soon__waitq *queue, const soon_site *holder, int rc, const char *what)
{
	char owner[PARTY_BYTES];

	if (!soon__core && soon__fork_refuse(what) < 0)
		return -EOWNERDEAD;
	if (!soon__core)
		soon_report_file(SOON_REPORT_ERROR, rc,
			"soon_%s: must be called on a core's thread; this one runs none", what);
	else if (rc == -EPERM)
		soon_report_file(SOON_REPORT_ERROR, rc,
			"soon_%s: task '%s' of run %ju uses an object that belongs to another "
			"core, to %s",
			what, soon_task_name(NULL), (uintmax_t)soon__core->run_id,
			name_owner(queue, holder, owner));
	else
		soon_report_file(SOON_REPORT_ERROR, rc,
			"soon_%s: task '%s' of run %ju uses an object that an ended run left in "
			"use and that nobody has initialised since: %s",
			what, soon_task_name(NULL), (uintmax_t)soon__core->run_id,
			name_owner(queue, holder, owner));
	return rc;
}

bool soon__waitq_look_slow(const struct soon__waitq *queue, bool is_held, const char *what)
{
	bool is_in_use = is_held || queue->head || queue->site;

	if (queue->run_id == 0 || !is_in_use || !soon__run_is_live(queue->run_id))
		return true;
	(void)refuse(queue, NULL, -EPERM, what);
	return false;
}

int soon__waitq_enter_slow(
	struct soon__waitq *queue, bool is_held, const soon_site *holder, const char *what)
{
	const soon_core *core = soon__core;
	bool is_idle = !is_held && !queue->head;

	if (!is_held)
		holder = NULL; /* of the past */
	if (!core)
		return refuse(queue, holder, -EPERM, what);
	SOON_ASSERT(queue->run_id != core->run_id);
	if (queue->run_id != 0 && soon__run_is_live(queue->run_id)) {
		if (!is_idle || queue->site)
			return refuse(queue, holder, -EPERM, what);
	} else if (queue->run_id != 0 && !is_idle) {
		return refuse(queue, holder, -EOWNERDEAD, what);
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
