// SPDX-License-Identifier: Apache-2.0
/*
 * The same by datagrams: they are answered in any order, twice, or never. What is not back within
 * the timeout is lost; what comes later is passed over.
 */
#include <soon/io.h>

#include "worker.h"

#include <string.h>

static void compose(const struct conn *conn, uint64_t number, char *out)
{
	uint64_t word = number ^ (uint64_t)conn->id << 40;

	memcpy(out, conn->worker->pattern, conn->plan->echo_bytes);
	memcpy(out, &word, sizeof word);
}

static int send_datagram(struct conn *conn, struct pending *pending)
{
	size_t bytes = conn->plan->echo_bytes;
	ssize_t n;

	compose(conn, conn->number, conn->buffer);
	n = soon_send(conn->fd, conn->buffer, bytes, 0);
	if (n > 0 && worker_measures(conn->worker, pending->sent))
		conn->worker->tally.bytes_sent += bytes;
	return n < 0 ? (int)n : 0;
}

/* Behind the room for what is sent, one byte longer than right, so that too long a one is seen. */
static ssize_t wait_datagram(struct conn *conn, soon_slice *ret_data)
{
	char *room = conn->buffer + conn->plan->echo_bytes;
	ssize_t n = soon_recv(conn->fd, room, conn->plan->echo_bytes + 1, 0);

	if (n < 0)
		return n;
	*ret_data = (soon_slice){ room, (size_t)n };
	return n > 0 ? n : -EBADMSG;
}

static void wrong(struct conn *conn, const char *what)
{
	tally_message(
		&conn->worker->tally, FAULT_BODY, "connection %u: %s came back", conn->id, what);
	if (conn->count > 0)
		conn_failed(conn, conn_oldest(conn), FAULT_BODY);
}

static ssize_t take(struct conn *conn, soon_slice data, soon_ns now)
{
	uint64_t oldest = conn->number - conn->count + 1;
	struct pending *pending;
	uint64_t word, number;

	if (data.len != conn->plan->echo_bytes) {
		wrong(conn, "a datagram of another length");
		return (ssize_t)data.len;
	}
	memcpy(&word, data.ptr, sizeof word);
	number = word ^ (uint64_t)conn->id << 40;
	if (memcmp(data.ptr + sizeof word, conn->worker->pattern + sizeof word,
		    data.len - sizeof word) != 0 ||
		number > conn->number) {
		wrong(conn, "a datagram that was never sent");
		return (ssize_t)data.len;
	}
	if (number < oldest)
		return (ssize_t)data.len;
	pending = conn_pending(conn, (unsigned)(number - oldest));
	if (!pending->is_finished)
		conn_good(conn, pending, now);
	return (ssize_t)data.len;
}

static int end(struct conn *conn, soon_ns now)
{
	(void)conn;
	(void)now;
	return -EBADMSG;
}

const struct protocol protocol_udp = {
	.send = send_datagram,
	.wait = wait_datagram,
	.take = take,
	.end = end,
	.is_datagram = true,
};
