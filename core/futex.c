// SPDX-License-Identifier: Apache-2.0
#include "futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void soon__futex_wait(const void *word, uint32_t expected, soon_ns deadline)
{
	struct timespec until = {
		.tv_sec = deadline / SOON_S(1),
		.tv_nsec = deadline % SOON_S(1),
	};
	int saved = errno;

	/* With the bit set, and only so, the time is absolute. */
	(void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
		deadline == SOON_NEVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
	errno = saved;
}

void soon__futex_wake(const void *word)
{
	int saved = errno;

	(void)syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
	errno = saved;
}
