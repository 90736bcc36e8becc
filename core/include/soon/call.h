// SPDX-License-Identifier: Apache-2.0
/*
 * call.h: how a plain function and its argument are handed to soon.
 *
 * A task is `int fn(T arg)`, T a pointer or an integer of at most 8 bytes. SOON__CALL(fn, arg)
 * type-checks the call `fn(arg)` without making it, refuses floating point and structures at
 * compile time, and gives the pair (function, argument word) that the assembly trampoline turns
 * back into a call by the function's own ABI. The conversions below are the ones that the call
 * itself would make, so a short argument arrives extended as its type asks.
 */
#ifndef SOON_CALL_H
#define SOON_CALL_H

#include <soon/base.h>

typedef void (*soon__fn)(void);

#ifdef __cplusplus

#include <type_traits>

template <class T, class A> inline uint64_t soon__arg_as(int (*)(T), A arg)
{
	static_assert(
		std::is_pointer<T>::value || std::is_integral<T>::value || std::is_enum<T>::value,
		"a task takes one pointer or integer");
	return (uint64_t)(T)(arg);
}
#define SOON__WORD(fn, arg) soon__arg_as((fn), (arg))
#define SOON__CALL(fn, arg) ((soon__fn)(fn)), SOON__WORD(fn, arg)

#else

#define SOON__ARG_INTEGER(name, T)                                                                 \
	static inline uint64_t soon__arg_##name(T arg)                                             \
	{                                                                                          \
		return (uint64_t)arg;                                                              \
	}
SOON__ARG_INTEGER(bool, _Bool)
SOON__ARG_INTEGER(char, char)
SOON__ARG_INTEGER(schar, signed char)
SOON__ARG_INTEGER(uchar, unsigned char)
SOON__ARG_INTEGER(short, short)
SOON__ARG_INTEGER(ushort, unsigned short)
SOON__ARG_INTEGER(int, int)
SOON__ARG_INTEGER(uint, unsigned int)
SOON__ARG_INTEGER(long, long)
SOON__ARG_INTEGER(ulong, unsigned long)
SOON__ARG_INTEGER(llong, long long)
SOON__ARG_INTEGER(ullong, unsigned long long)
#undef SOON__ARG_INTEGER

#ifdef SOON_CHECK_PAIRING
uint64_t soon__arg_given(volatile void *arg); /* the analyser is to forget whose it is */
static inline uint64_t soon__arg_pointer(const volatile void *arg)
{
	return soon__arg_given((volatile void *)(uintptr_t)arg);
}
#else
static inline uint64_t soon__arg_pointer(const volatile void *arg)
{
	return (uint64_t)(uintptr_t)arg;
}
#endif

/* clang-format off */
#define SOON__ARG(fn) _Generic((fn),                                                               \
	int (*)(_Bool): soon__arg_bool,                                                            \
	int (*)(char): soon__arg_char,                                                             \
	int (*)(signed char): soon__arg_schar,                                                     \
	int (*)(unsigned char): soon__arg_uchar,                                                   \
	int (*)(short): soon__arg_short,                                                           \
	int (*)(unsigned short): soon__arg_ushort,                                                 \
	int (*)(int): soon__arg_int,                                                               \
	int (*)(unsigned int): soon__arg_uint,                                                     \
	int (*)(long): soon__arg_long,                                                             \
	int (*)(unsigned long): soon__arg_ulong,                                                   \
	int (*)(long long): soon__arg_llong,                                                       \
	int (*)(unsigned long long): soon__arg_ullong,                                             \
	default: soon__arg_pointer)

/* 1 when `fn(arg)` is a call that a task can make; a negative array size, so an error, if not. */
#define SOON__CALL_OK(fn, arg)                                                                     \
	((int)sizeof(char[_Generic((fn),                                                           \
		int (*)(float): -1, int (*)(double): -1, int (*)(long double): -1,                 \
		default: _Generic((fn)(arg), int: 1, default: -1))]))
/* clang-format on */

/* The argument word by itself; `fn` serves for its type only. */
#define SOON__WORD(fn, arg) ((void)SOON__CALL_OK(fn, arg), SOON__ARG(fn)(arg))
#define SOON__CALL(fn, arg) ((soon__fn)(fn)), SOON__WORD(fn, arg)

#endif

#endif
