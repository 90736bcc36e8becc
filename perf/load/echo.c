// SPDX-License-Identifier: Apache-2.0
/* Echo: one message at a time; every message of every connection has its own content. */
#include "load.h"

#include <errno.h>
#include <string.h>

static size_t capacity(const struct load_opts *opts)
{
	return opts->size_bytes;
}

static unsigned exchanges_per_batch(const struct load_opts *opts)
{
	(void)opts;
	return 1;
}

/* The finaliser of SplitMix64: cheap, and no two inputs give the same word. */
static uint64_t mix(uint64_t word)
{
	word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
	return word ^ (word >> 31);
}

static size_t compose(const struct load_opts *opts, struct conn *conn)
{
	uint64_t seed = mix(((uint64_t)conn->id << 40) + conn->batch++);

	for (size_t at = 0; at < opts->size_bytes; at += sizeof(seed)) {
		size_t left = opts->size_bytes - at;

		memcpy(conn->out + at, &seed, left < sizeof(seed) ? left : sizeof(seed));
		seed += UINT64_C(0x9e3779b97f4a7c15);
	}
	return opts->size_bytes;
}

static int verify(const struct load_opts *opts, struct conn *conn, size_t count)
{
	size_t at = conn->in_bytes;

	if (count > opts->size_bytes - at || at + count > conn->out_sent)
		return -EPROTO;
	if (memcmp(conn->in + at, conn->out + at, count) != 0)
		return -EPROTO;
	conn->in_bytes += count;
	if (conn->in_bytes < opts->size_bytes)
		return 0;
	conn->in_bytes = 0;
	return 1;
}

const struct protocol protocol_echo = {
	.name = "echo",
	.out_capacity = capacity,
	.in_capacity = capacity,
	.exchanges_per_batch = exchanges_per_batch,
	.compose = compose,
	.verify = verify,
};
