// SPDX-License-Identifier: Apache-2.0
/*
 * sendfile.c: from a file to any descriptor, by reading and writing through a buffer of the call.
 * Decision 44 says why not by the system call of that name: what is asked of the kernel here can be
 * cancelled anywhere, and never waits for a disk on the core.
 */
#include <soon/file.h>
#include <soon/mem.h>

#include "op.h"

#include <unistd.h>

/* Fits into the cache beside what the kernel copies to. */
#define CHUNK_BYTES ((size_t)128 * 1024)

/* Sends or writes all of it; adds to `*done` what was taken. Returns: `len`. */
static ssize_t put_all(int fd, const char *data, size_t len, size_t *done, bool *is_socket)
	SOON_SUSPENDS
{
	size_t left = len;

	while (left > 0) {
		ssize_t n = *is_socket ? soon_send(fd, data, left, MSG_WAITALL)
				       : soon_write(fd, data, left);

		if (n == -ENOTSOCK && *is_socket) {
			*is_socket = false;
			continue;
		}
		if (n < 0)
			return n;
		*done += (size_t)n;
		data += n;
		left -= (size_t)n;
	}
	return (ssize_t)len;
}

static ssize_t move(int out_fd, int in_fd, off_t offset, size_t count, size_t *done) SOON_SUSPENDS
{
	size_t size = count < CHUNK_BYTES ? count : CHUNK_BYTES;
	char *buf = soon_malloc(size);
	bool is_socket = true; /* until it says that it is none */
	ssize_t n;

	if (buf == NULL)
		return -ENOMEM;
	do { /* once for no bytes, too: a cancellation point, and it looks at `in_fd` */
		size_t len = count - *done < size ? count - *done : size;

		n = soon_pread(in_fd, buf, len, offset + (off_t)*done);
		if (n > 0)
			n = put_all(out_fd, buf, (size_t)n, done, &is_socket);
	} while (n > 0 && *done < count);
	soon_free(buf);
	return n < 0 ? n : (ssize_t)*done;
}

ssize_t soon_sendfile(int out_fd, int in_fd, off_t offset, size_t count, size_t *ret_done)
{
	size_t done = 0;
	ssize_t n;

	if (ret_done != NULL)
		*ret_done = 0;
	if (offset < 0)
		return -EINVAL;
	/* A read at an offset would read on there, and what it read could not be given back. */
	n = lseek(in_fd, 0, SEEK_CUR) < 0 ? -errno : 0;
	if (n == 0)
		n = move(out_fd, in_fd, offset, count, &done);
	if (ret_done != NULL)
		*ret_done = done;
	return n;
}
