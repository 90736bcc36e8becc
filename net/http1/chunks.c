// SPDX-License-Identifier: Apache-2.0
#include "http1/chunks.h"

#include <soon/assert.h>

#include "http1/text.h"

enum state {
	SIZE,      /* in the digits of a size */
	EXTENSION, /* behind the ';', up to CR */
	SIZE_LF,   /* behind the CR of the size's line */
	DATA,      /* in the data of a chunk */
	DATA_CR,   /* behind the data */
	DATA_LF,
	LINE,  /* at the start of a trailer's line, or of the empty line */
	NAME,  /* in a trailer's name, up to ':' */
	VALUE, /* in its value, up to CR */
	VALUE_LF,
	END_LF, /* behind the CR of the empty line */
	OVER,
};

static int read_size(struct soon__http_chunks *chunks, char c)
{
	int digit = soon__http_hex(c);

	if (digit >= 0) {
		if (chunks->digits == SOON__HTTP_CHUNK_DIGITS_MAX)
			return -EBADMSG;
		chunks->digits++;
		chunks->left = chunks->left << 4 | (uint64_t)digit;
		return 0;
	}
	if (chunks->digits == 0 || (c != '\r' && c != ';'))
		return -EBADMSG;
	chunks->digits = 0;
	chunks->state = c == '\r' ? SIZE_LF : EXTENSION;
	return 0;
}

/* A byte of an extension or of a trailer's value: up to CR, without other control characters. */
static int read_text(struct soon__http_chunks *chunks, char c, enum state behind)
{
	unsigned char u = (unsigned char)c;

	if (c == '\r')
		chunks->state = (uint8_t)behind;
	else if ((u < 0x20 && c != '\t') || u == 0x7f)
		return -EBADMSG;
	return 0;
}

static int read_name(struct soon__http_chunks *chunks, char c)
{
	if (c == ':' && chunks->state == NAME)
		chunks->state = VALUE;
	else if (soon__http_is_token_char(c))
		chunks->state = NAME;
	else if (c == '\r' && chunks->state == LINE)
		chunks->state = END_LF;
	else
		return -EBADMSG;
	return 0;
}

static int expect(struct soon__http_chunks *chunks, char c, char expected, enum state behind)
{
	chunks->state = (uint8_t)behind;
	return c == expected ? 0 : -EBADMSG;
}

/* Takes one byte that is not data. */
static int read_byte(struct soon__http_chunks *chunks, char c)
{
	switch ((enum state)chunks->state) {
	case SIZE:
		return read_size(chunks, c);
	case EXTENSION:
		if (++chunks->extensions > SOON__HTTP_EXTENSIONS_BYTES_MAX)
			return -E2BIG;
		return read_text(chunks, c, SIZE_LF);
	case SIZE_LF:
		return expect(chunks, c, '\n', chunks->left == 0 ? LINE : DATA);
	case DATA_CR:
		return expect(chunks, c, '\r', DATA_LF);
	case DATA_LF:
		return expect(chunks, c, '\n', SIZE);
	case LINE:
	case NAME:
		if (++chunks->trailer > chunks->trailer_max)
			return -E2BIG;
		return read_name(chunks, c);
	case VALUE:
		if (++chunks->trailer > chunks->trailer_max)
			return -E2BIG;
		return read_text(chunks, c, VALUE_LF);
	case VALUE_LF:
		return expect(chunks, c, '\n', LINE);
	case END_LF:
		return expect(chunks, c, '\n', OVER);
	case DATA:
	case OVER:
	default:
		soon_die("chunks: no byte is due in state %d", chunks->state);
	}
}

int soon__http_chunks_read(struct soon__http_chunks *chunks, const char *buf, size_t len,
	size_t data_max, size_t *ret_used, soon_slice *ret_data)
{
	size_t used = 0;
	int rc = 0;

	*ret_data = (soon_slice){ buf, 0 };
	while (rc == 0 && used < len && chunks->state != DATA && chunks->state != OVER)
		rc = read_byte(chunks, buf[used++]);
	if (rc == 0 && chunks->state == DATA) {
		size_t n = len - used;

		SOON_ASSERT(chunks->left > 0);
		if (n > chunks->left)
			n = (size_t)chunks->left;
		if (n > data_max)
			n = data_max;
		*ret_data = (soon_slice){ buf + used, n };
		used += n;
		chunks->left -= n;
		if (chunks->left == 0)
			chunks->state = DATA_CR;
	}
	*ret_used = used;
	return rc < 0 ? rc : chunks->state == OVER;
}
