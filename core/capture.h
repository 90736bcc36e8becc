// SPDX-License-Identifier: Apache-2.0
/*
 * capture.h: the calls of a thread that runs, its own or another's.
 *
 * Parked stacks are walked by frame pointers (unwind.h). Code that runs is somebody else's: built
 * without frame pointers, or libc. So what runs is unwound by the tables that every program has,
 * with libgcc's unwinder, which takes no lock where glibc has _dl_find_object().
 *
 * Another thread is asked by a signal whose default is to be ignored, so that one that comes late
 * does no harm; its handler runs on the alternate stack where there is one. The runtime's own
 * threads leave it unblocked. A program that handles the signal itself keeps it: then there is no
 * capture. System calls that a handler cuts short whatever its flags (sleep, poll) are.
 */
#ifndef CORE_CAPTURE_H
#define CORE_CAPTURE_H

#include "core/spi/text.h"

#include <pthread.h>
#include <signal.h>

#define SOON__CAPTURE_SIGNAL     SIGURG
#define SOON__CAPTURE_FRAMES     24
#define SOON__CAPTURE_NAME_BYTES 48

struct soon__symbols;

struct soon__capture {
	uintptr_t pcs[SOON__CAPTURE_FRAMES]; /* the innermost first */
	unsigned count;
	bool is_interrupted;   /* pcs[0] is where it stood; the others are return addresses */
	uint64_t switch_count; /* of the thread's core at that moment; 0: it runs none */
	uint64_t task_id;      /* that it was in; 0: none */
	const soon_site *task_site;
	char task_name[SOON__CAPTURE_NAME_BYTES]; /* cut */
};

/*
 * Takes the calling thread's own calls, from the one that continues at `from` outwards: a
 * __builtin_return_address(). All of them when `from` is not among them.
 */
void soon__capture_own(struct soon__capture *ret_capture, const void *from);

/*
 * Has another thread tell its calls, and waits for that, a tenth of a second at most. The thread
 * may have ended, but not been joined. Affinity: any, not signal-safe.
 * Errors: -EBUSY the program handles the signal itself; -ETIMEDOUT the thread blocks it, or gets
 * no processor; -ESRCH it has ended.
 */
SOON_NODISCARD int soon__capture_thread(pthread_t thread, struct soon__capture *ret_capture);

/* Lets the calling thread be asked; returns whether it could not be before. */
bool soon__capture_allow(void);

/* Blocks the signal again. */
void soon__capture_disallow(void);

/* Adds "memcpy+0x1c < parse+0x2a < serve+0x80": up to the task's function. */
void soon__text_capture(
	struct soon__text *text, struct soon__symbols *names, const struct soon__capture *capture);

/* Writes where another thread stands; why not, if it cannot be asked. Not signal-safe. */
void soon__capture_write(pthread_t thread, char *buf, size_t size);

/* The process's own symbols, for who has none; NULL while they are borrowed. Not signal-safe. */
struct soon__symbols *soon__symbols_borrow(void);
void soon__symbols_give_back(void);

/* In the child of a fork: nobody is in a capture. */
void soon__capture_forget(void);

#endif
