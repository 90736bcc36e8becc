// SPDX-License-Identifier: Apache-2.0
/* Counts the system calls of a thread, from inside, where no tracer may be had. */
#ifndef PERF_SYSCALLS_H
#define PERF_SYSCALLS_H

/*
 * From here on the calling thread makes no system calls: they are counted, and return nonsense.
 * Only sched_yield() and the thread's end still work, uncounted. There is no way back.
 */
void syscalls_begin(void);

/* Ends the counting, and that only. Returns how many there were. */
unsigned syscalls_end(void);

#endif
