// SPDX-License-Identifier: Apache-2.0
/*
 * Two ways to push onto a list of many producers and one consumer that can be closed, and then
 * refuses exactly: what soon_post() does, a compare-and-swap loop, and a push that is wait-free, a
 * counter of those let in followed by an exchange. In the latter a node is linked after it can be
 * seen, so the consumer has to wait for a producer that was interrupted in between.
 *
 *	micro_push cas|exchange PRODUCERS		what a push costs its producer
 *
 * Each producer uses a ring of nodes again and waits when the consumer lags, which is not counted.
 */
#include "../common/clock.h"
#include "micro.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES         1024u
#define PUSHES        262144u
#define PRODUCERS_MAX 64u
#define CLOSED        ((uintptr_t)2)
#define GATE_CLOSED   (UINT64_C(1) << 63)

struct node {
	_Atomic(uintptr_t) next; /* CLOSED while the node is not linked yet */
	atomic_int is_pending;
};

struct producer {
	struct node nodes[NODES];
	pthread_t thread;
	uint64_t count;
	int64_t ns; /* of the pushes */
};

static _Alignas(64) struct {
	_Atomic(uintptr_t) head;
	_Atomic(uint64_t) gate;
} list;

static _Alignas(64) atomic_bool is_started;
static bool is_exchange;

static bool push_cas(struct node *node)
{
	uintptr_t seen = atomic_load_explicit(&list.head, memory_order_relaxed);

	do {
		if (seen == CLOSED)
			return false;
		atomic_store_explicit(&node->next, seen, memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(
		&list.head, &seen, (uintptr_t)node, memory_order_acq_rel, memory_order_relaxed));
	return true;
}

static bool push_exchange(struct node *node)
{
	uintptr_t seen;

	/* Let in is who counts before the close adds its bit; it waits for as many. */
	if (atomic_fetch_add_explicit(&list.gate, 1, memory_order_relaxed) & GATE_CLOSED)
		return false;
	atomic_store_explicit(&node->next, CLOSED, memory_order_relaxed);
	seen = atomic_exchange_explicit(&list.head, (uintptr_t)node, memory_order_acq_rel);
	atomic_store_explicit(&node->next, seen, memory_order_release);
	return true;
}

static void *produce(void *arg)
{
	struct producer *self = arg;
	uint64_t at = 0;

	while (!atomic_load_explicit(&is_started, memory_order_acquire))
		sched_yield();
	while (at < self->count) {
		int64_t start_ns;

		/* Half of the nodes at a time, once the last of them is free. */
		while (atomic_load_explicit(&self->nodes[(at + NODES / 2 - 1) % NODES].is_pending,
			memory_order_acquire))
			sched_yield();
		start_ns = now_ns();
		for (unsigned i = 0; i < NODES / 2; i++, at++) {
			struct node *node = &self->nodes[at % NODES];

			if (atomic_exchange_explicit(&node->is_pending, 1, memory_order_acq_rel))
				micro_die("a node is pending", -EBUSY);
			if (!(is_exchange ? push_exchange(node) : push_cas(node)))
				micro_die("a push was refused", -ESHUTDOWN);
		}
		self->ns += now_ns() - start_ns;
	}
	return NULL;
}

static uint64_t consume(void)
{
	struct node *oldest = NULL;
	uint64_t count = 0;
	uintptr_t newest;

	if (atomic_load_explicit(&list.head, memory_order_relaxed) == 0) {
		sched_yield();
		return 0;
	}
	newest = atomic_exchange_explicit(&list.head, 0, memory_order_acq_rel);
	while (newest != 0) {
		struct node *node = (struct node *)newest;
		uintptr_t older;

		while ((older = atomic_load_explicit(&node->next, memory_order_acquire)) == CLOSED)
			sched_yield();
		atomic_store_explicit(&node->next, (uintptr_t)oldest, memory_order_relaxed);
		oldest = node;
		newest = older;
	}
	for (struct node *node = oldest; node != NULL; count++) {
		struct node *next =
			(struct node *)atomic_load_explicit(&node->next, memory_order_relaxed);

		(void)atomic_exchange_explicit(&node->is_pending, 0, memory_order_acq_rel);
		node = next;
	}
	return count;
}

static double measure(struct producer *producers, unsigned count)
{
	uint64_t total = 0;
	uint64_t each = PUSHES / count / NODES * NODES;
	double ns = 0;

	atomic_store(&is_started, false);
	for (unsigned i = 0; i < count; i++) {
		memset(&producers[i], 0, sizeof(producers[i]));
		producers[i].count = each;
		if (pthread_create(&producers[i].thread, NULL, produce, &producers[i]) != 0)
			micro_die("pthread_create", -EAGAIN);
	}
	atomic_store_explicit(&is_started, true, memory_order_release);
	while (total < each * count)
		total += consume();
	for (unsigned i = 0; i < count; i++) {
		(void)pthread_join(producers[i].thread, NULL);
		ns += (double)producers[i].ns;
	}
	return ns / (double)total;
}

int main(int argc, char **argv)
{
	unsigned count = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
	double push[MICRO_REPEATS];
	struct producer *producers;

	if (count == 0 || count > PRODUCERS_MAX)
		micro_die("usage: push cas|exchange PRODUCERS", -EINVAL);
	is_exchange = strcmp(argv[1], "exchange") == 0;
	producers = aligned_alloc(64, count * sizeof(*producers));
	if (producers == NULL)
		micro_die("memory", -ENOMEM);
	for (unsigned i = 0; i < MICRO_REPEATS; i++)
		push[i] = measure(producers, count);
	micro_print("push", micro_median(push, MICRO_REPEATS), "ns");
	free(producers);
	return 0;
}
