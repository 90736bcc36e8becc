// SPDX-License-Identifier: Apache-2.0
/*
 * http.h: an HTTP/1.1 server in plain blocking style.
 *
 *	static int greet(soon_http_request *req, soon_http_response *res)
 *	{
 *		soon_slice name = soon_http_param(req, "name");
 *		return soon_http_respond(res, 200, "text/plain", name.ptr, name.len);
 *	}
 *	static const soon_http_route routes[] = { { "GET", "/hello/:name", greet } };
 *
 *	soon_http_server server = { .listener = l, .routes = routes, .routes_count = 1 };
 *	int rc = soon_http_serve(&server);
 *
 * A handler runs in the task of its connection, one request of a connection at a time. It answers
 * with soon_http_respond(), or with _begin, _write, _end for a body made while it is sent. A
 * handler that returns a negative errno without having answered makes the client get a 500 with
 * a fixed text, or the 4xx that tells what was wrong with the body if that was the reason.
 *
 * Everything a client can send is bounded, see soon_http_limits. What is malformed or ambiguous is
 * refused and the connection closed, never interpreted: see net/README.md for the list. HEAD is
 * answered by the GET route, OPTIONS and 405 from the table of routes.
 *
 * Slices of a request stay valid until its handler returns. All functions: Affinity: the core, in
 * the handler's task. A function that is not marked SOON_SUSPENDS never suspends.
 */
#ifndef SOON_HTTP_H
#define SOON_HTTP_H

#include <soon/service.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct soon_http_request soon_http_request;
typedef struct soon_http_response soon_http_response;
typedef int (*soon_http_handler)(soon_http_request *req, soon_http_response *res);

#define SOON_HTTP_PARAMS_MAX   8  /* ":name" segments of one pattern */
#define SOON_HTTP_SEGMENTS_MAX 16 /* of one pattern */

/*
 * What a handler answers. A pattern is a path whose segments are literal, ":name" for any one
 * segment that is not empty, or at the end "*name" for all the rest. Literal wins over ":name",
 * and that over "*name", whatever the order in the table.
 */
typedef struct soon_http_route {
	const char *method; /* "GET"; NULL for every method that no other route of the path has */
	const char *pattern;
	soon_http_handler handler;
	void *arg;             /* soon_http_matched(req)->arg; may be NULL */
	size_t body_bytes_max; /* 0: the server's limit */
} soon_http_route;

/* Zero means the default in every field. Beyond: the status in brackets, and a close. */
typedef struct soon_http_limits {
	size_t request_line_bytes; /* 8 KiB [414] */
	size_t header_line_bytes;  /* 8 KiB [431] */
	size_t headers_bytes;      /* 32 KiB, all of them [431] */
	unsigned headers_count;    /* 100, also the most [431] */
	size_t body_bytes;         /* 1 MiB [413] */
	size_t unread_bytes;       /* 64 KiB: of a body the handler left; more: close */
	size_t reply_head_bytes;   /* 16 KiB: soon_http_header_add fails beyond */
} soon_http_limits;

/* Zero means the default in every field. */
typedef struct soon_http_timeouts {
	soon_ns header;     /* 10 s from a request's first byte to its head's end [408] */
	soon_ns idle;       /* 60 s between requests, then a silent close */
	soon_ns body_grace; /* 10 s of waiting for a body are free, after that ... */
	size_t body_rate;   /* ... 1 KiB a second must have come on average [408] */
	soon_ns send_idle;  /* 30 s without the client taking a byte, then an abort */
	soon_ns linger;     /* 2 s to read on after the last reply, so it is not reset */
} soon_http_timeouts;

/* Counters of a server; read them on its core at any time. */
typedef struct soon_http_stats {
	uint64_t requests;   /* heads read, well-formed */
	uint64_t replies[6]; /* by class: replies[2] counts 2xx; [0] is unused */
	uint64_t refused;    /* answered 4xx or 5xx without a handler: malformed, slow, 404 */
	uint64_t failures;   /* handlers that returned a negative errno */
} soon_http_stats;

/* What to serve and how. Zero means the default in every field but `routes`. */
typedef struct soon_http_server {
	soon_listener *listener; /* for soon_http_serve; borrowed while serving */
	const soon_http_route *routes;
	size_t routes_count;
	void *arg; /* soon_http_arg(req) */

	soon_http_limits limits;
	soon_http_timeouts timeouts;
	unsigned conns_max;  /* as soon_service's */
	soon_tls *tls;       /* likewise: HTTPS */
	bool errors_as_json; /* the fixed texts: {"status":404,"error":"Not Found"}, not plain */

	/*
	 * Called when a handler returned a negative errno, except when the client left or the
	 * connection was cancelled. NULL files a warning, at most one a second.
	 */
	void (*on_failure)(void *arg, soon_http_request *req, int rc);

	soon_http_stats *stats; /* where to count, zeroed at the start; NULL for nowhere */
	soon_service_stats *service_stats; /* the connections', likewise */
} soon_http_server;

/*
 * Serves connections of server->listener until the caller's scope is cancelled or drained. One
 * argument, so that it can be spawned as it is. A drain closes idle connections; requests that
 * are under way get their answer with "Connection: close" within the grace.
 * Suspends: always. Cancel: cancellation point. Ownership: borrows `server` until return.
 * Returns: 0 after a drain.
 * Errors: those of soon_serve. -EINVAL a route or a limit is wrong, after a report that says
 * which. -ENOMEM.
 */
SOON_API SOON_NODISCARD int soon_http_serve(const soon_http_server *server) SOON_SUSPENDS;

/*
 * Serves one connection until its end; server->listener is not used. For a connection that was
 * accepted elsewhere, and for tests.
 * Suspends: always. Cancel: cancellation point. Ownership: borrows `stream` and `server`; the
 * stream is flushed, not closed. Returns: 0 at the end of the connection, whoever ended it well.
 * Errors: as above; those of the stream; -ETIMEDOUT the client took no bytes any more.
 */
SOON_API SOON_NODISCARD int soon_http_serve_stream(
	soon_stream *stream, const soon_http_server *server) SOON_SUSPENDS;

/*
 * The request line. `method` ends in NUL and is static. `target` is as received, `path` is the
 * decoded path, `query` what follows the '?', not decoded, ptr NULL without one.
 */
SOON_API const char *soon_http_method(const soon_http_request *req);
SOON_API soon_slice soon_http_target(const soon_http_request *req);
SOON_API soon_slice soon_http_path(const soon_http_request *req);
SOON_API soon_slice soon_http_query(const soon_http_request *req);

/* Returns 0 for HTTP/1.0, 1 for HTTP/1.1. */
SOON_API int soon_http_minor(const soon_http_request *req);

/* Returns what ":name" or "*name" of the route's pattern stands for, decoded; ptr NULL if none. */
SOON_API soon_slice soon_http_param(const soon_http_request *req, const char *name);

/*
 * Decodes the first value of `name` in the query, or in any text in the form of a query, such as
 * the body of an HTML form.
 * Returns: its length; `ret_value` ends in NUL, and is empty after a failure. Errors: -ENOENT no
 * such name. -ENOBUFS it does not fit into `bytes`. -EBADMSG a malformed or a NUL escape.
 */
SOON_API SOON_NODISCARD ssize_t soon_http_query_value(
	const soon_http_request *req, const char *name, char *ret_value, size_t bytes);
SOON_API SOON_NODISCARD ssize_t soon_http_form_value(
	soon_slice form, const char *name, char *ret_value, size_t bytes);

/* Returns the first header of that name, in any case, without white space around; else ptr NULL. */
SOON_API soon_slice soon_http_header(const soon_http_request *req, const char *name);

/* Gives the index-th header, as received; false after the last. */
SOON_API SOON_NODISCARD bool soon_http_header_at(
	const soon_http_request *req, size_t index, soon_slice *ret_name, soon_slice *ret_value);

/* Return the route, the server's `arg`, and the connection, for its peer and socket. */
SOON_API const soon_http_route *soon_http_matched(const soon_http_request *req);
SOON_API void *soon_http_arg(const soon_http_request *req);
SOON_API soon_stream *soon_http_stream(const soon_http_request *req);

/*
 * Reads the next bytes of the body; sends "100 Continue" before the first wait if the client asked.
 * Suspends: until a byte is there. Cancel: cancellation point; nothing is lost.
 * Returns: the count; 0 at the end of the body, also when there is none.
 * Errors: -E2BIG over the limit [413]. -EBADMSG malformed chunks [400]. -ETIMEDOUT too slow [408].
 * -ECONNRESET the client left before the end. -ECANCELED. An error comes again at every later
 * call, and returning it from the handler answers with the status in brackets.
 */
SOON_API SOON_NODISCARD ssize_t soon_http_body_read(soon_http_request *req, void *buf, size_t bytes)
	SOON_SUSPENDS;

/*
 * Reads the whole body, or what soon_http_body_read left of it. Calling it again gives the same.
 * Otherwise as soon_http_body_read. Returns: 0. Errors: also -ENOMEM.
 */
SOON_API SOON_NODISCARD int soon_http_body_all(soon_http_request *req, soon_slice *ret_body)
	SOON_SUSPENDS;

/*
 * Adds a header to the response; the framing (Content-Length, Transfer-Encoding, Connection, Date,
 * Trailer, Upgrade) and Content-Type are the server's and refused.
 * Ownership: borrows the texts until return. Errors: -EINVAL not a header name, or a value with a
 * control character, CR, LF and NUL among them: nothing is added, and a report is filed. -EALREADY
 * the head is out. -ENOBUFS reply_head_bytes. -ENOMEM.
 */
SOON_API SOON_NODISCARD int soon_http_header_add(
	soon_http_response *res, const char *name, const char *value, size_t len);

/*
 * Answers with a whole body. For HEAD, and a status that has none (204, 304), the body is left out.
 * Suspends: while the client does not take earlier bytes. Cancel: cancellation point.
 * Null: `content_type` for none; `body` when `len` is 0. Ownership: borrows all until return.
 * Errors: -EALREADY answered before. -EINVAL a status outside 200..599 or a control character in
 * `content_type`, after a report. -ETIMEDOUT the client takes nothing. Others of
 * soon_stream_write: the client is gone.
 */
SOON_API SOON_NODISCARD int soon_http_respond(soon_http_response *res, int status,
	const char *SOON_NULLABLE content_type, const void *SOON_NULLABLE body, size_t len)
	SOON_SUSPENDS;

#define SOON_HTTP_UNKNOWN (-1)

/*
 * Answers with a body that follows in pieces: of `length` bytes in all, or SOON_HTTP_UNKNOWN:
 * chunked, to an HTTP/1.0 client until the close. Otherwise as soon_http_respond.
 */
SOON_API SOON_NODISCARD int soon_http_respond_begin(soon_http_response *res, int status,
	const char *SOON_NULLABLE content_type, int64_t length) SOON_SUSPENDS;

/*
 * Writes a piece. It leaves when enough is gathered, when the connection waits for input, or now,
 * by soon_http_flush.
 * Returns: `len`. Errors: as soon_http_respond. -EPROTO not begun, or ended. -E2BIG more than was
 * announced.
 */
SOON_API SOON_NODISCARD ssize_t soon_http_write(
	soon_http_response *res, const void *data, size_t len) SOON_SUSPENDS;
SOON_API SOON_NODISCARD int soon_http_flush(soon_http_response *res) SOON_SUSPENDS;

/*
 * Ends the body. A handler that returns 0 ends it too; one that fails has the connection closed in
 * mid-body, so that the client cannot take it for whole. Errors: as soon_http_write. -EPROTO also
 * when less than `length` was written.
 */
SOON_API SOON_NODISCARD int soon_http_respond_end(soon_http_response *res) SOON_SUSPENDS;

/* Returns whether the response was begun. */
SOON_API bool soon_http_is_answered(const soon_http_response *res);

#ifdef __cplusplus
}
#endif

#endif
