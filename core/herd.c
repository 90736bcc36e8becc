// SPDX-License-Identifier: Apache-2.0
/*
 * herd.c: single flight by key.
 *
 * A flight is a task of the core's service group, so that it belongs to none of its callers. It is
 * structured all the same: every caller is counted from its coming to its going, and the last one
 * does not go before the flight has ended. The record of a flight is in the table until it ends,
 * whoever leaves meanwhile, so there are never two for a key; and it is freed by the last caller.
 *
 * A caller that is cancelled is only taken out of the queue by that. It looks when it runs whether
 * it is the last: the cancel of the flight must not be part of the walk that cancelled the caller.
 */
#include <soon/herd.h>
#include <soon/mem.h>

#include "waitq.h"

#include <stdio.h>
#include <string.h>

enum {
	BUCKETS_MIN = 8, /* in the herd itself */
	FLIGHTS_PER_BUCKET = 2,
	VALUE_ALIGNMENT = 16,
};

struct flight {
	struct flight *next; /* in its bucket */
	uint64_t hash;
	struct soon__herd *herd;
	struct soon__waitq callers; /* who waits; all of them at the end */
	soon_task *task;            /* while it runs */
	soon_scope *scope;          /* around `fn`, while it runs */
	soon_herd_fn fn;
	void *arg;
	size_t key_bytes;
	size_t value_bytes;
	uint32_t caller_count; /* who has come and not gone, waiting or about to run */
	int rc;
	bool is_cancelled; /* the last caller was */
	bool is_over;
	char message[SOON_FAILURE_TEXT_BYTES];
	_Alignas(VALUE_ALIGNMENT) char data[]; /* the value, then the key */
};

struct __attribute__((may_alias)) soon__herd {
	struct soon__waitq owner; /* says whose the herd is; nobody waits here */
	struct flight **grown;    /* a larger table, or NULL */
	uint32_t grown_count;     /* its buckets, a power of two */
	uint32_t flight_count;
	struct flight *buckets[BUCKETS_MIN];
};

_Static_assert(sizeof(struct soon__herd) <= sizeof(soon_herd), "a herd fits its storage");

struct herd_wait {
	struct soon__queued queued;
	const struct flight *flight;
};

static struct soon__herd *herd_of(soon_herd *herd)
{
	return (struct soon__herd *)herd;
}

void soon_herd_init(soon_herd *herd)
{
	*herd = (soon_herd)SOON_HERD_INIT;
}

size_t soon_herd_count(const soon_herd *herd)
{
	const struct soon__herd *self = (const struct soon__herd *)herd;

	return soon__waitq_look(&self->owner, self->flight_count > 0, "herd_count")
		? self->flight_count
		: 0;
}

/* The table. */

/* FNV-1a. */
static uint64_t hash_key(const void *key, size_t bytes)
{
	const unsigned char *byte = key;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static struct flight **bucket_of(struct soon__herd *herd, uint64_t hash)
{
	if (herd->grown)
		return &herd->grown[hash & (herd->grown_count - 1)];
	return &herd->buckets[hash & (BUCKETS_MIN - 1)];
}

static const char *key_of(const struct flight *flight)
{
	return flight->data + flight->value_bytes;
}

static struct flight *find(struct soon__herd *herd, const void *key, size_t bytes, uint64_t hash)
{
	struct flight *flight = *bucket_of(herd, hash);

	while (flight &&
		(flight->hash != hash || flight->key_bytes != bytes ||
			(bytes > 0 && memcmp(key_of(flight), key, bytes) != 0)))
		flight = flight->next;
	return flight;
}

static void move_flights(struct soon__herd *herd, struct flight *chain)
{
	while (chain) {
		struct flight *flight = chain;
		struct flight **bucket = bucket_of(herd, flight->hash);

		chain = flight->next;
		flight->next = *bucket;
		*bucket = flight;
	}
}

/* Makes the table larger when its chains get long; without memory they stay so. */
static void grow(struct soon__herd *herd)
{
	uint32_t old_count = herd->grown ? herd->grown_count : BUCKETS_MIN;
	struct flight **old = herd->grown;
	struct flight **table;

	if (herd->flight_count < old_count * FLIGHTS_PER_BUCKET)
		return;
	table = soon_zalloc(old_count * 4 * sizeof *table);
	if (!table)
		return;
	herd->grown = table;
	herd->grown_count = old_count * 4;
	for (uint32_t i = 0; i < old_count; i++)
		move_flights(herd, old ? old[i] : herd->buckets[i]);
	if (old)
		soon_free(old);
	else
		memset(herd->buckets, 0, sizeof herd->buckets);
}

static void table_add(struct soon__herd *herd, struct flight *flight)
{
	grow(herd);
	flight->next = NULL;
	move_flights(herd, flight);
	herd->flight_count++;
}

static void table_remove(struct soon__herd *herd, struct flight *flight)
{
	struct flight **link = bucket_of(herd, flight->hash);

	while (*link != flight)
		link = &(*link)->next;
	*link = flight->next;
	SOON_ASSERT(herd->flight_count > 0);
	if (--herd->flight_count == 0) {
		soon_free(herd->grown);
		herd->grown = NULL;
	}
}

/* The flight. */

/* A -ECANCELED that no caller asked for would tell each that its own scope is cancelled. */
static int result_of(const struct flight *flight, int rc)
{
	if (rc != -ECANCELED || flight->is_cancelled)
		return rc;
	if (soon__task_is_cancelled(flight->task))
		return -ESHUTDOWN; /* with the service group, by the end of the run */
	soon_report_file(SOON_REPORT_ERROR, -EIO,
		"soon_herd_do: the work of task '%s' gave -ECANCELED although nobody cancelled it",
		flight->task->name);
	return -EIO;
}

/* The task: runs the work, then lets everyone go on. */
static int flight_run(struct flight *flight) SOON_SUSPENDS
{
	struct soon__waiter *caller;
	const char *message;
	SOON_SCOPE(scope);

	flight->task = soon__task_self();
	flight->scope = &scope;
	if (flight->is_cancelled)
		soon_scope_cancel(&scope, "nobody waits for the flight");
	flight->rc = flight->fn(flight->arg, key_of(flight), flight->key_bytes, flight->data);
	flight->scope = NULL;
	(void)!soon_scope_close(&scope, 0); /* 0 by definition; what counts is in rc */

	message = soon__task_message(flight->task, flight->rc);
	if (message)
		(void)snprintf(flight->message, sizeof flight->message, "%s", message);
	flight->rc = result_of(flight, flight->rc);
	flight->task = NULL;
	flight->is_over = true;
	table_remove(flight->herd, flight);
	SOON_ASSERT(flight->caller_count > 0);
	while ((caller = soon__waitq_pop(&flight->callers)) != NULL)
		soon__queued_wake(caller, 0);
	return 0;
}

static int flight_start(struct flight *flight, const soon_site *site) SOON_ON_CORE
{
	return soon__background((soon__fn)flight_run, (uint64_t)(uintptr_t)flight, site);
}

/* The callers. */

static const soon_task *flight_holder(const struct soon__wait *wait)
{
	_Static_assert(offsetof(struct herd_wait, queued.wait) == 0, "the wait is what begins it");
	return ((const struct herd_wait *)(const void *)wait)->flight->task;
}

/* Waits for the end of the flight: 0; or -ECANCELED if it may be cancelled, and was. */
static int wait_for_end(struct flight *flight, bool is_cancellable)
{
	struct herd_wait wait = {
		.queued.wait = {
			.abort = is_cancellable ? soon__queued_abort : NULL,
			.what = is_cancellable ? "herd" : "herd, cancelled",
			.holder = flight_holder,
		},
		.flight = flight,
	};

	return (int)soon__queued_park(&flight->callers, &wait.queued);
}

/* Cancelled, and perhaps the last one: then nobody wants the flight any more. */
static int leave(struct flight *flight)
{
	if (flight->is_over)
		return 0; /* meanwhile: the result counts */
	if (flight->caller_count > 1)
		return -ECANCELED;
	flight->is_cancelled = true;
	if (flight->scope)
		soon_scope_cancel(flight->scope, "nobody waits for the flight");
	return wait_for_end(flight, false);
}

/*
 * Gives the caller the result of a flight that is over. One that came to a flight when it was
 * cancelled already, and is not so itself, has to ask for another one: `*ret_again`.
 */
static int take_result(const struct flight *flight, void *ret_value, bool *ret_again)
{
	int rc = flight->rc;

	SOON_ASSERT(flight->is_over);
	if (rc == -ECANCELED) {
		*ret_again = !soon_cancelled();
		return rc;
	}
	if (rc >= 0 && ret_value && flight->value_bytes > 0)
		memcpy(ret_value, flight->data, flight->value_bytes);
	if (rc < 0 && flight->message[0])
		return soon_fail(rc, "%s", flight->message);
	return rc;
}

static int fly_along(struct flight *flight, void *ret_value, bool *ret_again)
{
	int rc;

	flight->caller_count++;
	rc = wait_for_end(flight, true);
	if (rc < 0)
		rc = leave(flight);
	if (rc == 0)
		rc = take_result(flight, ret_value, ret_again);
	if (--flight->caller_count == 0) {
		SOON_ASSERT(flight->is_over);
		soon_free(flight);
	}
	return rc;
}

static SOON_COLD int refuse(int rc, const char *why)
{
	soon_report_file(
		SOON_REPORT_ERROR, rc, "soon_herd_do in task '%s': %s", soon_task_name(NULL), why);
	return rc;
}

static int check_joined(const struct flight *flight, size_t value_bytes)
{
	if (flight->task == soon__task_self())
		return refuse(-EDEADLK, "this is the flight itself, for the same key");
	if (flight->value_bytes != value_bytes)
		return refuse(-EINVAL, "others wait for the key with a value of another size");
	return 0;
}

static struct flight *flight_make(
	const void *key, size_t key_bytes, size_t value_bytes, uint64_t hash)
{
	struct flight *flight = soon_zalloc(sizeof *flight + value_bytes + key_bytes);

	if (!flight)
		return NULL;
	flight->hash = hash;
	flight->callers.run_id = soon__core->run_id;
	flight->key_bytes = key_bytes;
	flight->value_bytes = value_bytes;
	if (key_bytes > 0)
		memcpy(flight->data + value_bytes, key, key_bytes);
	return flight;
}

/* Enters the herd and finds out whether a flight can be for this key. */
static int enter(struct soon__herd *herd, size_t key_bytes, size_t value_bytes)
{
	int rc = soon__checkpoint_inline("herd_do");

	if (rc < 0)
		return rc;
	rc = soon__waitq_enter(&herd->owner, herd->flight_count > 0, "herd_do");
	if (rc < 0)
		return rc;
	soon__waitq_claim(&herd->owner);
	if (key_bytes > SOON_HERD_KEY_BYTES_MAX || value_bytes > SOON_HERD_VALUE_BYTES_MAX)
		return -E2BIG;
	return 0;
}

int soon__herd_do(soon_herd *storage, const void *key, size_t key_bytes, soon_herd_fn fn, void *arg,
	void *ret_value, size_t value_bytes, const soon_site *site)
{
	struct soon__herd *herd = herd_of(storage);
	bool is_again;
	int rc;

	do {
		struct flight *flight;
		uint64_t hash;

		is_again = false;
		rc = enter(herd, key_bytes, value_bytes);
		if (rc < 0)
			return rc;
		hash = hash_key(key, key_bytes);
		flight = find(herd, key, key_bytes, hash);
		if (flight) {
			rc = check_joined(flight, value_bytes);
			if (rc < 0)
				return rc;
		} else {
			flight = flight_make(key, key_bytes, value_bytes, hash);
			if (!flight)
				return -ENOMEM;
			flight->herd = herd;
			flight->fn = fn;
			flight->arg = arg;
			rc = flight_start(flight, site);
			if (rc < 0) {
				soon_free(flight);
				return rc;
			}
			table_add(herd, flight);
		}
		rc = fly_along(flight, ret_value, &is_again);
	} while (is_again);
	return rc;
}
