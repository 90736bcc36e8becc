// SPDX-License-Identifier: Apache-2.0
/*
 * generators.c: prints the lines of a file that contain a word, with their numbers; reading,
 * searching and printing are three functions that know nothing of one another. See
 * docs/guide/generators.md.
 *
 *	example_generators FILE WORD
 */
#define _POSIX_C_SOURCE 200809L

#include <soon/soon.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* A line without its end. The text is the generator's, until the next one is asked for. */
struct line {
	const char *text;
	size_t len;
	unsigned number;
};

/* The lines of a buffer that is filled again and again: `*len` is what is left over each time. */
static int emit_lines(char *buf, size_t *len, unsigned *number, SOON_OUT(struct line))
{
	const char *at = buf, *end;
	int rc = 0;

	while (rc == 0 && (end = memchr(at, '\n', *len - (size_t)(at - buf))) != NULL) {
		struct line line = { at, (size_t)(end - at), ++*number };

		rc = soon_emit(&line);
		at = end + 1;
	}
	*len -= (size_t)(at - buf);
	memmove(buf, at, *len);
	return rc;
}

/* Whatever it opens it closes, also when nobody wants the rest of the file. */
SOON_GEN(lines, struct line, const char *path)
{
	char buf[4096];
	size_t len = 0;
	unsigned number = 0;
	ssize_t n = 0;
	int rc = 0, fd = soon_open(path, O_RDONLY, 0);

	if (fd < 0)
		return soon_fail(fd, "cannot open %s", path);
	while (rc == 0 && (n = soon_read(fd, buf + len, sizeof buf - len)) > 0) {
		len += (size_t)n;
		rc = emit_lines(buf, &len, &number, soon_out);
		if (rc == 0 && len == sizeof buf)
			rc = soon_fail(-E2BIG, "line %u is too long", number + 1);
	}
	if (rc == 0 && n < 0)
		rc = (int)n;
	if (rc == 0 && len > 0)
		rc = soon_emit(&(struct line){ buf, len, number + 1 });
	(void)soon_close(fd);
	return rc;
}

struct search {
	const char *path, *word;
};

/* A generator over another one, which is closed with it. */
SOON_GEN(matches, struct line, const struct search *search)
{
	size_t word_len = strlen(search->word);
	struct line line;
	int rc;
	SOON_ITER(it, lines, search->path);

	while ((rc = soon_next(it, &line)) > 0) {
		for (size_t i = 0; i + word_len <= line.len; i++) {
			if (memcmp(line.text + i, search->word, word_len) != 0)
				continue;
			rc = soon_emit(&line);
			break;
		}
		if (rc < 0)
			break;
	}
	return rc;
}

/* The consumer: no more than ten, and no longer than a second for each. */
static int show(const struct search *search)
{
	struct line line;
	ssize_t rc = 0;
	SOON_ITER(it, matches, search);

	for (int i = 0; i < 10; i++) {
		rc = soon_within(SOON_S(1), soon_next(it, &line));
		if (rc <= 0)
			break;
		printf("%u: %.*s\n", line.number, (int)line.len, line.text);
	}
	return rc < 0 ? (int)rc : soon_gen_close(it);
}

static int app(const struct search *search)
{
	int rc = show(search);

	if (rc < 0)
		(void)fprintf(stderr, "%s: %s\n", soon_fail_message() ? soon_fail_message() : "?",
			strerror(-rc));
	return rc;
}

int main(int argc, char **argv)
{
	struct search search = { .word = "" };

	if (argc != 3) {
		(void)fprintf(stderr, "usage: example_generators FILE WORD\n");
		return 2;
	}
	search.path = argv[1];
	search.word = argv[2];
	return soon_run(app, &search) < 0;
}
