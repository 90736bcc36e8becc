// SPDX-License-Identifier: Apache-2.0
/*
 * local.c: task-locals.
 *
 * A task's values lie in a table that its children share until one of the sharers changes
 * something: so a spawn costs one count. Only where a key has a dup, each task has a table of its
 * own from the start, because that is when its values are to be copied.
 *
 * A value with a drop but no dup is shared beyond tables, through a counted box. Tables are counted
 * by the core's thread alone. Boxes are counted with atomics: a copy that an offload thread makes
 * for itself shares them, while tasks come and go.
 */
#include "local.h"

#include <soon/mem.h>

#include "core.h"

#include <stdatomic.h>
#include <string.h>

struct box {
	atomic_uint holders; /* tables with the value */
};

struct entry {
	const soon_local *key;
	void *value;     /* never NULL */
	struct box *box; /* of a value with a drop and no dup; NULL for others */
};

struct soon__locals {
	unsigned sharers; /* tasks that have this table */
	unsigned count;
	bool has_dups;          /* of keys: then there is one sharer */
	struct entry entries[]; /* the oldest first */
};

static size_t table_bytes(unsigned count)
{
	return sizeof(struct soon__locals) + count * sizeof(struct entry);
}

static struct soon__locals *table_make(unsigned count)
{
	struct soon__locals *table = soon_malloc(table_bytes(count));

	if (table) {
		table->sharers = 1;
		table->count = 0;
		table->has_dups = false;
	}
	return table;
}

static void value_drop(const struct entry *entry)
{
	if (!entry->key->drop)
		return;
	if (entry->box) {
		/* Whoever drops has to see what the others did with the value: acquire, release. */
		if (atomic_fetch_sub_explicit(&entry->box->holders, 1, memory_order_acq_rel) > 1)
			return;
		soon_free(entry->box);
	}
	entry->key->drop(entry->value);
}

/* The last value that was set goes first. */
static void table_free(struct soon__locals *table)
{
	while (table->count > 0)
		value_drop(&table->entries[--table->count]);
	soon_free(table);
}

/* Appends a copy of the value; -ENOMEM. */
static int entry_copy(struct soon__locals *table, const struct entry *from)
{
	struct entry *to = &table->entries[table->count];

	*to = *from;
	if (from->key->dup) {
		to->value = from->key->dup(from->value);
		if (!to->value)
			return -ENOMEM;
		table->has_dups = true;
	} else if (from->box) {
		/* Relaxed: who counts up has a share already. */
		(void)atomic_fetch_add_explicit(&from->box->holders, 1, memory_order_relaxed);
	}
	table->count++;
	return 0;
}

/* NULL when memory is short. */
static struct soon__locals *table_copy(const struct soon__locals *from)
{
	struct soon__locals *table = table_make(from->count);

	if (!table)
		return NULL;
	for (unsigned i = 0; i < from->count; i++) {
		if (entry_copy(table, &from->entries[i]) < 0) {
			table_free(table);
			return NULL;
		}
	}
	return table;
}

static struct entry *entry_of(struct soon__locals *table, const soon_local *key)
{
	if (!table)
		return NULL;
	for (unsigned i = 0; i < table->count; i++) {
		if (table->entries[i].key == key)
			return &table->entries[i];
	}
	return NULL;
}

/* What a task has. */

int soon__locals_inherit(soon_core *core, struct soon__locals **ret_locals)
{
	const soon_task *spawner = core->sched.current;
	struct soon__locals *table = spawner ? spawner->locals : NULL;

	*ret_locals = NULL;
	if (!table)
		return 0;
	if (table->has_dups)
		table = table_copy(table);
	else
		table->sharers++;
	if (!table)
		return -ENOMEM;
	core->locals_count++;
	*ret_locals = table;
	return 0;
}

void soon__locals_drop(soon_core *core, struct soon__locals *locals)
{
	SOON_ASSERT(core->locals_count > 0);
	SOON_ASSERT(locals->sharers > 0);
	core->locals_count--;
	if (--locals->sharers == 0)
		table_free(locals);
}

void soon__task_drop_locals(soon_task *task)
{
	struct soon__locals *locals;

	/* A drop may look for its own value, or set others. */
	while ((locals = task->locals) != NULL) {
		task->locals = NULL;
		soon__locals_drop(task->core, locals);
	}
}

int soon__locals_view_copy(struct soon__locals_view *view, const struct soon__locals *from)
{
	view->locals = from ? table_copy(from) : NULL;
	view->is_own = view->locals != NULL;
	return from && !view->locals ? -ENOMEM : 0;
}

void soon__locals_view_end(struct soon__locals_view *view)
{
	while (view->is_own) {
		struct soon__locals *locals = view->locals;

		*view = (struct soon__locals_view){ 0 };
		table_free(locals);
	}
}

/* Setting and getting, for tasks and for threads that work for one. */

/* Where the caller's table hangs; nothing where it is neither a task nor works for one. */
struct place {
	struct soon__locals **slot;
	struct soon__locals_view *view; /* of an offload thread; NULL for a task */
};

static struct place place_of_caller(void)
{
	soon_task *task = soon__task_self();
	struct soon__locals_view *view = task ? NULL : soon__offload_view();

	if (task)
		return (struct place){ .slot = &task->locals };
	return (struct place){ .slot = view ? &view->locals : NULL, .view = view };
}

/* Makes sure that the place has a table that nobody shares. Errors: -ENOMEM. */
static int place_own(const struct place *place)
{
	struct soon__locals *old = *place->slot, *table;

	if (old && (place->view ? place->view->is_own : old->sharers == 1))
		return 0;
	table = old ? table_copy(old) : table_make(1);
	if (!table)
		return -ENOMEM;
	if (place->view)
		place->view->is_own = true;
	else if (old)
		old->sharers--;
	else
		soon__core->locals_count++;
	*place->slot = table;
	return 0;
}

static int box_make(const soon_local *key, struct box **ret_box)
{
	struct box *box = NULL;

	if (key->drop && !key->dup) {
		box = soon_malloc(sizeof *box);
		if (!box)
			return -ENOMEM;
		atomic_init(&box->holders, 1);
	}
	*ret_box = box;
	return 0;
}

/* Appends an entry to a table that nobody shares. */
static int append(struct soon__locals **slot, const struct entry *entry)
{
	struct soon__locals *table = *slot;

	if (table->count == SOON_LOCALS_MAX)
		return -E2BIG;
	table = soon_realloc(table, table_bytes(table->count + 1));
	if (!table)
		return -ENOMEM;
	table->entries[table->count++] = *entry;
	table->has_dups = table->has_dups || entry->key->dup;
	*slot = table;
	return 0;
}

static int set_value(const struct place *place, const soon_local *key, void *value)
{
	struct entry fresh = { .key = key, .value = value }, old;
	struct entry *entry;
	int rc = place_own(place);

	if (rc == 0)
		rc = box_make(key, &fresh.box);
	if (rc < 0)
		return rc;
	entry = entry_of(*place->slot, key);
	if (!entry) {
		rc = append(place->slot, &fresh);
		if (rc < 0)
			soon_free(fresh.box);
		return rc;
	}
	/* In this order: the drop may itself come here. */
	old = *entry;
	*entry = fresh;
	value_drop(&old);
	return 0;
}

static int take_away(const struct place *place, const soon_local *key)
{
	struct entry *entry = entry_of(*place->slot, key), old;
	struct soon__locals *table;
	size_t at;
	int rc;

	if (!entry)
		return 0;
	at = (size_t)(entry - (*place->slot)->entries); /* a copy has the same order */
	rc = place_own(place);
	if (rc < 0)
		return rc;
	table = *place->slot;
	entry = &table->entries[at];
	old = *entry;
	table->count--;
	memmove(entry, entry + 1, (table->count - at) * sizeof *entry);
	value_drop(&old);
	return 0;
}

int soon_local_set(const soon_local *key, void *value)
{
	struct place place = place_of_caller();

	if (!place.slot) {
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_local_set('%s'): must be called in a task or by a function that one "
			"has offloaded",
			key->name ? key->name : "");
		return -EPERM;
	}
	return value ? set_value(&place, key, value) : take_away(&place, key);
}

void *soon_local_get(const soon_local *key)
{
	struct place place = place_of_caller();
	const struct entry *entry = place.slot ? entry_of(*place.slot, key) : NULL;

	return entry ? entry->value : NULL;
}
