// SPDX-License-Identifier: Apache-2.0
/*
 * explore_memory.c: the explorer's memory, and the functions by which code that was compiled with
 * -fsanitize=thread reaches it.
 *
 * Each atomic variable has the history of its values, in the order in which they were written. A
 * thread knows, for each variable, up to which value it has come: a load returns that or any later
 * one. What a thread knows is its view. A release leaves the view with the value, an acquire that
 * returns the value adds it to its own. A read-modify-write takes the newest value and hands on
 * what lay with it. So a missing acquire or release shows as an old value, or as an access that
 * nothing orders: each byte remembers who touched it last, and every conflicting access of another
 * thread has to know of that.
 *
 * Weaker than this is only what C11 allows besides: a store takes effect at once and after all
 * others, so no load returns a value that is written later in the same run, and two threads' stores
 * are ordered as they ran.
 */
#include "explore_run.h"

#include <stdatomic.h>
#include <string.h>

#define VALUES_MAX 384u
#define LINES      4096u /* a power of two */
#define LINE_BYTES 8u
#define WORD_BYTES 4u
#define FREED_MAX  16u
#define OLDER_MAX  3u /* choices of a load besides the newest */

struct value {
	uint64_t word;
	struct view view;
};

struct place {
	const void *addr;
	unsigned count;
	unsigned oldest; /* what is before it was overwritten without an atomic */
	bool is_dirty;   /* overwritten so, and not looked at since */
	struct value values[VALUES_MAX];
};

/* When which thread has touched a byte last, by its own clock; 0: never. */
struct touches {
	uint16_t writes[EXPLORE_THREADS_MAX], reads[EXPLORE_THREADS_MAX];
	uint16_t stores[EXPLORE_THREADS_MAX], loads[EXPLORE_THREADS_MAX];
};

/* Eight bytes of memory. */
struct line {
	uintptr_t addr;
	uint64_t run; /* in which it was used last */
	struct touches bytes[LINE_BYTES];
};

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_LOAD, ACCESS_STORE };

static struct place places[PLACES_MAX];
static unsigned places_count;
static struct view sc_view; /* of the sequentially consistent operations */
static struct line lines[LINES];
static uint64_t run = 1;
static struct {
	uintptr_t addr;
	size_t bytes;
} freed[FREED_MAX];
static unsigned freed_count;

void explore_memory_reset(void)
{
	places_count = 0;
	freed_count = 0;
	sc_view = (struct view){ 0 };
	run++;
}

void explore_join(struct view *b, const struct view *a)
{
	for (unsigned i = 0; i < CLOCKS; i++)
		b->at[i] = a->at[i] > b->at[i] ? a->at[i] : b->at[i];
}

/* Races. */

static bool knows(const uint16_t *times, unsigned *ret_other)
{
	const struct view *view = explore_current->view;
	unsigned self = explore_current->clock - PLACES_MAX;

	for (unsigned i = 0; i < EXPLORE_THREADS_MAX; i++) {
		if (i != self && times[i] > view->at[PLACES_MAX + i]) {
			*ret_other = i;
			return false;
		}
	}
	return true;
}

static struct line *line_of(uintptr_t addr)
{
	uintptr_t base = addr & ~(uintptr_t)(LINE_BYTES - 1);
	uint64_t hash = base / LINE_BYTES * UINT64_C(0x9e3779b97f4a7c15) >> 40;

	for (unsigned i = 0; i < LINES; i++) {
		struct line *line = &lines[(hash + i) % LINES];

		if (line->run != run)
			*line = (struct line){ .addr = base, .run = run };
		if (line->addr == base)
			return line;
	}
	explore_fail("too much memory is touched");
}

static void check_freed(uintptr_t addr, size_t bytes)
{
	for (unsigned i = 0; i < freed_count; i++) {
		if (addr < freed[i].addr + freed[i].bytes && freed[i].addr < addr + bytes)
			explore_fail("memory is touched that is freed");
	}
}

static void touch(uintptr_t addr, size_t bytes, enum access access)
{
	static const char *const names[] = { "read", "write", "atomic load", "atomic store" };
	unsigned self = explore_current->clock - PLACES_MAX, other, step;
	uint16_t time = ++explore_current->view->at[explore_current->clock];

	if (freed_count > 0)
		check_freed(addr, bytes);
	/* Of whole words one byte each: nobody touches them but as such, or as part of more. */
	step = (addr | bytes) % WORD_BYTES == 0 ? WORD_BYTES : 1;
	for (size_t i = 0; i < bytes; i += step) {
		struct touches *byte = &line_of(addr + i)->bytes[(addr + i) % LINE_BYTES];
		bool is_ordered = knows(byte->writes, &other);

		if (access == ACCESS_WRITE || access == ACCESS_STORE)
			is_ordered = is_ordered && knows(byte->reads, &other);
		if (access == ACCESS_READ || access == ACCESS_WRITE)
			is_ordered = is_ordered && knows(byte->stores, &other);
		if (access == ACCESS_WRITE)
			is_ordered = is_ordered && knows(byte->loads, &other);
		if (!is_ordered)
			explore_fail("a data race: this %s and an access of thread %u",
				names[access], other);
		(access == ACCESS_READ                   ? byte->reads
				: access == ACCESS_WRITE ? byte->writes
				: access == ACCESS_LOAD  ? byte->loads
							 : byte->stores)[self] = time;
	}
}

void explore_free(const void *addr, size_t bytes)
{
	touch((uintptr_t)addr, bytes, ACCESS_WRITE);
	if (freed_count == FREED_MAX)
		explore_fail("too much memory is freed");
	freed[freed_count].addr = (uintptr_t)addr;
	freed[freed_count++].bytes = bytes;
}

/* Atomic variables. */

static uint64_t read_word(const void *addr, unsigned bytes)
{
	uint64_t word = 0;

	memcpy(&word, addr, bytes);
	return word;
}

uint64_t explore_peek(const void *addr, unsigned bytes)
{
	return read_word(addr, bytes);
}

static struct place *find_place(const void *addr)
{
	for (unsigned i = 0; i < places_count; i++) {
		if (places[i].addr == addr)
			return &places[i];
	}
	return NULL;
}

static unsigned index_of(const struct place *place)
{
	return (unsigned)(place - places);
}

/* The newest value; nobody has read it. */
static struct value *add_value(struct place *place, uint64_t word)
{
	struct value *value = &place->values[place->count];

	if (place->count == VALUES_MAX)
		explore_fail("more than %u values of one variable", VALUES_MAX);
	*value = (struct value){ .word = word };
	value->view.at[index_of(place)] = (uint16_t)place->count++;
	return value;
}

/* The history of a variable; what it held when nobody looked is its first value, known to all. */
static struct place *place_of(const void *addr, unsigned bytes)
{
	struct place *place = find_place(addr);

	if (!place) {
		if (places_count == PLACES_MAX)
			explore_fail("more than %u atomic variables", PLACES_MAX);
		place = &places[places_count++];
		place->addr = addr;
		place->count = 0;
		place->oldest = 0;
		place->is_dirty = false;
		(void)add_value(place, bytes > 0 ? read_word(addr, bytes) : 0);
	} else if (place->is_dirty) {
		place->is_dirty = false;
		place->oldest = place->count;
		(void)add_value(place, read_word(addr, bytes));
	}
	return place;
}

/* A plain write: whoever may look at the variable afterwards knows of it. */
static void note_overwritten(uintptr_t addr, size_t bytes)
{
	for (unsigned i = 0; i < places_count; i++)
		places[i].is_dirty |= (uintptr_t)places[i].addr - addr < bytes;
}

static bool is_acquire(int order)
{
	return order == memory_order_acquire || order == memory_order_acq_rel ||
		order == memory_order_seq_cst || order == memory_order_consume;
}

static bool is_release(int order)
{
	return order == memory_order_release || order == memory_order_acq_rel ||
		order == memory_order_seq_cst;
}

static const char *order_name(int order)
{
	static const char *const names[] = { "relaxed", "consume", "acquire", "release", "acq_rel",
		"seq_cst" };

	return names[order & 7];
}

/* Takes note that a value was read. */
static uint64_t take_value(struct place *place, unsigned index, int order)
{
	struct view *view = explore_current->view;

	view->at[index_of(place)] = (uint16_t)index;
	if (is_acquire(order))
		explore_join(view, &place->values[index].view);
	return place->values[index].word;
}

static unsigned oldest_readable(const struct place *place)
{
	unsigned known = explore_current->view->at[index_of(place)];

	return known > place->oldest ? known : place->oldest;
}

/*
 * Sequentially consistent operations have an order, which is that of the run: of the variable, none
 * of them sees less than those before it. Of other variables that says nothing.
 */
static struct place *begin(const void *addr, unsigned bytes, int order, enum access access)
{
	struct place *place;
	uint16_t *known;

	explore_step(NULL);
	touch((uintptr_t)addr, bytes, access);
	place = place_of(addr, bytes);
	known = &explore_current->view->at[index_of(place)];
	if (order == memory_order_seq_cst && *known < sc_view.at[index_of(place)])
		*known = sc_view.at[index_of(place)];
	return place;
}

static void end(const struct place *place, int order)
{
	if (order == memory_order_seq_cst)
		sc_view.at[index_of(place)] = explore_current->view->at[index_of(place)];
}

static uint64_t load(const void *addr, unsigned bytes, int order)
{
	struct place *place = begin(addr, bytes, order, ACCESS_LOAD);
	unsigned newest, older;
	uint64_t word;

	newest = place->count - 1;
	older = newest - oldest_readable(place);
	older = older < OLDER_MAX ? older : OLDER_MAX;
	older = explore_pick_value(older + 1);
	word = take_value(place, newest - older, order);
	end(place, order);
	explore_trace("load %p -> %#jx %s%s", addr, (uintmax_t)word, order_name(order),
		older > 0 ? " (an old value)" : "");
	return word;
}

/* Adds a value; `before` is what a read-modify-write has read, and hands on. */
static void put(struct place *place, void *addr, unsigned bytes, uint64_t word, int order,
	const struct value *before)
{
	struct view *view = explore_current->view;
	struct value *value = add_value(place, word);

	view->at[index_of(place)] = (uint16_t)(place->count - 1);
	if (is_release(order))
		explore_join(&value->view, view);
	if (before)
		explore_join(&value->view, &before->view);
	memcpy(addr, &word, bytes);
}

static void store(void *addr, unsigned bytes, uint64_t word, int order)
{
	struct place *place = begin(addr, bytes, order, ACCESS_STORE);

	put(place, addr, bytes, word, order, NULL);
	end(place, order);
	explore_trace("store %p <- %#jx %s", addr, (uintmax_t)word, order_name(order));
}

typedef uint64_t (*modify_fn)(uint64_t old, uint64_t operand);

static uint64_t modify(
	void *addr, unsigned bytes, uint64_t operand, int order, modify_fn fn, const char *what)
{
	struct place *place = begin(addr, bytes, order, ACCESS_STORE);
	uint64_t old, word;

	old = take_value(place, place->count - 1, order);
	word = fn(old, operand);
	if (bytes < 8)
		word &= (UINT64_C(1) << 8 * bytes) - 1;
	put(place, addr, bytes, word, order, &place->values[place->count - 1]);
	end(place, order);
	explore_trace("%s %p: %#jx -> %#jx %s", what, addr, (uintmax_t)old, (uintmax_t)word,
		order_name(order));
	return old;
}

/* A failed one is a load, and may have read any value but the expected one. */
static bool compare_exchange(void *addr, unsigned bytes, uint64_t *expected, uint64_t word,
	int order, int fail_order, bool is_weak)
{
	unsigned readable[OLDER_MAX + 2], count = 0, newest, taken;
	struct place *place = begin(addr, bytes, order, ACCESS_STORE);
	bool is_done;

	newest = place->count - 1;
	readable[count++] = newest;
	if (is_weak && place->values[newest].word == *expected)
		readable[count++] = newest; /* fails for no reason */
	for (unsigned i = newest; i > oldest_readable(place) && count <= OLDER_MAX; i--) {
		if (place->values[i - 1].word != *expected)
			readable[count++] = i - 1;
	}
	taken = explore_pick_value(count);
	is_done = taken == 0 && place->values[newest].word == *expected;
	if (is_done) {
		(void)take_value(place, newest, order);
		put(place, addr, bytes, word, order, &place->values[newest]);
	} else {
		*expected = take_value(place, readable[taken], fail_order);
	}
	end(place, order);
	explore_trace("compare %p: %s, %#jx %s", addr, is_done ? "exchanged" : "is",
		(uintmax_t)(is_done ? word : *expected), order_name(is_done ? order : fail_order));
	return is_done;
}

struct explore_stamp explore_stamp(void)
{
	unsigned clock = explore_current->clock;

	return (struct explore_stamp){ clock, ++explore_current->view->at[clock] };
}

bool explore_knows(struct explore_stamp stamp)
{
	return stamp.time > 0 && explore_current->view->at[stamp.clock] >= stamp.time;
}

/* Objects that the kernel or the C library synchronises. */

void explore_release(const void *object)
{
	struct place *place = place_of(object, 0);
	struct value *value = &place->values[place->count - 1];

	explore_current->view->at[explore_current->clock]++;
	explore_join(&value->view, explore_current->view);
}

void explore_acquire(const void *object)
{
	struct place *place = place_of(object, 0);

	explore_join(explore_current->view, &place->values[place->count - 1].view);
}

/* What the compiler calls. */

static void plain(const void *addr, size_t bytes, enum access access)
{
	if (!explore_current || !explore_is_tracked((uintptr_t)addr))
		return;
	touch((uintptr_t)addr, bytes, access);
	if (access == ACCESS_WRITE)
		note_overwritten((uintptr_t)addr, bytes);
}

static uint64_t do_exchange(uint64_t old, uint64_t operand)
{
	(void)old;
	return operand;
}

static uint64_t do_add(uint64_t old, uint64_t operand)
{
	return old + operand;
}

static uint64_t do_sub(uint64_t old, uint64_t operand)
{
	return old - operand;
}

static uint64_t do_and(uint64_t old, uint64_t operand)
{
	return old & operand;
}

static uint64_t do_or(uint64_t old, uint64_t operand)
{
	return old | operand;
}

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

#define PLAIN(name, access, bytes)                                                                 \
	void __tsan_##name(void *addr);                                                            \
	void __tsan_##name(void *addr)                                                             \
	{                                                                                          \
		plain(addr, (bytes), (access));                                                    \
	}
#define PLAIN_RANGE(name, access)                                                                  \
	void __tsan_##name(void *addr, size_t bytes);                                              \
	void __tsan_##name(void *addr, size_t bytes)                                               \
	{                                                                                          \
		plain(addr, bytes, (access));                                                      \
	}
#define MODIFY(bits, type, name, fn)                                                               \
	type __tsan_atomic##bits##_##name(type *addr, type operand, int order);                    \
	type __tsan_atomic##bits##_##name(type *addr, type operand, int order)                     \
	{                                                                                          \
		return (type)modify(addr, sizeof *addr, operand, order, fn, #name);                \
	}
#define COMPARE(bits, type, name, is_weak)                                                         \
	int __tsan_atomic##bits##_compare_exchange_##name(                                         \
		type *addr, type *expected, type word, int order, int fail_order);                 \
	int __tsan_atomic##bits##_compare_exchange_##name(                                         \
		type *addr, type *expected, type word, int order, int fail_order)                  \
	{                                                                                          \
		uint64_t seen = *expected;                                                         \
		bool is_done = compare_exchange(                                                   \
			addr, sizeof *addr, &seen, word, order, fail_order, (is_weak));            \
		*expected = (type)seen;                                                            \
		return is_done;                                                                    \
	}
/* clang-format off */
#define ATOMICS(bits, type)                                                                        \
	type __tsan_atomic##bits##_load(const type *addr, int order);                              \
	type __tsan_atomic##bits##_load(const type *addr, int order)                               \
	{                                                                                          \
		return (type)load(addr, sizeof *addr, order);                                      \
	}                                                                                          \
	void __tsan_atomic##bits##_store(type *addr, type word, int order);                        \
	void __tsan_atomic##bits##_store(type *addr, type word, int order)                         \
	{                                                                                          \
		store(addr, sizeof *addr, word, order);                                            \
	}                                                                                          \
	MODIFY(bits, type, exchange, do_exchange)                                                  \
	MODIFY(bits, type, fetch_add, do_add)                                                      \
	MODIFY(bits, type, fetch_sub, do_sub)                                                      \
	MODIFY(bits, type, fetch_and, do_and)                                                      \
	MODIFY(bits, type, fetch_or, do_or)                                                        \
	COMPARE(bits, type, strong, false)                                                         \
	COMPARE(bits, type, weak, true)
/* clang-format on */

PLAIN(read1, ACCESS_READ, 1)
PLAIN(read2, ACCESS_READ, 2)
PLAIN(read4, ACCESS_READ, 4)
PLAIN(read8, ACCESS_READ, 8)
PLAIN(read16, ACCESS_READ, 16)
PLAIN(write1, ACCESS_WRITE, 1)
PLAIN(write2, ACCESS_WRITE, 2)
PLAIN(write4, ACCESS_WRITE, 4)
PLAIN(write8, ACCESS_WRITE, 8)
PLAIN(write16, ACCESS_WRITE, 16)
PLAIN_RANGE(read_range, ACCESS_READ)
PLAIN_RANGE(write_range, ACCESS_WRITE)
ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
