// SPDX-License-Identifier: Apache-2.0
/*
 * token.h: names of scopes for other threads.
 *
 * A core has a table of entries, each with a generation that counts its uses. Entries are never
 * freed, as cores are not, and each holds the callback that carries a cancel: so who has a token
 * needs no memory for it and cannot touch any that is gone. A scope that has an entry says so by a
 * bit of its own, which makes its close look here.
 */
#ifndef CORE_TOKEN_H
#define CORE_TOKEN_H

#include <soon/calls.h>

#include "group.h"

enum {
	SOON__TOKEN_CHUNK_FIRST = 16, /* entries of the first chunk; each has twice the last's */
	SOON__TOKEN_CHUNKS = 16,
};

struct soon__token_entry;

struct soon__tokens {
	struct soon__token_entry *_Atomic(chunks)[SOON__TOKEN_CHUNKS];
	struct soon__token_entry *free; /* the core's, and all below */
	struct soon__token_entry *used; /* the entries of open scopes */
	uint32_t count;                 /* entries that there are */
};

/* The scope, which has an entry, is being closed. */
void soon__token_drop(struct soon__scope *scope);

#endif
