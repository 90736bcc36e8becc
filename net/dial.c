// SPDX-License-Identifier: Apache-2.0
/*
 * dial.c: making a connection.
 */
#include <soon/assert.h>
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/scope.h>

#include "errtext.h"
#include "resolve.h"
#include "stream.h"

static int dial_one(const soon_addr *addr, const soon_stream_opts *opts, soon_stream *stream)
	SOON_SUSPENDS
{
	int fd = socket(addr->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = soon_connect(fd, (const struct sockaddr *)&addr->storage, addr->len);
	if (rc < 0) {
		(void)soon_close(fd); /* the failure that matters is known already */
		return rc;
	}
	soon_fd_track(fd, "connection");
	soon__stream_set_up(fd, opts);
	soon__stream_init(stream, fd, opts);
	return 0;
}

static int dial_all(const struct soon__resolved *resolved, const soon_stream_opts *opts,
	soon_stream *stream) SOON_SUSPENDS
{
	char text[SOON_ADDR_TEXT_BYTES];
	int rc = -ENOENT;

	for (size_t i = 0; i < resolved->count; i++) {
		rc = dial_one(&resolved->addrs[i], opts, stream);
		if (rc == 0 || rc == -ECANCELED)
			break;
		rc = soon_fail(rc, "cannot connect to %s: %s",
			soon_addr_format(&resolved->addrs[i], text), soon__error_text(rc));
	}
	return rc;
}

int soon_dial(const char *where, const soon_stream_opts *opts, soon_stream **ret_stream)
{
	struct soon__resolved *resolved;
	soon_stream *stream;
	int rc;

	SOON_ASSERT(where != NULL);
	SOON_ASSERT(ret_stream != NULL);
	rc = soon_checkpoint();
	if (rc < 0)
		return rc;
	stream = soon__stream_alloc();
	if (stream == NULL)
		return -ENOMEM;
	rc = soon__resolve(where, &resolved);
	if (rc == 0) {
		rc = dial_all(resolved, opts, stream);
		soon_free(resolved);
	}
	if (rc < 0) {
		soon_free(stream);
		return rc;
	}
	*ret_stream = stream;
	return 0;
}
