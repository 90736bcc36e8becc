// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP on libuv and llhttp, the parser of the same house. The requests of one read are answered by
 * one write.
 */
#include "service.h"

#include <llhttp.h>
#include <stdbool.h>
#include <string.h>

#define OUTPUT_BYTES (256u * 1024u)

struct http_conn {
	struct conn conn; /* first */
	llhttp_t parser;
	bool is_root; /* the path that is being parsed is "/", so far */
	unsigned path_bytes;
};

static const char ok[] = "HTTP/1.1 200 OK\r\n"
			 "Content-Type: text/plain\r\n"
			 "Content-Length: 13\r\n"
			 "\r\n"
			 "Hello, World!";
static const char not_found[] = "HTTP/1.1 404 Not Found\r\n"
				"Content-Length: 0\r\n"
				"\r\n";

/* The answers to one read; what does not fit is written before. */
static char output[OUTPUT_BYTES];
static size_t output_bytes;

static void flush(struct conn *conn)
{
	if (output_bytes > 0)
		conn_write(conn, output, output_bytes);
	output_bytes = 0;
}

static int on_message_begin(llhttp_t *parser)
{
	struct http_conn *http = parser->data;

	http->is_root = true;
	http->path_bytes = 0;
	return 0;
}

static int on_url(llhttp_t *parser, const char *bytes, size_t count)
{
	struct http_conn *http = parser->data;

	http->path_bytes += (unsigned)count;
	http->is_root = http->is_root && http->path_bytes == 1 && bytes[0] == '/';
	return 0;
}

static int on_message_complete(llhttp_t *parser)
{
	struct http_conn *http = parser->data;
	bool is_ok = http->is_root && llhttp_get_method(parser) == HTTP_GET;
	const char *answer = is_ok ? ok : not_found;
	size_t bytes = (is_ok ? sizeof(ok) : sizeof(not_found)) - 1;

	if (output_bytes + bytes > sizeof(output))
		flush(&http->conn);
	memcpy(output + output_bytes, answer, bytes);
	output_bytes += bytes;
	return llhttp_should_keep_alive(parser) ? 0 : HPE_USER;
}

static llhttp_settings_t settings;

static void on_open(struct conn *conn)
{
	struct http_conn *http = (struct http_conn *)conn;

	llhttp_init(&http->parser, HTTP_REQUEST, &settings);
	http->parser.data = http;
}

static void on_read(struct conn *conn, const char *bytes, size_t count)
{
	struct http_conn *http = (struct http_conn *)conn;
	llhttp_errno_t err = llhttp_execute(&http->parser, bytes, count);

	flush(conn);
	if (err != HPE_OK)
		conn_close(conn);
}

int main(int argc, char **argv)
{
	llhttp_settings_init(&settings);
	settings.on_message_begin = on_message_begin;
	settings.on_url = on_url;
	settings.on_message_complete = on_message_complete;
	return service_main(argc, argv,
		&(struct service){
			.conn_bytes = sizeof(struct http_conn),
			.on_open = on_open,
			.on_read = on_read,
		});
}
