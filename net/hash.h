// SPDX-License-Identifier: Apache-2.0
/*
 * hash.h: FNV-1a, to notice a change or a difference, not against an adversary; private to net/.
 */
#ifndef NET_HASH_H
#define NET_HASH_H

#include <soon/base.h>

#define SOON__HASH_FIRST UINT64_C(0xcbf29ce484222325)

/* Goes on from `hash`, which is SOON__HASH_FIRST at first. */
static inline uint64_t soon__hash(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *at = (const unsigned char *)bytes;

	for (size_t i = 0; i < len; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): it is not */
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
