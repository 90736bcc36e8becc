// SPDX-License-Identifier: Apache-2.0
/*
 * http_exchange.h: one request and its response, and the service that they belong to; private to
 * the net/http*.c files.
 *
 * A connection that waits for a request holds none of this. An exchange is taken from the
 * service's free list at the first byte of a request, serves all requests that were pipelined
 * behind it, and goes back before the next idle wait. A service lives on one core, so nothing
 * here is locked.
 */
#ifndef NET_HTTP_EXCHANGE_H
#define NET_HTTP_EXCHANGE_H

#include <soon/http.h>

#include "http1/chunks.h"
#include "http1/format.h"
#include "http1/head.h"
#include "http_router.h"

#define SOON__HTTP_DATE_LINE_BYTES (sizeof("Date: ") - 1 + SOON__HTTP_DATE_BYTES + 2)

struct soon__http_exchange;

struct soon__http_service {
	const soon_http_server *server;
	soon_http_limits limits; /* these two with the defaults filled in */
	soon_http_timeouts timeouts;
	struct soon__http_head_limits head_limits;
	struct soon__http_router router;
	soon_http_stats *stats, stats_unwanted;

	struct soon__http_exchange *free; /* at most FREE_MAX wait for their next use */
	unsigned free_count;

	soon_ns date_until;  /* when the line below is out of date */
	soon_ns report_from; /* when the next failure of a handler may be reported */
	char date_line[SOON__HTTP_DATE_LINE_BYTES];
};

enum soon__http_framing {
	SOON__HTTP_NO_BODY,
	SOON__HTTP_LENGTH,
	SOON__HTTP_CHUNKED,
	SOON__HTTP_UNTIL_CLOSE, /* responses only */
};

struct soon__http_body {
	enum soon__http_framing framing;
	bool is_over;         /* all of it was given to the handler */
	bool awaits_continue; /* the client may hold the body back until it sees a 100 */
	int error;            /* the first one, which every later read repeats */
	uint64_t left;        /* LENGTH: bytes not given to the handler */
	uint64_t received;    /* bytes of data that arrived in reads of this request */
	uint64_t bytes_max;
	soon_ns waited;       /* for the client, in all */
	const char *in_place; /* LENGTH: the rest of the body if all of it lies behind the head */
	struct soon__http_chunks chunks;

	char *all; /* what soon_http_body_all gathered; ours */
	size_t all_len, all_max;
	bool is_gathered;
	soon_slice gathered; /* the result of soon_http_body_all */
};

struct soon_http_request {
	struct soon__http_head head;
	const char *base; /* where the head is while the handler runs */
	soon_slice path;  /* decoded */
	struct soon__http_match match;
	struct soon__http_body body;
};

enum soon__http_reply_state {
	SOON__HTTP_SILENT, /* nothing of the response is out */
	SOON__HTTP_BEGUN,  /* the head is out, the body follows */
	SOON__HTTP_ENDED,
	SOON__HTTP_BROKEN, /* a write failed; the connection is of no more use */
};

struct soon_http_response {
	enum soon__http_reply_state state;
	enum soon__http_framing framing;
	int error;        /* of the write that failed */
	bool is_bodiless; /* to HEAD, 204, 304: the body is counted and not sent */
	uint64_t left;    /* LENGTH: bytes announced and not written */
	char *fields;     /* what soon_http_header_add added, ready to send: `room`, or ours */
	uint32_t fields_len, fields_max;
	char room[512];
};

struct soon__http_exchange {
	struct soon__http_service *service;
	soon_stream *stream;
	struct soon__http_exchange *next; /* in service->free */
	size_t pending_bytes; /* of the request, at the front of the stream, still to be consumed */
	bool closes;          /* no request is read after this one */
	bool lingers;         /* and the client may be sending still */
	char *copy;           /* of the head and the decoded path where they need one; ours */
	size_t copy_max;
	soon_http_request req;
	soon_http_response res;
};

static inline struct soon__http_exchange *soon__http_exchange_of(const soon_http_request *req)
{
	return (struct soon__http_exchange *)(uintptr_t)((const char *)req -
		offsetof(struct soon__http_exchange, req));
}

static inline struct soon__http_exchange *soon__http_exchange_of_res(const soon_http_response *res)
{
	return (struct soon__http_exchange *)(uintptr_t)((const char *)res -
		offsetof(struct soon__http_exchange, res));
}

/* service: http.c */
int soon__http_service_init(struct soon__http_service *service, const soon_http_server *server);
void soon__http_service_fini(struct soon__http_service *service);
const char *soon__http_service_date(struct soon__http_service *service) SOON_ON_CORE;
struct soon__http_exchange *soon__http_exchange_take(
	struct soon__http_service *service, soon_stream *stream);
void soon__http_exchange_give(struct soon__http_exchange *x);

/* One connection until its end; http_conn.c. */
int soon__http_conn_run(struct soon__http_service *service, soon_stream *stream) SOON_SUSPENDS;

/* The body of a request; http_body.c. */

/*
 * Says how the body of a complete head is framed and where it may lie already: `buffered` bytes
 * are behind the head. Returns whether all of it is in place.
 */
bool soon__http_body_start(struct soon__http_exchange *x, size_t buffered);

/* Sets the limit; a body whose announced length is over it has failed already. */
void soon__http_body_limit(struct soon__http_exchange *x, uint64_t bytes_max);

/* Whether what is left of the body lets the connection go on after the response. */
bool soon__http_body_can_be_skipped(const struct soon__http_exchange *x);

/* Reads and forgets what the handler left. Errors: -E2BIG too much of it, and those of reads. */
int soon__http_body_skip(struct soon__http_exchange *x) SOON_SUSPENDS;

void soon__http_body_end(struct soon__http_exchange *x);

/* The status that tells the client what was wrong with its body; 0 if nothing was. */
int soon__http_body_status(const struct soon__http_exchange *x);

/* The response; http_reply.c. */
void soon__http_reply_start(soon_http_response *res);
void soon__http_reply_end(soon_http_response *res);

/* Answers with a fixed text: the status and its reason. */
int soon__http_reply_status(struct soon__http_exchange *x, int status) SOON_SUSPENDS;

/* Sends "100 Continue". */
int soon__http_reply_continue(struct soon__http_exchange *x) SOON_SUSPENDS;

#endif
