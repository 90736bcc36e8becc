// SPDX-License-Identifier: Apache-2.0
/* A file into a stream: reading and writing through a buffer of the call. */
#include <soon/file.h>
#include <soon/mem.h>
#include <soon/stream.h>

#include <unistd.h>

#define CHUNK_BYTES ((size_t)128 * 1024)

static ssize_t move(soon_stream *stream, int in_fd, off_t offset, size_t count) SOON_SUSPENDS
{
	size_t size = count < CHUNK_BYTES ? count : CHUNK_BYTES;
	char *buf = soon_malloc(size);
	size_t done = 0;
	ssize_t n;

	if (buf == NULL)
		return -ENOMEM;
	do { /* once for no bytes, too: a cancellation point, and it looks at `in_fd` */
		size_t len = count - done < size ? count - done : size;

		n = soon_pread(in_fd, buf, len, offset + (off_t)done);
		if (n > 0)
			n = soon_stream_write(stream, buf, (size_t)n);
		if (n > 0)
			done += (size_t)n;
	} while (n > 0 && done < count);
	soon_free(buf);
	return n < 0 ? n : (ssize_t)done;
}

ssize_t soon_stream_sendfile(
	soon_stream *stream, int in_fd, off_t offset, size_t count, size_t *ret_done)
{
	uint64_t before = soon_stream_written(stream);
	ssize_t n;

	if (offset < 0)
		n = -EINVAL;
	else if (lseek(in_fd, 0, SEEK_CUR) < 0)
		n = -errno;
	else
		n = move(stream, in_fd, offset, count);
	if (ret_done != NULL)
		*ret_done = (size_t)(soon_stream_written(stream) - before);
	return n;
}
