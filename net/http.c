// SPDX-License-Identifier: Apache-2.0
/*
 * The service behind soon_http_serve(): options with their defaults, the routes as a tree, the
 * exchanges that are not in use, and the date of the current second.
 */
#include <soon/assert.h>
#include <soon/http.h>
#include <soon/mem.h>

#include "http_exchange.h"

#include <string.h>
#include <time.h>

#define FREE_MAX       64   /* exchanges kept for their next use */
#define COPY_KEEP_MAX  4096 /* bytes of a copy buffer kept with an exchange */
#define HEAD_BYTES_MAX (UINT32_MAX / 4)

#define DEFAULT(field, value)                                                                      \
	do {                                                                                       \
		if ((field) == 0)                                                                  \
			(field) = (value);                                                         \
	} while (0)

static void fill_limits(soon_http_limits *limits)
{
	DEFAULT(limits->request_line_bytes, 8192);
	DEFAULT(limits->header_line_bytes, 8192);
	DEFAULT(limits->headers_bytes, 32768);
	DEFAULT(limits->headers_count, SOON__HTTP_FIELDS_MAX);
	DEFAULT(limits->body_bytes, 1048576);
	DEFAULT(limits->unread_bytes, 65536);
	DEFAULT(limits->reply_head_bytes, 16384);
}

static void fill_timeouts(soon_http_timeouts *timeouts)
{
	DEFAULT(timeouts->header, SOON_S(10));
	DEFAULT(timeouts->idle, SOON_S(60));
	DEFAULT(timeouts->body_grace, SOON_S(10));
	DEFAULT(timeouts->body_rate, 1024);
	DEFAULT(timeouts->send_idle, SOON_S(30));
	DEFAULT(timeouts->linger, SOON_S(2));
}

/* Returns what is wrong with the limits, NULL if nothing is. */
static const char *limits_fault(const soon_http_limits *limits)
{
	if (limits->headers_count > SOON__HTTP_FIELDS_MAX)
		return "headers_count is over 100";
	if (limits->request_line_bytes > HEAD_BYTES_MAX)
		return "request_line_bytes is too large";
	if (limits->headers_bytes > HEAD_BYTES_MAX || limits->header_line_bytes > HEAD_BYTES_MAX)
		return "header_line_bytes or headers_bytes is too large";
	if (limits->reply_head_bytes > 32768)
		return "reply_head_bytes is over 32 KiB";
	return NULL;
}

int soon__http_service_init(struct soon__http_service *service, const soon_http_server *server)
{
	const char *fault;

	memset(service, 0, sizeof *service);
	service->server = server;
	service->limits = server->limits;
	service->timeouts = server->timeouts;
	service->stats = server->stats == NULL ? &service->stats_unwanted : server->stats;
	memset(service->stats, 0, sizeof *service->stats);
	fill_limits(&service->limits);
	fill_timeouts(&service->timeouts);
	fault = limits_fault(&service->limits);
	if (fault != NULL) {
		soon_report_file(SOON_REPORT_ERROR, -EINVAL, "http: limits.%s", fault);
		return -EINVAL;
	}
	service->head_limits = (struct soon__http_head_limits){
		.request_line_bytes = (uint32_t)service->limits.request_line_bytes,
		.header_line_bytes = (uint32_t)service->limits.header_line_bytes,
		.headers_bytes = (uint32_t)service->limits.headers_bytes,
		.headers_count = service->limits.headers_count,
	};
	return soon__http_router_init(&service->router, server->routes, server->routes_count);
}

static void exchange_free(struct soon__http_exchange *x)
{
	soon_free(x->copy);
	soon_free(x);
}

void soon__http_service_fini(struct soon__http_service *service)
{
	while (service->free != NULL) {
		struct soon__http_exchange *x = service->free;

		service->free = x->next;
		exchange_free(x);
	}
	soon__http_router_fini(&service->router);
}

struct soon__http_exchange *soon__http_exchange_take(
	struct soon__http_service *service, soon_stream *stream)
{
	struct soon__http_exchange *x = service->free;

	if (x != NULL) {
		service->free = x->next;
		service->free_count--;
	} else {
		x = soon_malloc(sizeof *x);
		if (x == NULL)
			return NULL;
		x->copy = NULL;
		x->copy_max = 0;
	}
	x->service = service;
	x->stream = stream;
	x->next = NULL;
	return x;
}

void soon__http_exchange_give(struct soon__http_exchange *x)
{
	struct soon__http_service *service = x->service;

	if (service->free_count == FREE_MAX) {
		exchange_free(x);
		return;
	}
	if (x->copy_max > COPY_KEEP_MAX) {
		soon_free(x->copy);
		x->copy = NULL;
		x->copy_max = 0;
	}
	x->stream = NULL;
	x->next = service->free;
	service->free = x;
	service->free_count++;
}

/*
 * The date is made once a second. The core's clock says when: reading it is cheaper than the
 * calendar's, and under a test's clock the dates are made as often as in earnest.
 */
const char *soon__http_service_date(struct soon__http_service *service)
{
	soon_ns now = soon_now();
	struct timespec wall;

	if (SOON_LIKELY(now < service->date_until))
		return service->date_line;
	(void)clock_gettime(CLOCK_REALTIME, &wall); /* cannot fail for this clock */
	memcpy(service->date_line, "Date: ", 6);
	soon__http_put_date(service->date_line + 6, wall.tv_sec < 0 ? 0 : wall.tv_sec);
	memcpy(service->date_line + 6 + SOON__HTTP_DATE_BYTES, "\r\n", 2);
	service->date_until = now + SOON_S(1) - wall.tv_nsec;
	return service->date_line;
}

static int handle(soon_stream *stream, void *arg) SOON_SUSPENDS
{
	return soon__http_conn_run(arg, stream);
}

int soon_http_serve(const soon_http_server *server)
{
	struct soon__http_service http;
	int rc = soon__http_service_init(&http, server);

	if (rc < 0)
		return rc;
	rc = soon_serve(&(soon_service){
		.listener = server->listener,
		.handle = handle,
		.arg = &http,
		.name = "http",
		.conns_max = server->conns_max,
		.tls = server->tls,
		.stats = server->service_stats,
	});
	soon__http_service_fini(&http);
	return rc;
}

int soon_http_serve_stream(soon_stream *stream, const soon_http_server *server)
{
	struct soon__http_service http;
	int rc = soon__http_service_init(&http, server);

	if (rc < 0)
		return rc;
	rc = soon__http_conn_run(&http, stream);
	soon__http_service_fini(&http);
	return rc;
}
