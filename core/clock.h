// SPDX-License-Identifier: Apache-2.0
/*
 * clock.h: the core's clock: CLOCK_MONOTONIC, or what the run's seams put in its place.
 *
 * A read of the system clock costs about 25 ns, too much for each deadline of each call. The last
 * reading is good for SOON__CLOCK_SLACK_TICKS of the processor's time-stamp counter, some ten
 * microseconds, then it is taken again. The counter only says how old a reading is: its frequency
 * does not matter, and time never comes from it.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <soon/time.h>

#include <time.h>

#define SOON__CLOCK_SLACK_TICKS 20000u

struct soon__clock {
	soon_ns now;                /* the last reading */
	uint64_t ticks;             /* the counter at that reading */
	soon_ns (*read)(void *arg); /* NULL: the system's clock */
	void *arg;
};

static inline uint64_t soon__clock_ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	/* Runs at 1 GHz or less, mostly 25 to 100 MHz: scaled to be at least as strict. */
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks * 64;
#else
#error "soon: no time-stamp counter known for this processor"
#endif
}

/* Takes a new reading and returns it. */
static inline soon_ns soon__clock_refresh(struct soon__clock *clock)
{
	struct timespec ts;

	if (clock->read) {
		clock->now = clock->read(clock->arg);
		return clock->now;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	clock->now = SOON_S(ts.tv_sec) + ts.tv_nsec;
	clock->ticks = soon__clock_ticks();
	return clock->now;
}

/* Returns the time, at most some ten microseconds old. */
static inline soon_ns soon__clock_now(struct soon__clock *clock)
{
	if (!clock->read && soon__clock_ticks() - clock->ticks < SOON__CLOCK_SLACK_TICKS)
		return clock->now;
	return soon__clock_refresh(clock);
}

/*
 * The moment that is `timeout` away, by CLOCK_REALTIME: for joins of threads, as ThreadSanitizer
 * knows none by another clock. A step of that clock makes the timeout shorter or longer, no more.
 */
static inline struct timespec soon__clock_wall_after(soon_ns timeout)
{
	struct timespec end;

	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += timeout / SOON_S(1);
	end.tv_nsec += timeout % SOON_S(1);
	if (end.tv_nsec >= SOON_S(1)) {
		end.tv_nsec -= SOON_S(1);
		end.tv_sec++;
	}
	return end;
}

/* Returns the time without noting it, so that a signal handler may ask. */
static inline soon_ns soon__clock_peek(const struct soon__clock *clock)
{
	struct timespec ts;

	if (clock->read)
		return clock->now; /* what is injected need not be signal-safe */
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

#endif
