// SPDX-License-Identifier: Apache-2.0
/*
 * time.h: durations, deadlines and sleeping.
 *
 * A *timeout* is relative, a *deadline* is a point on the core's monotonic clock. Both are
 * soon_ns. The tests may replace the clock; nothing in soon reads the time behind its back.
 */
#ifndef SOON_TIME_H
#define SOON_TIME_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOON_NS(n) ((soon_ns)(n))
#define SOON_US(n) ((soon_ns)(n)*1000)
#define SOON_MS(n) ((soon_ns)(n)*1000000)
#define SOON_S(n)  ((soon_ns)(n)*1000000000)
#define SOON_NEVER INT64_MAX

/*
 * Returns the time on this core's monotonic clock.
 * Affinity: core. Suspends: never. Errors: none.
 * Cost: a time-stamp read; a system clock read when the last one is older than about 20 us.
 * See: clock_gettime(2), CLOCK_MONOTONIC.
 */
SOON_API soon_ns soon_now(void) SOON_ON_CORE;

/*
 * Parks the task for a duration; zero or less only yields.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point.
 * Returns: 0 after at least `timeout` ns.
 * Errors: -ECANCELED the scope is cancelled. -EPERM not in a task.
 */
SOON_API SOON_NODISCARD int soon_sleep(soon_ns timeout) SOON_SUSPENDS;

/*
 * Parks the task until `deadline`; SOON_NEVER waits for a cancel. Otherwise as soon_sleep.
 */
SOON_API SOON_NODISCARD int soon_sleep_until(soon_ns deadline) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
