// SPDX-License-Identifier: Apache-2.0
/*
 * spin.h: looking for a moment before sleeping, where that pays.
 *
 * To wake a thread takes the kernel 10 to 25 us and both sides several system calls. Who looks a
 * little longer before it sleeps is found awake, if what it waits for comes soon. That helps only
 * where a processor is to spare for the one that is waited for, see cpus.h; and only as long as
 * something does come, so the hit rate is measured: below one in four it is looked ever more
 * seldom. An idle core looks once, sleeps, and nothing wakes it.
 */
#ifndef CORE_SPIN_H
#define CORE_SPIN_H

#include <soon/thread.h>

#include <stdatomic.h>
#include <stdbool.h>

/* What is known of one place that waits. All zero at first. */
struct soon__spin {
	soon_ns always_ns;  /* looks that long, whatever the rate; 0: as the rate tells */
	uint16_t miss_rate; /* of the last looks, in 256ths */
	uint16_t skip_left; /* sleeps until it looks again */
	uint16_t skip_next; /* how many it will be after the next miss */
	bool is_off;        /* never looks */
	bool is_stream;     /* a core's: posts come faster than it could take them one by one */
};

/* Sets a core's place up. `opt_ns` is soon_opts.spin. */
void soon__spin_init(struct soon__spin *spin, soon_ns opt_ns);

/*
 * A core looks until something is due and returns true; false: it may sleep, because nothing came,
 * until `until` at most, or because looking does not pay.
 */
bool soon__spin_core(soon_core *core, soon_ns until);

/*
 * A core that has nothing but posts to take leaves those of a stream a microsecond to gather. Each
 * time it takes some, the cache line with the list goes to it and back to the producer, and that
 * costs either of them more than a post does. Told how many it has taken, it sees whether it was a
 * stream: threads that wait for answers have one post each under way.
 */
void soon__spin_gather(soon_core *core);
void soon__spin_gathered(soon_core *core, unsigned count);

/* A thread looks until `*word` is no longer `value`; false: it may sleep on it. No order. */
bool soon__spin_thread(const _Atomic(uint32_t) *word, uint32_t value, soon_ns until);

#endif
