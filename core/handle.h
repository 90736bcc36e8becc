// SPDX-License-Identifier: Apache-2.0
/*
 * handle.h: what users hold of a task.
 *
 * A record's place is used again by later tasks, and handles may be kept too long. So a handle is
 * the record's address with the lowest bits of the task's number in the bits that are zero in it:
 * one that outlived its group is told from the task that is there now, but for one in 64, and one
 * whose place is empty or from another run always. Inside the core only records are passed on.
 */
#ifndef CORE_HANDLE_H
#define CORE_HANDLE_H

#include "task.h"

#define SOON__HANDLE_TAGS UINT64_C(64) /* records are aligned to as many bytes */

static inline soon_task *soon__handle_of(const soon_task *task)
{
	return (soon_task *)((uintptr_t)task | (task->id & (SOON__HANDLE_TAGS - 1)));
}

/* The first number after `last` that a task may change its own for: its handle stays what it is. */
static inline uint64_t soon__handle_next_id(uint64_t last, uint64_t id)
{
	return last + 1 + ((id - last - 1) & (SOON__HANDLE_TAGS - 1));
}

/* The record that a handle of a task that is there stands for. */
static inline soon_task *soon__handle_record(const soon_task *handle)
{
	return (soon_task *)((uintptr_t)handle & ~(uintptr_t)(SOON__HANDLE_TAGS - 1));
}

/*
 * Finds the record of a handle. Errors, each with a report that names `what`: -ESHUTDOWN the task's
 * group is closed, or its run over; -EPERM it lives on another thread's core.
 */
int soon__handle_read(const soon_task *handle, const char *what, soon_task **ret_task);

#endif
