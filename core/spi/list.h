// SPDX-License-Identifier: Apache-2.0
/*
 * list.h: an intrusive doubly linked list with a head, and a FIFO queue on single links. A node is
 * on at most one list; a node that is on none points to itself, so removal is idempotent.
 *
 * A signal handler on the list's thread may walk it forwards at any moment: a node gets its own
 * links before the list gets it, and the compiler may not turn that round.
 */
#ifndef CORE_SPI_LIST_H
#define CORE_SPI_LIST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct soon__list {
	struct soon__list *next, *prev;
};

static inline void soon__list_init(struct soon__list *list)
{
	list->next = list->prev = list;
}

static inline bool soon__list_is_empty(const struct soon__list *list)
{
	return list->next == list;
}

static inline void soon__list_push_tail(struct soon__list *list, struct soon__list *node)
{
	node->next = list;
	node->prev = list->prev;
	atomic_signal_fence(memory_order_release);
	list->prev->next = node;
	list->prev = node;
}

static inline void soon__list_push_head(struct soon__list *list, struct soon__list *node)
{
	node->prev = list;
	node->next = list->next;
	atomic_signal_fence(memory_order_release);
	list->next->prev = node;
	list->next = node;
}

static inline void soon__list_remove(struct soon__list *node)
{
	node->next->prev = node->prev;
	node->prev->next = node->next;
	atomic_signal_fence(memory_order_release);
	node->next = node->prev = node;
}

/* Removes and returns the first node, NULL when there is none. */
static inline struct soon__list *soon__list_pop(struct soon__list *list)
{
	struct soon__list *node = list->next;

	if (node == list)
		return NULL;
	soon__list_remove(node);
	return node;
}

#endif
