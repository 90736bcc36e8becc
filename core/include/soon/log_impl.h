// SPDX-License-Identifier: Apache-2.0
/*
 * log_impl.h: what the macros of <soon/log.h> are made of; include that.
 */
#ifndef SOON_LOG_IMPL_H
#define SOON_LOG_IMPL_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A place in the source that logs: static, one for each. */
typedef struct soon__log_site soon__log_site;
struct soon__log_site {
	soon_site place; /* `what` is the message; NULL: it is formatted each time */
	const char *category;
	soon__log_site *next; /* of the same category, once it is known there */
	uint8_t level;
	uint8_t state; /* whether it is on, once that is known; atomic */
};

enum { SOON__LOG_UNKNOWN, SOON__LOG_SITE_OFF, SOON__LOG_SITE_ON };

enum soon__field_kind {
	SOON__FIELD_NONE,
	SOON__FIELD_INT,
	SOON__FIELD_UINT,
	SOON__FIELD_HEX,
	SOON__FIELD_BOOL,
	SOON__FIELD_DOUBLE,
	SOON__FIELD_ERR,
	SOON__FIELD_NS,
	SOON__FIELD_TEXT,
};

typedef struct soon_field {
	const char *key; /* static */
	uint32_t kind;
	uint32_t len; /* of a text; SOON__FIELD_ZERO: up to its zero */
	union {
		int64_t number;
		uint64_t bits;
		double real;
		const char *text; /* NULL: there is none */
	} value;
} soon_field;

#define SOON__FIELD_ZERO UINT32_MAX

#define SOON__LOG_SITE(level_, message)                                                            \
	static soon__log_site soon__log_here = { { __FILE__, __func__, message, __LINE__ },        \
		"" SOON_LOG_CATEGORY, NULL, (uint8_t)(level_), SOON__LOG_UNKNOWN }

#define SOON__LOG(level_, message, ...)                                                            \
	do {                                                                                       \
		SOON__LOG_SITE(level_, "" message);                                                \
		if (soon__log_is_on(&soon__log_here)) {                                            \
			const soon_field soon__fields[] = { __VA_ARGS__ };                         \
			soon__log_checked(&soon__log_here, soon__fields,                           \
				sizeof(soon__fields) / sizeof(soon__fields[0]) - 1);               \
		}                                                                                  \
	} while (0)
#define SOON__FIELD_END soon__field_end()

/* A record with more fields than fit is one of the compiler's errors, where it can tell. */
#define soon__log_checked(site, fields, count)                                                     \
	do {                                                                                       \
		SOON__STATIC_ASSERT((count) <= SOON_LOG_FIELDS_MAX, "too many fields");            \
		soon__log((site), (fields), (unsigned)(count));                                    \
	} while (0)
#ifdef __cplusplus
#define SOON__STATIC_ASSERT static_assert
#else
#define SOON__STATIC_ASSERT _Static_assert
#endif

SOON_API SOON_COLD bool soon__log_resolve(soon__log_site *site);
SOON_API void soon__log(const soon__log_site *site, const soon_field *fields, unsigned count);
SOON_API void soon__logf(const soon__log_site *site, const char *fmt, ...) SOON_PRINTF(2, 3);

/* Relaxed: a level that changes orders nothing else. */
static inline bool soon__log_is_on(soon__log_site *site)
{
	uint8_t state = __atomic_load_n(&site->state, __ATOMIC_RELAXED);

	if (__builtin_expect(state == SOON__LOG_SITE_OFF, 1))
		return false;
	return state == SOON__LOG_SITE_ON || soon__log_resolve(site);
}

static inline soon_slice soon__slice_of(const char *ptr, size_t len)
{
	soon_slice slice = { ptr, len };

	return slice;
}

static inline soon_field soon__field_make(const char *key, uint32_t kind, uint32_t len)
{
	soon_field field;

	field.key = key;
	field.kind = kind;
	field.len = len;
	field.value.bits = 0;
	return field;
}

static inline soon_field soon__field_end(void)
{
	return soon__field_make(NULL, SOON__FIELD_NONE, 0);
}

#define SOON__FIELD_NUMBER(name, T, kind_, member)                                                 \
	static inline soon_field soon__field_##name(const char *key, T value)                      \
	{                                                                                          \
		soon_field field = soon__field_make(key, kind_, 0);                                \
		field.value.member = value;                                                        \
		return field;                                                                      \
	}
SOON__FIELD_NUMBER(bool, bool, SOON__FIELD_BOOL, bits)
SOON__FIELD_NUMBER(int, long long, SOON__FIELD_INT, number)
SOON__FIELD_NUMBER(uint, unsigned long long, SOON__FIELD_UINT, bits)
SOON__FIELD_NUMBER(hex, unsigned long long, SOON__FIELD_HEX, bits)
SOON__FIELD_NUMBER(err, int, SOON__FIELD_ERR, number)
SOON__FIELD_NUMBER(ns, soon_ns, SOON__FIELD_NS, number)
SOON__FIELD_NUMBER(double, double, SOON__FIELD_DOUBLE, real)
#undef SOON__FIELD_NUMBER

static inline soon_field soon__field_text(const char *key, const char *value)
{
	soon_field field = soon__field_make(key, SOON__FIELD_TEXT, SOON__FIELD_ZERO);

	field.value.text = value;
	return field;
}

static inline soon_field soon__field_slice(const char *key, soon_slice value)
{
	soon_field field = soon__field_make(key, SOON__FIELD_TEXT, 0);

	field.len = (uint32_t)(value.len < SOON__FIELD_ZERO ? value.len : SOON__FIELD_ZERO - 1);
	field.value.text = value.ptr;
	return field;
}

static inline soon_field soon__field_ptr(const char *key, const void *value)
{
	return soon__field_hex(key, (uintptr_t)value);
}

#ifdef __cplusplus
}

#include <type_traits>

template <class T> inline soon_field soon__field(const char *key, T value)
{
	static_assert(std::is_integral<T>::value || std::is_enum<T>::value ||
			std::is_floating_point<T>::value,
		"a field takes numbers, texts, slices and void pointers");
	if (std::is_same<T, bool>::value)
		return soon__field_bool(key, value != T());
	if (std::is_floating_point<T>::value)
		return soon__field_double(key, (double)value);
	if (std::is_signed<T>::value || std::is_enum<T>::value)
		return soon__field_int(key, (long long)value);
	return soon__field_uint(key, (unsigned long long)value);
}
inline soon_field soon__field(const char *key, const char *value)
{
	return soon__field_text(key, value);
}
inline soon_field soon__field(const char *key, char *value)
{
	return soon__field_text(key, value);
}
inline soon_field soon__field(const char *key, soon_slice value)
{
	return soon__field_slice(key, value);
}
inline soon_field soon__field(const char *key, const void *value)
{
	return soon__field_ptr(key, value);
}
inline soon_field soon__field(const char *key, void *value)
{
	return soon__field_ptr(key, value);
}
#endif

#endif
