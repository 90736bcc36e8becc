// SPDX-License-Identifier: Apache-2.0
#include <soon/assert.h>
#include <soon/http.h>

#include "http1/text.h"
#include "http_exchange.h"

#include <string.h>

static soon_slice slice_of(const soon_http_request *req, struct soon__http_span span)
{
	return (soon_slice){ req->base + span.off, span.len };
}

const char *soon_http_method(const soon_http_request *req)
{
	return soon__http_method_name(req->head.method);
}

soon_slice soon_http_target(const soon_http_request *req)
{
	return slice_of(req, req->head.target);
}

soon_slice soon_http_path(const soon_http_request *req)
{
	return req->path;
}

soon_slice soon_http_query(const soon_http_request *req)
{
	if (!req->head.has_query)
		return (soon_slice){ NULL, 0 };
	return slice_of(req, req->head.query);
}

int soon_http_minor(const soon_http_request *req)
{
	return req->head.minor;
}

soon_slice soon_http_param(const soon_http_request *req, const char *name)
{
	return soon__http_match_param(&req->match, name);
}

ssize_t soon_http_query_value(
	const soon_http_request *req, const char *name, char *ret_value, size_t bytes)
{
	return soon__http_form_value(soon_http_query(req), name, ret_value, bytes);
}

ssize_t soon_http_form_value(soon_slice form, const char *name, char *ret_value, size_t bytes)
{
	return soon__http_form_value(form, name, ret_value, bytes);
}

soon_slice soon_http_header(const soon_http_request *req, const char *name)
{
	size_t len = strlen(name);

	for (uint32_t i = 0; i < req->head.fields_count; i++) {
		const struct soon__http_field *field = &req->head.fields[i];

		if (field->name.len == len &&
			strncasecmp(req->base + field->name.off, name, len) == 0)
			return slice_of(req, field->value);
	}
	return (soon_slice){ NULL, 0 };
}

bool soon_http_header_at(
	const soon_http_request *req, size_t index, soon_slice *ret_name, soon_slice *ret_value)
{
	if (index >= req->head.fields_count)
		return false;
	*ret_name = slice_of(req, req->head.fields[index].name);
	*ret_value = slice_of(req, req->head.fields[index].value);
	return true;
}

const soon_http_route *soon_http_matched(const soon_http_request *req)
{
	return req->match.route;
}

void *soon_http_arg(const soon_http_request *req)
{
	return soon__http_exchange_of(req)->service->server->arg;
}

soon_stream *soon_http_stream(const soon_http_request *req)
{
	return soon__http_exchange_of(req)->stream;
}
