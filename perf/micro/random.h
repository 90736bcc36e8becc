// SPDX-License-Identifier: Apache-2.0
/* The timeouts of the timers that soon and its peers arm and cancel: the same in every run. */
#ifndef PERF_RANDOM_H
#define PERF_RANDOM_H

#include <stdint.h>

/* xorshift64 */
static inline uint64_t micro_random(void)
{
	static uint64_t state = UINT64_C(88172645463325252);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Between one minute and two. */
static inline uint64_t micro_timeout_ms(void)
{
	return 60000 + micro_random() % 60000;
}

#endif
