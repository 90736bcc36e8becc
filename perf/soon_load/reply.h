// SPDX-License-Identifier: Apache-2.0
/*
 * The replies of an HTTP/1.1 connection, one after the other: where each begins and ends (RFC 9112
 * section 6), its status, and its body in pieces. A client may be strict: what is not exactly a
 * reply is a fault of the server, which is what is being looked for.
 *
 * A head is parsed when it is whole, a body in whatever pieces it comes. Memory is only the state.
 */
#ifndef SOON_LOAD_REPLY_H
#define SOON_LOAD_REPLY_H

#include <soon/base.h>

#define REPLY_HEAD_BYTES_MAX  65536
#define REPLY_KNOWN_BYTES_MAX 1024

enum reply_state {
	REPLY_HEAD,
	REPLY_LENGTH, /* as many bytes as `left` */
	REPLY_UNTIL_END,
	REPLY_CHUNK_SIZE,
	REPLY_CHUNK_EXTENSION,
	REPLY_CHUNK_SIZE_LF,
	REPLY_CHUNK_DATA,
	REPLY_CHUNK_CR,
	REPLY_CHUNK_LF,
	REPLY_TRAILER, /* at the start of a line */
	REPLY_TRAILER_LINE,
	REPLY_TRAILER_LF,
	REPLY_LAST_LF,
	REPLY_DONE,
};

/* What a head says. */
struct reply_head {
	uint16_t status;
	bool keeps_alive;
	enum reply_state body; /* the state behind the head; REPLY_HEAD: an interim one, 1xx */
	uint64_t body_bytes;   /* with REPLY_LENGTH */
};

/*
 * A head that was parsed before. Servers send the same one for a second on end, and comparing is
 * several times cheaper than parsing.
 */
struct reply_known {
	struct reply_head head;
	bool is_for_head_request;
	size_t bytes; /* 0: none yet */
	char text[REPLY_KNOWN_BYTES_MAX];
};

struct reply {
	struct reply_head head;
	enum reply_state state;
	bool is_for_head_request; /* has no body, whatever its head says */
	unsigned digits;          /* of a chunk's size so far */
	uint64_t left;            /* bytes of the body, or of the chunk */
	uint64_t body_bytes;      /* that came */
	unsigned trailer_bytes;
	const char *wrong; /* after -EPROTO: what is the matter; a static text */
};

/* Gets ready for the next reply. */
void reply_begin(struct reply *reply, bool is_for_head_request);

/*
 * Takes bytes that came, at most up to the end of one piece of the body; again until `state` is
 * REPLY_DONE or there are no more bytes. `known` may be NULL. `ret_body` is empty or the piece.
 * Returns how many bytes were taken; 0: the head is not whole, more bytes are needed behind these;
 * -EPROTO.
 */
ssize_t reply_take(struct reply *reply, struct reply_known *known, const char *data, size_t bytes,
	soon_slice *ret_body);

/* The connection has ended. Returns 0 when that ends the reply, -EBADMSG when it was not whole. */
int reply_end(struct reply *reply);

#endif
