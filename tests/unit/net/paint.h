// SPDX-License-Identifier: Apache-2.0
/*
 * paint.h: how much of its stack a call takes: the stack below is painted before it, and looked for
 * paint behind. Not under sanitizers or Valgrind, whose frames are others.
 */
#ifndef TESTS_UNIT_NET_PAINT_H
#define TESTS_UNIT_NET_PAINT_H

#include <stddef.h>

#define PAINT       '\x5a'
#define PAINT_BYTES (128u * 1024)
#define PAINTER     512 /* his own frame */

static __attribute__((noinline)) void paint(void)
{
	volatile char *top = __builtin_frame_address(0);

	for (volatile char *at = top - PAINT_BYTES; at < top - PAINTER; at++)
		*at = PAINT;
}

/* How deep the paint has been gone over. */
static __attribute__((noinline)) size_t paint_depth(void)
{
	const volatile char *top = __builtin_frame_address(0);
	const volatile char *at = top - PAINT_BYTES;

	while (at < top - PAINTER && *at == PAINT)
		at++;
	return (size_t)(top - at);
}

#endif
