// SPDX-License-Identifier: Apache-2.0
/*
 * test_clock.h: time that the test owns.
 *
 * A virtual clock stands still while anything runs. When all tasks wait, and no operation, no
 * offloaded call and no hold could wake one, it jumps to the next deadline: an hour's timeout takes
 * no time, and what happens in it happens in the right order. While real I/O is in flight (a
 * socket that somebody reads) the core really waits for it, and only soon_clock_advance() moves
 * the clock; streams without a kernel, see <soon/mem_pipe.h>, are not in the way of jumps.
 *
 * All of it is for tasks of a run under soon_test_run() or SOON_TEST; elsewhere it aborts.
 */
#ifndef SOON_TEST_CLOCK_H
#define SOON_TEST_CLOCK_H

#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Makes the run's clock virtual, with jumps; it shows the time of this moment. Twice is harmless.
 * Affinity: core. Suspends: never.
 */
void soon_clock_virtual(void) SOON_ON_CORE;

/*
 * Moves a virtual clock `timeout` ahead, deadline by deadline: at each, what falls due runs until
 * all tasks wait again, then the clock moves on. When it returns every other task waits.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point; the clock stays where it
 * then is. Errors: -ECANCELED. -EINVAL the clock is real. -EPERM not in a task.
 */
SOON_NODISCARD int soon_clock_advance(soon_ns timeout) SOON_SUSPENDS;

/*
 * Waits until every other task waits, and no I/O has arrived that would wake one. It comes before
 * a jump, so no time passes on a virtual clock. Tasks in here do not count as running.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point.
 * Errors: -ECANCELED. -EPERM not in a task.
 */
SOON_NODISCARD int soon_test_settle(void) SOON_SUSPENDS;

/*
 * While held, a virtual clock does not jump: an idle core really waits for another thread's post.
 * Calls that are offloaded hold it by themselves. Holds nest. Affinity: core. Suspends: never.
 */
void soon_clock_hold(void) SOON_ON_CORE;
void soon_clock_release(void) SOON_ON_CORE;

#ifdef __cplusplus
}
#endif

#endif
