// SPDX-License-Identifier: Apache-2.0
#include "describe.h"

#include "core.h"
#include "origin.h"

void soon__text_task_name(struct soon__text *text, const soon_task *task)
{
	soon__text_str(text, "'");
	soon__text_str(text, task->name);
	soon__text_str(text, "' #");
	soon__text_uint(text, task->id);
}

const soon_task *soon__task_holder(const soon_task *task)
{
	const struct soon__wait *wait = task->wait;

	if (!wait)
		return NULL;
	if (task->advanced)
		return task->advanced;
	return wait->holder ? wait->holder(wait) : NULL;
}

static void put_cancel(struct soon__text *text, const soon_task *task)
{
	const struct soon__wait *wait = task->wait;

	if (wait && wait->is_aborted) {
		/* Asked for, but the operation does not end before it is done: a disk's write. */
		soon__text_str(text, ", cancel requested ");
		soon__text_duration(text, soon__clock_peek(&task->core->clock) - task->aborted_at);
		soon__text_str(text, " ago");
	} else if (soon__task_is_cancelled(task)) {
		soon__text_str(text, ", cancelled");
	}
}

static void put_wait(struct soon__text *text, const soon_task *task)
{
	const struct soon__wait *wait = task->wait;
	const soon_task *holder = soon__task_holder(task);

	soon__text_str(text, "parked in ");
	soon__text_str(text, wait->what);
	if (wait->tell)
		wait->tell(wait, text);
	if (holder) {
		soon__text_str(text, " of ");
		soon__text_task_name(text, holder);
	}
	soon__text_str(text, " for ");
	soon__text_duration(text, soon__clock_peek(&task->core->clock) - wait->parked_at);
}

void soon__text_task_state(struct soon__text *text, const soon_task *task)
{
	switch ((enum soon__task_state)task->state) {
	case SOON__TASK_READY:
		soon__text_str(text, "ready");
		break;
	case SOON__TASK_RUNNING:
		soon__text_str(text, "running");
		break;
	case SOON__TASK_PARKED:
		/* A signal may have come just before its wait was unlinked, or after. */
		if (task->wait)
			put_wait(text, task);
		else
			soon__text_str(text, "ready");
		break;
	case SOON__TASK_ENDED:
		soon__text_str(text, "ended with ");
		soon__text_errno(text, task->rc);
		return; /* its scopes are gone */
	}
	put_cancel(text, task);
}

const char *soon__task_describe(const soon_task *task, char *buf, size_t size)
{
	struct soon__text text;

	soon__text_init(&text, buf, size, SOON__TEXT_NO_FD);
	soon__text_task_name(&text, task);
	soon__text_str(&text, ", spawned at ");
	soon__text_site(&text, task->site);
	soon__text_str(&text, ", ");
	soon__text_task_state(&text, task);
	if (task->origin) {
		soon__text_str(&text, ", spawned");
		soon__text_origin(&text, task);
	}
	return buf;
}
