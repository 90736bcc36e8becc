// SPDX-License-Identifier: Apache-2.0
/*
 * symbol.h: the function that an address belongs to, by name.
 *
 * Asked in signal handlers, so nothing is allocated or locked. The module comes from the dynamic
 * linker's lock-free table; the name from the module's file, whose full symbol table also knows
 * static functions: read by open and pread, or left alone when the file is not the one that was
 * loaded. What was found is kept, since stacks have most of their functions in common.
 */
#ifndef CORE_SYMBOL_H
#define CORE_SYMBOL_H

#include "core/spi/text.h"

#define SOON__SYMBOL_BYTES  64 /* of a name, the end included; longer ones are cut */
#define SOON__SYMBOLS_KEPT  256
#define SOON__SYMBOLS_CHUNK 128 /* read at a time, when a table is searched */

struct soon__symbol {
	uintptr_t pc;       /* what was asked for; 0: a free place */
	uintptr_t offset;   /* from the function, or from the module when it has no name */
	const char *module; /* the file's name without its folder; NULL: in no module */
	char name[SOON__SYMBOL_BYTES]; /* empty: not known */
};

/* Whoever asks has one; zero it first. What it holds is true as long as no module goes. */
struct soon__symbols {
	struct soon__symbol kept[SOON__SYMBOLS_KEPT];
	uint64_t chunk[SOON__SYMBOLS_CHUNK * 3]; /* raw symbols of a file */
};

/* Forgets what was found: modules may have come and gone. */
void soon__symbols_reset(struct soon__symbols *symbols);

/* Finds the function around `pc`; never NULL. `is_return`: the call before `pc` is meant. */
const struct soon__symbol *soon__symbol_find(
	struct soon__symbols *symbols, uintptr_t pc, bool is_return);

/* Adds "serve+0x1c (server)", or what is known of it. */
void soon__text_symbol(struct soon__text *text, const struct soon__symbol *symbol);

#endif
