// SPDX-License-Identifier: Apache-2.0
/*
 * procpool_worker.c: the other side of a pool: a process that answers calls, one after the other,
 * until its socket ends. There is no runtime in it; it blocks as plain C does.
 */
#include <soon/assert.h>
#include <soon/mem.h>

#include "procpool_wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How a worker ends that does not understand its parent; nobody reads it but people. */
#define EXIT_CONFUSED 120

static const soon_procpool_entry *known;

struct worker {
	const soon_procpool_entry *table;
	uint32_t count;
	int fd;
	char *in, *out;
	size_t in_size, out_size;
};

const soon_procpool_entry *soon__procpool_table(void)
{
	return known;
}

uint64_t soon__procpool_table_hash(const soon_procpool_entry *table)
{
	uint64_t hash = SOON__HASH_FIRST;

	for (; table->name != NULL; table++)
		hash = soon__hash(hash, table->name, strlen(table->name) + 1);
	return hash;
}

/* The parent is gone, or through with us. */
__attribute__((noreturn)) static void leave(struct worker *w)
{
	soon_free(w->in);
	soon_free(w->out);
	(void)fflush(NULL); /* of what functions printed */
	_exit(EXIT_SUCCESS);
}

static void read_all(struct worker *w, void *into, size_t len)
{
	char *at = into;

	while (len > 0) {
		ssize_t n = recv(w->fd, at, len, 0);
		int rc = n < 0 ? -errno : 0;

		if (n == 0 || (rc < 0 && rc != -EINTR))
			leave(w);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
}

static void write_all(struct worker *w, const void *from, size_t len)
{
	const char *at = from;

	while (len > 0) {
		ssize_t n = send(w->fd, at, len, MSG_NOSIGNAL);
		int rc = n < 0 ? -errno : 0;

		if (rc < 0 && rc != -EINTR)
			leave(w);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
}

static bool room_make(char **buf, size_t *size, size_t wanted)
{
	char *grown;

	if (*buf != NULL && wanted <= *size)
		return true;
	grown = soon_realloc(*buf, wanted);
	if (grown == NULL)
		return false;
	*buf = grown;
	*size = wanted;
	return true;
}

static void skip(struct worker *w, size_t len)
{
	char bytes[512];

	while (len > 0) {
		size_t part = len < sizeof bytes ? len : sizeof bytes;

		read_all(w, bytes, part);
		len -= part;
	}
}

static void reply(struct worker *w, const struct soon__wire_head *call, int rc, size_t len)
{
	struct soon__wire_head head = { .number = call->number, .len = len, .rc = rc };

	soon__wire_seal(&head, SOON__WIRE_REPLY);
	if (len == 0) {
		write_all(w, &head, sizeof head);
		return;
	}
	/* There is room for it in front of the bytes, so that both leave at once. */
	memcpy(w->out, &head, sizeof head);
	write_all(w, w->out, sizeof head + len);
}

static void answer(struct worker *w)
{
	struct soon__wire_head call = { 0 };
	size_t len = 0;
	int rc;

	read_all(w, &call, sizeof call);
	if (!soon__wire_is_sound(&call, SOON__WIRE_CALL) || call.index >= w->count)
		_exit(EXIT_CONFUSED);
	if (!room_make(&w->in, &w->in_size, call.len + 1) ||
		!room_make(&w->out, &w->out_size, sizeof call + call.room)) {
		skip(w, call.len);
		reply(w, &call, -ENOMEM, 0);
		return;
	}
	read_all(w, w->in, call.len);
	w->in[call.len] = '\0';
	rc = w->table[call.index].fn(w->in, call.len, w->out + sizeof call, call.room, &len);
	/* It wrote behind its room: nothing in this process can be believed any more. */
	if (len > call.room)
		abort();
	reply(w, &call, rc, len);
}

__attribute__((noreturn)) static void work(struct worker *w)
{
	struct soon__wire_head hello = { .number = soon__procpool_table_hash(w->table) };
	int type = 0;
	socklen_t type_len = sizeof type;

	/* Somebody typed the mark by hand. */
	if (getsockopt(w->fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0 || type != SOCK_STREAM)
		_exit(EXIT_CONFUSED);
	/* Programs that a function starts are not to hold the socket. */
	(void)fcntl(w->fd, F_SETFD, FD_CLOEXEC);
	while (w->table[w->count].name != NULL)
		w->count++;
	soon__wire_seal(&hello, SOON__WIRE_HELLO);
	write_all(w, &hello, sizeof hello);
	for (;;)
		answer(w);
}

void soon_procpool_worker(int argc, char **argv, const soon_procpool_entry *table)
{
	struct worker w = { .table = table, .fd = SOON__WORKER_FD };

	SOON_ASSERT(table != NULL);
	known = table;
	if (argc == 2 && strcmp(argv[1], SOON__WORKER_MARK) == 0)
		work(&w);
}
