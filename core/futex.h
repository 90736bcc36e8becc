// SPDX-License-Identifier: Apache-2.0
/*
 * futex.h: a thread that sleeps until a word is no longer what it was, and how it is woken.
 */
#ifndef CORE_FUTEX_H
#define CORE_FUTEX_H

#include <soon/time.h>

/*
 * Sleeps while the 32 bits at `word` are `expected`, until `deadline` (CLOCK_MONOTONIC; SOON_NEVER)
 * at the latest. May return for no reason. The word's order is the caller's business.
 */
void soon__futex_wait(const void *word, uint32_t expected, soon_ns deadline);

/*
 * Wakes one that sleeps on the word, which is not read: its memory may be somebody else's by now,
 * who then is woken for no reason. Signal-safe; errno stays as it was.
 */
void soon__futex_wake(const void *word);

#endif
