// SPDX-License-Identifier: Apache-2.0
/*
 * proc_run.c: a program from its start to its end, with what it reads and writes.
 *
 * One task feeds it and one collects each output, while the caller waits for its end. What the
 * program itself wrote is in the pipes by then; so the tasks are stopped, and what is there is
 * read. Others that hold the pipes (a daemon that it started) are not waited for.
 */
#include <soon/assert.h>
#include <soon/group.h>
#include <soon/mem.h>
#include <soon/proc.h>

#include "proc.h"

#include <string.h>

#define OUT_MAX    ((size_t)1024 * 1024)
#define GROW_BYTES 4096

/* One output under collection. */
struct collected {
	soon_stream *from; /* NULL: there is none */
	const char *program;
	char *bytes; /* with room for a zero behind them, or NULL */
	size_t len;
	size_t size;
	size_t max;
};

struct running {
	soon_proc *proc;
	soon_slice input;
	struct collected out, err;
	soon_proc_status status;
};

/* ---- collecting -------------------------------------------------------------------------- */

static int room_make(struct collected *c, size_t bytes)
{
	size_t size = c->size != 0 ? c->size : GROW_BYTES;
	char *grown;

	while (size - 1 < c->len + bytes)
		size *= 2;
	if (size == c->size)
		return 0;
	grown = soon_realloc(c->bytes, size);
	if (grown == NULL)
		return -ENOMEM;
	c->bytes = grown;
	c->size = size;
	return 0;
}

/* Takes what the stream shows. Returns: how much that was, 0 for nothing. */
static ssize_t take(struct collected *c, size_t min) SOON_SUSPENDS
{
	soon_slice slice;
	ssize_t n = soon_stream_peek(c->from, min, &slice);
	int rc;

	if (n <= 0)
		return n;
	if (slice.len > c->max - c->len)
		return soon_fail(-EMSGSIZE, "%s wrote more than %zu bytes", c->program, c->max);
	rc = room_make(c, slice.len);
	if (rc < 0)
		return rc;
	memcpy(c->bytes + c->len, slice.ptr, slice.len);
	c->len += slice.len;
	soon_stream_consume(c->from, slice.len);
	return n;
}

static int collect(struct collected *c) SOON_SUSPENDS
{
	ssize_t n;

	while ((n = take(c, 1)) > 0)
		continue;
	return (int)n;
}

/* What is there already, after the program's end. */
static int collect_rest(struct collected *c) SOON_SUSPENDS
{
	ssize_t n = 0;

	while (c->from != NULL && (n = take(c, 0)) > 0)
		continue;
	if (n == 0)
		n = room_make(c, 0);
	if (n < 0)
		return (int)n;
	c->bytes[c->len] = '\0';
	return 0;
}

/* That it does not read all of it is the program's business. */
static int feed(struct running *r) SOON_SUSPENDS
{
	soon_stream *in = soon_proc_in(r->proc);
	ssize_t n = soon_stream_write(in, r->input.ptr, r->input.len);

	if (n >= 0)
		n = soon_stream_shutdown(in);
	return n < 0 && n != -EPIPE ? (int)n : 0;
}

/* ---- running ----------------------------------------------------------------------------- */

static int attend(struct running *r) SOON_SUSPENDS
{
	int rc = 0;
	SOON_GROUP(g, .name = "program");

	if (soon_proc_in(r->proc) != NULL)
		rc = soon_spawn(&g, feed, r);
	if (rc == 0 && r->out.from != NULL)
		rc = soon_spawn(&g, collect, &r->out);
	if (rc == 0 && r->err.from != NULL)
		rc = soon_spawn(&g, collect, &r->err);
	if (rc == 0)
		rc = soon_proc_wait(r->proc, &r->status);
	if (rc == 0)
		soon_group_cancel(&g, "the program has ended");
	rc = (int)soon_group_close(&g, rc);
	if (rc == 0)
		rc = collect_rest(&r->out);
	if (rc == 0)
		rc = collect_rest(&r->err);
	return rc;
}

static void pipes_default(soon_proc_opts *spawn, bool has_input)
{
	if (spawn->in == SOON_PROC_INHERIT)
		spawn->in = has_input ? SOON_PROC_PIPE : SOON_PROC_NULL;
	if (spawn->out == SOON_PROC_INHERIT)
		spawn->out = SOON_PROC_PIPE;
	if (spawn->err == SOON_PROC_INHERIT)
		spawn->err = SOON_PROC_PIPE;
}

int soon_proc_run(
	const char *const *argv, const soon_proc_run_opts *opts, soon_proc_result *ret_result)
{
	soon_proc_opts spawn = { 0 };
	struct running r = { 0 };
	int rc;

	SOON_ASSERT(ret_result != NULL);
	*ret_result = (soon_proc_result){ .status = { .code = -1 } };
	if (opts != NULL) {
		spawn = opts->spawn;
		r.input = opts->input;
	}
	pipes_default(&spawn, r.input.len > 0);
	rc = soon_proc_spawn(argv, &spawn, &r.proc);
	if (rc < 0)
		return rc;
	r.out.from = soon_proc_out(r.proc);
	r.err.from = soon_proc_err(r.proc);
	r.out.program = r.err.program = r.proc->name;
	r.out.max = r.err.max = opts != NULL && opts->out_max != 0 ? opts->out_max : OUT_MAX;

	rc = attend(&r);
	soon_proc_close(r.proc);
	if (rc < 0) {
		soon_free(r.out.bytes);
		soon_free(r.err.bytes);
		return rc;
	}
	*ret_result = (soon_proc_result){
		.status = r.status,
		.out = r.out.bytes,
		.out_len = r.out.len,
		.err = r.err.bytes,
		.err_len = r.err.len,
	};
	return 0;
}

void soon_proc_result_fini(soon_proc_result *result)
{
	if (result == NULL)
		return;
	soon_free(result->out);
	soon_free(result->err);
	*result = (soon_proc_result){ 0 };
}
