// SPDX-License-Identifier: Apache-2.0
#include "token.h"

#include <soon/mem.h>

#include "core.h"

#include <stdatomic.h>

struct soon__token_entry {
	soon_callback cancel;
	soon_core *core;
	uint32_t index;
	_Atomic(uint32_t) generation;    /* of its latest use; the core's to change */
	_Atomic(uint32_t) asked;         /* the latest generation that was asked to be cancelled */
	_Atomic(const char *) why;       /* by the last to ask */
	_Atomic(const soon_site *) site; /* ditto */
	struct soon__scope *scope;       /* the core's: NULL while it is free */
	struct soon__token_entry *next;  /* in tokens->free or ->used */
};

/* Chunk k begins at FIRST * (2^k - 1). */
static unsigned chunk_of(uint32_t index)
{
	return 31u - (unsigned)__builtin_clz(index / (uint32_t)SOON__TOKEN_CHUNK_FIRST + 1);
}

static uint32_t chunk_begin(unsigned chunk)
{
	return (uint32_t)SOON__TOKEN_CHUNK_FIRST * ((1u << chunk) - 1);
}

static struct soon__token_entry *entry_at(struct soon__tokens *tokens, uint32_t index)
{
	unsigned chunk = chunk_of(index);
	struct soon__token_entry *entries;

	if (chunk >= SOON__TOKEN_CHUNKS)
		return NULL;
	/* Acquire: pairs with grow(). */
	entries = atomic_load_explicit(&tokens->chunks[chunk], memory_order_acquire);
	return entries ? &entries[index - chunk_begin(chunk)] : NULL;
}

/* On the core: the cancel that was asked for, if its scope is still the one that was meant. */
static void entry_cancel(soon_callback *callback)
{
	struct soon__token_entry *entry =
		SOON_CONTAINER_OF(callback, struct soon__token_entry, cancel);
	/* Relaxed, all: the post orders them. */
	uint32_t asked = atomic_load_explicit(&entry->asked, memory_order_relaxed);

	if (!entry->scope ||
		asked != atomic_load_explicit(&entry->generation, memory_order_relaxed))
		return;
	soon__scope_mark(entry->scope, SOON__CANCELLED, SOON_CANCEL_EXPLICIT,
		atomic_load_explicit(&entry->why, memory_order_relaxed),
		atomic_load_explicit(&entry->site, memory_order_relaxed));
}

static int grow(soon_core *core)
{
	struct soon__tokens *tokens = &core->tokens;
	unsigned chunk = chunk_of(tokens->count);
	uint32_t count = (uint32_t)SOON__TOKEN_CHUNK_FIRST << chunk;
	struct soon__token_entry *entries;

	if (chunk == SOON__TOKEN_CHUNKS)
		return -ENOMEM;
	entries = soon_zalloc(count * sizeof *entries);
	if (!entries)
		return -ENOMEM;
	for (uint32_t i = count; i-- > 0;) {
		entries[i].cancel.fn = entry_cancel;
		entries[i].core = core;
		entries[i].index = tokens->count + i;
		entries[i].next = tokens->free;
		tokens->free = &entries[i];
	}
	tokens->count += count;
	/* Release: pairs with entry_at(). */
	atomic_store_explicit(&tokens->chunks[chunk], entries, memory_order_release);
	return 0;
}

static struct soon__token_entry *entry_of(
	const struct soon__tokens *tokens, const struct soon__scope *scope)
{
	struct soon__token_entry *entry = tokens->used;

	while (entry && entry->scope != scope)
		entry = entry->next;
	return entry;
}

static int scope_token(struct soon__scope *scope, soon_token *ret_token, const char *func)
{
	struct soon__tokens *tokens;
	struct soon__token_entry *entry;
	uint32_t generation;

	if (!scope->is_open)
		return -EINVAL;
	if (!soon__scope_is_here(scope, func))
		return -EPERM;
	tokens = &soon__core->tokens;
	entry = scope->own & SOON__HAS_TOKEN ? entry_of(tokens, scope) : NULL;
	if (!entry) {
		int rc = tokens->free ? 0 : grow(soon__core);

		if (rc < 0)
			return rc;
		entry = tokens->free;
		SOON_ASSERT(entry);
		tokens->free = entry->next;
		entry->next = tokens->used;
		tokens->used = entry;
		entry->scope = scope;
		scope->own |= SOON__HAS_TOKEN;
		/* Relaxed: who has a token got it in order. 0 names nothing, and is left out. */
		generation = atomic_load_explicit(&entry->generation, memory_order_relaxed) + 1;
		atomic_store_explicit(
			&entry->generation, generation ? generation : 1, memory_order_relaxed);
	}
	*ret_token = (soon_token){
		.soon__index = entry->index,
		.soon__generation = atomic_load_explicit(&entry->generation, memory_order_relaxed),
	};
	return 0;
}

int soon_scope_token(soon_scope *scope, soon_token *ret_token)
{
	return scope_token(soon__scope_of(scope), ret_token, "soon_scope_token");
}

int soon_group_token(soon_group *group, soon_token *ret_token)
{
	return scope_token(&soon__group_of(group)->scope, ret_token, "soon_group_token");
}

void soon__token_drop(struct soon__scope *scope)
{
	struct soon__tokens *tokens = &soon__core->tokens;
	struct soon__token_entry **link = &tokens->used;
	struct soon__token_entry *entry;

	while ((*link)->scope != scope)
		link = &(*link)->next;
	entry = *link;
	*link = entry->next;
	entry->scope = NULL;
	entry->next = tokens->free;
	tokens->free = entry;
	scope->own &= (uint8_t)~SOON__HAS_TOKEN;
}

int soon__cancel_from(soon_core *core, soon_token token, const char *why, const soon_site *site)
{
	struct soon__token_entry *entry = entry_at(&core->tokens, token.soon__index);
	uint32_t asked;

	if (!entry || token.soon__generation == 0)
		return 0;
	asked = atomic_load_explicit(&entry->asked, memory_order_relaxed);
	do {
		/* One that was asked for a later use of the entry must not be lost to this. */
		if ((int32_t)(token.soon__generation - asked) < 0)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&entry->asked, &asked,
		token.soon__generation, memory_order_relaxed, memory_order_relaxed));
	atomic_store_explicit(&entry->why, why, memory_order_relaxed);
	atomic_store_explicit(&entry->site, site, memory_order_relaxed);
	return soon_post(core, &entry->cancel);
}
