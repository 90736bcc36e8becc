// SPDX-License-Identifier: Apache-2.0
/* The programs of docs/guide/datagrams-and-unix-sockets.md: counting, answering, handing on. */
#include <soon/soon.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH_COUNT 16

/* Adds up metrics like "requests:3" until none comes for a moment. */
static int count_metrics(soon_dgram *d)
{
	soon_packet p[BATCH_COUNT];
	int total = 0, refused = 0;
	int n;

	while ((n = soon_within(SOON_MS(100), soon_dgram_next_batch(d, p, BATCH_COUNT))) > 0) {
		for (int i = 0; i < n; i++) {
			char text[32];
			int value = 0;

			(void)snprintf(text, sizeof text, "%.*s", (int)p[i].len, p[i].ptr);
			if (p[i].cut_bytes == 0 && sscanf(text, "requests:%d", &value) == 1)
				total += value;
			else
				refused++; /* garbage, or more than fitted */
		}
	}
	printf("requests: %d, refused: %d\n", total, refused);
	return n == -ETIMEDOUT ? 0 : n;
}

/* Sends metrics to `where` and asks nobody whether they arrived. */
static int send_metrics(const char *where)
{
	static const char *const texts[] = { "requests:3", "requests:4", "", "garbage" };
	soon_dgram *d;
	int rc = soon_dgram_dial(where, NULL, &d);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		ssize_t n = soon_dgram_send(d, texts[i], strlen(texts[i]));

		if (n == -ECONNREFUSED)
			continue; /* of an earlier one; nobody is there yet */
		if (n < 0)
			rc = (int)n;
	}
	soon_dgram_close(d);
	return rc;
}

/* Answers one question, from the address that it was sent to. */
static int answer_one(soon_dgram *d)
{
	soon_packet question;
	int rc = soon_dgram_next(d, &question);
	ssize_t n;

	if (rc < 0)
		return rc;
	n = soon_dgram_reply(d, &question, "42", 2);
	return n < 0 ? (int)n : 0;
}

/* Asks again when an answer does not come: datagrams get lost. */
static ssize_t ask(soon_dgram *d, char *buf, size_t bytes)
{
	ssize_t n = -ETIMEDOUT;

	for (int tries = 0; tries < 3 && n == -ETIMEDOUT; tries++) {
		n = soon_dgram_send(d, "?", 1);
		if (n >= 0)
			n = soon_within(SOON_S(1), soon_dgram_recv(d, buf, bytes, NULL));
	}
	return n;
}

/* Hands an open file to the other side of `sock`. */
static int hand_on(int sock, int fd)
{
	ssize_t n = soon_send_fds(sock, "f", 1, &fd, 1);

	return n < 0 ? (int)n : 0;
}

/* Takes one file from a peer of the same user; whatever else he sends is closed. */
static int take_file(int sock, int *ret_fd)
{
	soon_peer_cred peer;
	unsigned count;
	char what;
	ssize_t n = soon_peer_cred_get(sock, &peer);

	if (n < 0)
		return (int)n;
	if (peer.uid != geteuid())
		return -EACCES;
	n = soon_recv_fds(sock, &what, 1, ret_fd, 1, &count);
	if (n < 0)
		return (int)n;
	return count == 1 ? 0 : -EPROTO;
}

static int metrics(void)
{
	char where[SOON_ADDR_TEXT_BYTES];
	soon_dgram *d;
	soon_addr addr;
	int rc = soon_dgram_bind("127.0.0.1:0", NULL, &d);

	if (rc < 0)
		return rc;
	soon_dgram_addr(d, &addr);
	rc = send_metrics(soon_addr_format(&addr, where));
	if (rc == 0)
		rc = count_metrics(d);
	soon_dgram_close(d);
	return rc;
}

static int question(void)
{
	char where[64], buf[8];
	soon_dgram *server, *client;
	ssize_t n = -1;
	int rc;
	SOON_GROUP(g);

	(void)snprintf(where, sizeof where, "unix:@soon-guide-%d", (int)getpid());
	rc = soon_dgram_bind(where, NULL, &server);
	if (rc < 0)
		return (int)soon_group_close(&g, rc);
	rc = soon_dgram_dial(where, NULL, &client);
	if (rc == 0) {
		rc = soon_spawn(&g, answer_one, server);
		if (rc == 0)
			n = ask(client, buf, sizeof buf);
		if (n > 0)
			printf("the answer: %.*s\n", (int)n, buf);
		soon_dgram_close(client);
	}
	rc = (int)soon_group_close(&g, rc);
	soon_dgram_close(server);
	return rc;
}

static int descriptors(void)
{
	int pair[2], fd = -1;
	int rc = soon_socketpair(SOCK_STREAM, pair);

	if (rc == 0)
		rc = hand_on(pair[0], STDOUT_FILENO);
	if (rc == 0)
		rc = take_file(pair[1], &fd);
	if (rc == 0)
		rc = dprintf(fd, "written through a copy\n") < 0 ? -EIO : soon_close(fd);
	(void)soon_close(pair[0]);
	(void)soon_close(pair[1]);
	return rc;
}

static int app(void *unused)
{
	int rc = metrics();

	(void)unused;
	if (rc == 0)
		rc = question();
	(void)fflush(stdout);
	return rc == 0 ? descriptors() : rc;
}

int main(void)
{
	return soon_run(app, NULL) < 0;
}
