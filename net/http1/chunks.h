// SPDX-License-Identifier: Apache-2.0
/*
 * chunks.h: takes a chunked body apart, without I/O and without a copy. llhttp could do it too,
 * but gives the bytes away through callbacks, and its versions differ in what they tolerate; here
 * a chunk is digits, an optional extension, CRLF, data, CRLF, and anything else is refused.
 */
#ifndef NET_HTTP1_CHUNKS_H
#define NET_HTTP1_CHUNKS_H

#include <soon/base.h>

#define SOON__HTTP_CHUNK_DIGITS_MAX     15   /* of a size: no sum can overflow */
#define SOON__HTTP_EXTENSIONS_BYTES_MAX 4096 /* of one body, all extensions together */

/* Zeroed it is at the start of a body. */
struct soon__http_chunks {
	uint64_t left;        /* bytes of the current chunk that were not given out */
	uint32_t trailer_max; /* bytes that trailer fields may have; set by the owner */
	uint32_t trailer;     /* bytes that they had */
	uint32_t extensions;  /* bytes that the extensions had */
	uint8_t digits;       /* of the size being read */
	uint8_t state;
};

/*
 * Takes `*ret_used` bytes from `buf`, and gives the data found among them: at most one piece, of
 * at most `data_max` bytes, which may be empty.
 * Returns: 1 the body is over. 0 go on behind the used bytes, or with more when all were used.
 * Errors: -EBADMSG malformed. -E2BIG extensions or trailers beyond their limit.
 */
int soon__http_chunks_read(struct soon__http_chunks *chunks, const char *buf, size_t len,
	size_t data_max, size_t *ret_used, soon_slice *ret_data);

#endif
