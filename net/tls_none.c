// SPDX-License-Identifier: Apache-2.0
/*
 * tls_none.c: TLS in a library that was built without OpenSSL: nobody gets a context, so all that
 * takes one is never called.
 */
#include <soon/assert.h>
#include <soon/task.h>
#include <soon/tls.h>

static int none(void)
{
	soon_report_file(SOON_REPORT_ERROR, -EOPNOTSUPP,
		"tls: soon was built without OpenSSL 3: install libssl-dev and build it again");
	return soon_fail(-EOPNOTSUPP, "tls: soon was built without OpenSSL 3 (libssl-dev)");
}

int soon_tls_server(const soon_tls_opts *opts, soon_tls **ret_tls)
{
	(void)opts;
	(void)ret_tls;
	return none();
}

int soon_tls_client(const soon_tls_opts *opts, soon_tls **ret_tls)
{
	(void)opts;
	(void)ret_tls;
	return none();
}

void soon_tls_free(soon_tls *tls)
{
	SOON_ASSERT(tls == NULL);
}

int soon_tls_reload(soon_tls *tls)
{
	(void)tls;
	return none();
}

int soon_tls_watch(soon_tls *tls)
{
	(void)tls;
	return none();
}

int soon_tls_rotate(soon_tls *tls)
{
	(void)tls;
	return none();
}

void soon_tls_stats_get(soon_tls *tls, soon_tls_stats *ret_stats)
{
	(void)tls;
	*ret_stats = (soon_tls_stats){ 0 };
}

int soon_tls_accept(soon_stream *stream, soon_tls *tls)
{
	(void)stream;
	(void)tls;
	return none();
}

int soon_tls_connect(soon_stream *stream, soon_tls *tls, const char *host)
{
	(void)stream;
	(void)tls;
	(void)host;
	return none();
}

int soon_tls_dial(
	const char *where, soon_tls *tls, const soon_stream_opts *opts, soon_stream **ret_stream)
{
	(void)where;
	(void)tls;
	(void)opts;
	(void)ret_stream;
	return none();
}

void soon_tls_allow_truncation(soon_stream *stream)
{
	(void)stream;
}

int soon_tls_info_get(const soon_stream *stream, soon_tls_info *ret_info)
{
	(void)stream;
	(void)ret_info;
	return -ENOENT;
}
