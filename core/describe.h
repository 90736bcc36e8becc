// SPDX-License-Identifier: Apache-2.0
/*
 * describe.h: a task in one line, for reports and dumps.
 *
 * Everything here is signal-safe on the task's own core: it reads records and writes to memory of
 * the caller's.
 */
#ifndef CORE_DESCRIBE_H
#define CORE_DESCRIBE_H

#include "core/spi/text.h"

#include "task.h"

/* Enough for one task with long names; what is longer is cut. */
#define SOON__DESCRIBE_BYTES 512

/*
 * Describes a task: "'serve' #4, spawned at server.c:12, parked in recv fd 7 for 1.2 s, cancel
 * requested 0.5 s ago". Its core's thread only. Returns `buf`.
 */
const char *soon__task_describe(const soon_task *task, char *buf, size_t size);

/* The pieces of that line. */
void soon__text_task_name(struct soon__text *text, const soon_task *task);  /* 'serve' #4 */
void soon__text_task_state(struct soon__text *text, const soon_task *task); /* parked in ... */

/* The one task that has to act before `task` can go on; NULL: none, or nobody in particular. */
const soon_task *soon__task_holder(const soon_task *task);

#endif
