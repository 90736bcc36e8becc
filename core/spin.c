// SPDX-License-Identifier: Apache-2.0
#include "spin.h"

#include "core.h"
#include "cpus.h"

enum {
	ROUNDS_PER_CLOCK = 16, /* between two looks at the clock, some 100 to 500 ns */
	RATE_ONE = 256,
	MISSES_MAX = RATE_ONE * 3 / 4, /* looking pays while fewer looks than this miss */
	SKIP_MAX = 1024,
	STREAM_MIN = 4,      /* posts in one drain */
	GATHER_TICKS = 2000, /* some 500 ns to 1 us, in which 30 to 60 posts come */
};

/* About what a wake-up costs: so a wrong look never costs more than twice the right choice. */
static const soon_ns LOOK_NS = SOON_US(25);

static _Thread_local struct soon__spin of_thread;

static void pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

static soon_ns now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

void soon__spin_init(struct soon__spin *spin, soon_ns opt_ns)
{
	*spin = (struct soon__spin){ .always_ns = opt_ns > 0 ? opt_ns : 0 };
	spin->is_off = opt_ns < 0;
}

/* Whether it is worth a look. */
static bool should_look(struct soon__spin *spin)
{
	if (spin->skip_left == 0)
		return true;
	spin->skip_left--;
	return false;
}

/* Notes whether a look paid. */
static void judge(struct soon__spin *spin, bool is_hit)
{
	int rate = spin->miss_rate;

	if (spin->always_ns > 0)
		return;
	rate += ((is_hit ? 0 : RATE_ONE) - rate) / 8;
	spin->miss_rate = (uint16_t)rate;
	if (is_hit) {
		spin->skip_next = 1;
	} else if (rate >= MISSES_MAX) {
		spin->skip_left = spin->skip_next;
		if (spin->skip_next < SKIP_MAX)
			spin->skip_next = (uint16_t)(2 * spin->skip_next + 1);
	}
}

static bool core_is_due(soon_core *core)
{
	return soon__inbox_is_due(&core->inbox) || core->poller->ops->is_due(core->poller);
}

bool soon__spin_core(soon_core *core, soon_ns until)
{
	struct soon__spin *spin = &core->spin;
	soon_ns look_ns = spin->always_ns > 0 ? spin->always_ns : LOOK_NS;
	soon_ns end;
	bool is_hit = false;

	if (spin->is_off || core->clock.read != NULL || !soon__cpus_core_may_look() ||
		!should_look(spin))
		return false;
	end = now() + look_ns;
	if (end > until)
		end = until;
	do {
		for (unsigned i = 0; i < ROUNDS_PER_CLOCK && !is_hit; i++) {
			pause_cpu();
			is_hit = core_is_due(core);
		}
	} while (!is_hit && now() < end);
	judge(spin, is_hit);
	return is_hit;
}

void soon__spin_gather(soon_core *core)
{
	uint64_t start;

	if (SOON_LIKELY(!core->spin.is_stream) || core->spin.is_off ||
		core->sched.ready_count > 0 || !soon__cpus_core_may_look() ||
		core->poller->ops->is_due(core->poller))
		return;
	start = soon__clock_ticks();
	do
		pause_cpu();
	while (soon__clock_ticks() - start < GATHER_TICKS);
}

void soon__spin_gathered(soon_core *core, unsigned count)
{
	core->spin.is_stream = count >= STREAM_MIN;
}

bool soon__spin_thread(const _Atomic(uint32_t) *word, uint32_t value, soon_ns until)
{
	struct soon__spin *spin = &of_thread;
	bool is_hit = false;
	soon_ns end;

	if (!should_look(spin) || !soon__cpus_look_begin())
		return false;
	end = now() + LOOK_NS;
	if (end > until)
		end = until;
	do {
		for (unsigned i = 0; i < ROUNDS_PER_CLOCK && !is_hit; i++) {
			pause_cpu();
			is_hit = atomic_load_explicit(word, memory_order_relaxed) != value;
		}
	} while (!is_hit && now() < end);
	soon__cpus_look_end();
	judge(spin, is_hit);
	return is_hit;
}
