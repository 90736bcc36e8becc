// SPDX-License-Identifier: Apache-2.0
/*
 * The assembly of one architecture, without the rest of the library, so that a cross compiler and
 * an emulator can run it: what a context keeps over a switch, and how a function is called by one
 * word.
 */
#include "switch.h"

#include "support/program.h"

#include <fenv.h>
#include <stdbool.h>
#include <stddef.h>

#define STACK_BYTES 65536
#define ROUNDS      1000

static _Alignas(64) char stack[2][STACK_BYTES];
static void *context[3]; /* of the two, and of main */
static int turns;

/*
 * Keeps more integers and doubles alive over the switch than there are registers, with values of
 * its own; a register that is not preserved shows up as a wrong sum.
 */
static __attribute__((noinline)) void turn(int self, uint64_t seed)
{
	uint64_t a[16];
	double d[16];

	for (size_t i = 0; i < 16; i++) {
		a[i] = seed * (i + 1);
		d[i] = (double)seed * (double)(i + 1);
	}
	uint64_t a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3], a4 = a[4], a5 = a[5], a6 = a[6];
	double d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5], d6 = d[6];

	turns++;
	soon__switch(&context[self], context[1 - self]);
	CHECK_EQ(a0 + a1 + a2 + a3 + a4 + a5 + a6, seed * 28);
	CHECK_EQ(d0 + d1 + d2 + d3 + d4 + d5 + d6, (double)seed * 28);
}

/* The first to be through goes on with the other, by returning it; the last one, with the test. */
static void *entry(void *arg)
{
	int self = (int)(uintptr_t)arg;
	int rounding = self ? FE_UPWARD : FE_DOWNWARD;

	CHECK_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0);
	CHECK_EQ(fegetround(), FE_TONEAREST);
	CHECK_EQ(fesetround(rounding), 0);
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		turn(self, i * (uint64_t)(self + 3));
		CHECK_EQ(fegetround(), rounding);
	}
	return self == 0 ? context[1] : context[2];
}

static void test_switch(void)
{
	for (size_t i = 0; i < 2; i++)
		context[i] = soon__context_make(stack[i] + STACK_BYTES, entry, (void *)i);
	soon__switch(&context[2], context[0]);
	CHECK_EQ(turns, 2 * ROUNDS);
	CHECK_EQ(fegetround(), FE_TONEAREST);
}

static int take_bool(bool arg)
{
	return arg ? 1 : 0;
}

static int take_schar(signed char arg)
{
	return arg;
}

static int take_ushort(unsigned short arg)
{
	return arg;
}

static int take_long(long arg)
{
	return arg == -5000000000L ? 7 : 0;
}

static int take_pointer(const int *arg)
{
	return *arg;
}

static void test_call(void)
{
	int value = -22;

	CHECK_EQ(soon__call_word(SOON__CALL(take_bool, true)), 1);
	CHECK_EQ(soon__call_word(SOON__CALL(take_schar, (signed char)-3)), -3);
	CHECK_EQ(soon__call_word(SOON__CALL(take_ushort, (unsigned short)65535)), 65535);
	CHECK_EQ(soon__call_word(SOON__CALL(take_long, -5000000000L)), 7);
	CHECK_EQ(soon__call_word(SOON__CALL(take_pointer, &value)), -22);
}

static int take_two(short number, const int *other)
{
	return number * 100 + *other;
}

static void test_call_of_two(void)
{
	int value = -22;

	CHECK_EQ(soon__call_words((soon__fn)take_two, SOON__WORD((int (*)(short))0, -3), &value),
		-322);
}

int main(void)
{
	test_call_of_two();
	test_switch();
	test_call();
	return 0;
}
