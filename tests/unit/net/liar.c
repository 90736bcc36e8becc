// SPDX-License-Identifier: Apache-2.0
/*
 * liar.c: see liar.h.
 */
#include "liar.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEAD_BYTES = 12,
	MESSAGE_BYTES = 65536,
	NAME_BYTES = 256,
	TYPE_A = 1,
	TYPE_CNAME = 5,
	TYPE_AAAA = 28,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_REFUSED = 5,
};

struct message {
	uint8_t *bytes;
	size_t len;
	uint16_t answers;
};

struct question {
	char name[NAME_BYTES]; /* small letters, dots between */
	uint16_t type;
	size_t end; /* in the message */
};

static void put16(struct message *m, unsigned value)
{
	m->bytes[m->len++] = (uint8_t)(value >> 8);
	m->bytes[m->len++] = (uint8_t)value;
}

static void put_name(struct message *m, const char *name)
{
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		m->bytes[m->len++] = (uint8_t)len;
		memcpy(m->bytes + m->len, name, len);
		m->len += len;
		name += len + (name[len] == '.');
	}
	m->bytes[m->len++] = 0;
}

/* `owner` NULL: the name of the question, by a pointer. */
static void put_record(
	struct message *m, const char *owner, unsigned type, const void *data, size_t len)
{
	if (owner != NULL)
		put_name(m, owner);
	else
		put16(m, 0xc000 | HEAD_BYTES);
	put16(m, type);
	put16(m, 1);
	put16(m, 0);
	put16(m, 60);
	put16(m, (unsigned)len);
	memcpy(m->bytes + m->len, data, len);
	m->len += len;
	m->answers++;
}

static void put_alias(struct message *m, const char *owner, const char *of)
{
	uint8_t bytes[NAME_BYTES];
	struct message name = { .bytes = bytes };

	put_name(&name, of);
	put_record(m, owner, TYPE_CNAME, bytes, name.len);
}

static void put_addr(struct message *m, const char *owner, unsigned type, const char *text)
{
	uint8_t bytes[16];
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

	if ((family == AF_INET6) != (type == TYPE_AAAA))
		return;
	cr_assert_eq(inet_pton(family, text, bytes), 1);
	put_record(m, owner, type, bytes, family == AF_INET6 ? 16 : 4);
}

static bool question_read(const uint8_t *bytes, size_t len, struct question *ret)
{
	size_t at = HEAD_BYTES, out = 0;

	while (at < len && bytes[at] != 0) {
		size_t label = bytes[at++];

		if (at + label > len || out + label + 2 > sizeof ret->name)
			return false;
		if (out > 0)
			ret->name[out++] = '.';
		for (size_t i = 0; i < label; i++) {
			uint8_t c = bytes[at + i];
			ret->name[out++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
		}
		at += label;
	}
	if (at + 5 > len)
		return false;
	ret->name[out] = '\0';
	ret->type = (uint16_t)(bytes[at + 1] << 8 | bytes[at + 2]);
	ret->end = at + 5;
	return true;
}

static bool put_records(struct liar *liar, struct message *m, const struct question *q)
{
	bool is_known = false;

	for (int i = 0; i < LIAR_RECORDS_MAX && liar->records[i].name != NULL; i++) {
		if (strcmp(liar->records[i].name, q->name) != 0)
			continue;
		is_known = true;
		put_addr(m, NULL, q->type, liar->records[i].addr);
	}
	return is_known;
}

static void put_thousand(struct message *m, unsigned type)
{
	for (unsigned i = 0; i < 1000; i++) {
		char text[32];

		(void)snprintf(text, sizeof text, "198.18.%u.%u", i / 256, i % 256);
		put_addr(m, NULL, type, text);
	}
}

/* Returns the code of the answer. */
static unsigned put_answers(
	struct liar *liar, struct message *m, const struct question *q, bool is_tcp)
{
	if (put_records(liar, m, q))
		return 0;
	if (strcmp(q->name, "good.test") == 0 || strcmp(q->name, "wrongid.test") == 0 ||
		strcmp(q->name, "wrongname.test") == 0 || strcmp(q->name, "short.test") == 0) {
		put_addr(m, NULL, q->type, "192.0.2.1");
		put_addr(m, NULL, q->type, "2001:db8::1");
	} else if (strcmp(q->name, "v4.test") == 0) {
		put_addr(m, NULL, q->type, "192.0.2.4");
	} else if (strcmp(q->name, "alias.test") == 0) {
		put_alias(m, NULL, "good.test");
		put_addr(m, "good.test", q->type, "192.0.2.1");
		put_addr(m, "good.test", q->type, "2001:db8::1");
	} else if (strcmp(q->name, "loop.test") == 0) {
		put_alias(m, NULL, "loop2.test");
		put_alias(m, "loop2.test", "loop.test");
	} else if (strcmp(q->name, "cut.test") == 0) {
		if (is_tcp)
			put_addr(m, NULL, q->type, "192.0.2.9");
	} else if (strcmp(q->name, "thousand.test") == 0) {
		if (is_tcp)
			put_thousand(m, q->type);
	} else if (strcmp(q->name, "garbage.test") == 0) {
		m->answers = 1;
		put16(m, 0xc000 | (unsigned)m->len); /* a name that is where it stands */
		put16(m, q->type);
	} else if (strcmp(q->name, "servfail.test") == 0) {
		return RCODE_SERVFAIL;
	} else if (strcmp(q->name, "refused.test") == 0) {
		return RCODE_REFUSED;
	} else if (strcmp(q->name, "empty.test") != 0 && strcmp(q->name, "release.test") != 0) {
		return RCODE_NXDOMAIN;
	}
	return 0;
}

static bool is_silent(const struct question *q)
{
	return strcmp(q->name, "silent.test") == 0 ||
		(strcmp(q->name, "half.test") == 0 && q->type == TYPE_AAAA);
}

/* Makes the answer. Returns its length, 0 for none. */
static size_t answer(struct liar *liar, const uint8_t *asked, size_t len, bool is_tcp, uint8_t *ret,
	struct question *q)
{
	struct message m = { .bytes = ret };
	unsigned rcode;
	bool is_cut;

	if (len < HEAD_BYTES || !question_read(asked, len, q) || is_silent(q))
		return 0;
	is_cut = !is_tcp &&
		(strcmp(q->name, "cut.test") == 0 || strcmp(q->name, "thousand.test") == 0);
	memcpy(ret, asked, q->end);
	m.len = q->end;
	rcode = put_answers(liar, &m, q, is_tcp);
	ret[0] ^= strcmp(q->name, "wrongid.test") == 0;
	ret[HEAD_BYTES + 1] ^= strcmp(q->name, "wrongname.test") == 0;
	ret[2] = (uint8_t)(0x80 | (asked[2] & 1) | (is_cut ? 2 : 0));
	ret[3] = (uint8_t)(0x80 | rcode);
	ret[4] = 0;
	ret[5] = 1;
	ret[6] = (uint8_t)(m.answers >> 8);
	ret[7] = (uint8_t)m.answers;
	memset(ret + 8, 0, 4);
	return strcmp(q->name, "short.test") == 0 ? 6 : m.len;
}

static void serve_udp(struct liar *liar, uint8_t *room)
{
	uint8_t asked[1500];
	struct sockaddr_in from;
	socklen_t from_len = sizeof from;
	struct question q;
	ssize_t n =
		recvfrom(liar->udp, asked, sizeof asked, 0, (struct sockaddr *)&from, &from_len);
	size_t len;

	if (n <= 0)
		return;
	atomic_fetch_add_explicit(&liar->queries, 1, memory_order_relaxed);
	len = answer(liar, asked, (size_t)n, false, room, &q);
	if (len == 0)
		return;
	if (strcmp(q.name, "late.test") == 0 && q.type == TYPE_AAAA) {
		memcpy(liar->held, room, len);
		liar->held_bytes = (uint16_t)len;
		liar->held_for = from;
		liar->holds = true;
		return;
	}
	(void)sendto(liar->udp, room, len, 0, (struct sockaddr *)&from, from_len);
	if (strcmp(q.name, "release.test") == 0 && liar->holds) {
		liar->holds = false;
		(void)sendto(liar->udp, liar->held, liar->held_bytes, 0,
			(struct sockaddr *)&liar->held_for, sizeof liar->held_for);
	}
}

/* One question for each connection, but for those that c-ares puts behind it. */
static void serve_tcp(struct liar *liar, uint8_t *room)
{
	uint8_t asked[1500], head[2];
	struct timeval limit = { .tv_sec = 2 };
	struct question q;
	int fd = accept4(liar->tcp, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	atomic_fetch_add_explicit(&liar->streams, 1, memory_order_relaxed);
	while (recv(fd, head, sizeof head, MSG_WAITALL) == sizeof head) {
		size_t want = (size_t)(head[0] << 8 | head[1]), len;

		if (want > sizeof asked || recv(fd, asked, want, MSG_WAITALL) != (ssize_t)want)
			break;
		len = answer(liar, asked, want, true, room + 2, &q);
		room[0] = (uint8_t)(len >> 8);
		room[1] = (uint8_t)len;
		if (len == 0 || send(fd, room, len + 2, MSG_NOSIGNAL) < 0)
			break;
	}
	(void)close(fd);
}

static void *serve(void *arg)
{
	struct liar *liar = arg;
	uint8_t *room = malloc(MESSAGE_BYTES);
	struct pollfd fds[] = {
		{ .fd = liar->udp, .events = POLLIN },
		{ .fd = liar->tcp, .events = POLLIN },
		{ .fd = liar->stop[0], .events = POLLIN },
	};

	while (poll(fds, 3, -1) >= 0 && fds[2].revents == 0) {
		if (fds[0].revents != 0)
			serve_udp(liar, room);
		if (fds[1].revents != 0)
			serve_tcp(liar, room);
	}
	free(room);
	return NULL;
}

void liar_start(struct liar *liar)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(liar->is_everywhere ? INADDR_ANY : INADDR_LOOPBACK) };
	socklen_t len = sizeof in;

	/* A port that is free for both. */
	for (int i = 0;; i++) {
		cr_assert_lt(i, 100);
		in.sin_port = 0;
		liar->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		liar->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		cr_assert_eq(bind(liar->udp, (struct sockaddr *)&in, len), 0);
		cr_assert_eq(getsockname(liar->udp, (struct sockaddr *)&in, &len), 0);
		if (bind(liar->tcp, (struct sockaddr *)&in, len) == 0)
			break;
		(void)close(liar->udp);
		(void)close(liar->tcp);
	}
	cr_assert_eq(listen(liar->tcp, 16), 0);
	cr_assert_eq(pipe(liar->stop), 0);
	liar->port = ntohs(in.sin_port);
	(void)snprintf(liar->servers, sizeof liar->servers, "127.0.0.1:%u", liar->port);
	cr_assert_eq(pthread_create(&liar->thread, NULL, serve, liar), 0);
}

void liar_stop(struct liar *liar)
{
	(void)close(liar->stop[1]);
	cr_assert_eq(pthread_join(liar->thread, NULL), 0);
	(void)close(liar->stop[0]);
	(void)close(liar->udp);
	(void)close(liar->tcp);
}
