// SPDX-License-Identifier: Apache-2.0
/*
 * A connection, its task, and the requests that it has under way.
 *
 * A request is *due* at a time. In the open loop the schedule says when, and a connection claims
 * the next request of its core as soon as it could send one more: if that is due later, it waits;
 * if it was due before, because all connections were busy, it is sent at once, late. In the closed
 * loop a request is due when it is sent, or when the connection began to be opened for it. Its
 * latency counts from when it was due.
 */
#ifndef SOON_LOAD_CONN_H
#define SOON_LOAD_CONN_H

#include <soon/stream.h>

#include "fault.h"
#include "plan.h"
#include "reply.h"

struct run;
struct worker;
struct conn;

struct pending {
	soon_ns due;
	soon_ns sent;
	soon_ns first; /* when the first byte of the reply was seen; 0: not yet */
	const struct target *target;
	struct reply_known *known;
	bool is_counted;  /* it was due in the time of the measurement */
	bool is_finished; /* datagrams are answered in any order */
};

/* What is done over a connection. */
struct protocol {
	/* Sends the request that was put into the ring last. Suspends. Returns -errno. */
	int (*send)(struct conn *conn, struct pending *pending);
	/* Waits for bytes, at least `conn->want`. Suspends. Returns as soon_stream_peek. */
	ssize_t (*wait)(struct conn *conn, soon_slice *ret_data);
	/*
	 * Takes what came and finishes what is complete.
	 * Returns how much was taken; 0: more is needed first; CONN_BROKEN.
	 */
	ssize_t (*take)(struct conn *conn, soon_slice data, soon_ns now);
	/* The peer sends no more. Returns 0 when that completed what was under way. */
	int (*end)(struct conn *conn, soon_ns now);
	bool is_datagram;
};

#define CONN_BROKEN (-1) /* what was under way is lost, and counted */

struct conn {
	struct worker *worker;
	const struct plan *plan;
	const struct protocol *protocol;
	unsigned id;
	soon_stream *stream; /* NULL: not open, or a socket of datagrams */
	int fd;              /* of datagrams; -1 */

	struct pending *ring;
	unsigned head;
	unsigned count;
	uint64_t sent_count;
	uint64_t good_count; /* both since it was opened */
	uint64_t number;     /* of requests, since the start */

	soon_ns claim;         /* open loop: when its next request is due, with `has_claim` */
	soon_ns opening_since; /* closed loop: when it began to be opened for its next request */
	unsigned failures;     /* in a row, for the pause before the next attempt */
	bool has_claim;
	bool is_claim_early; /* it was free before that was due */
	bool is_last_sent;   /* nothing more is sent on this connection */
	bool is_body_wrong;

	size_t want; /* bytes; what is there already is not enough to go on */
	size_t body_at;
	struct reply reply;
	char *buffer; /* of datagrams */
};

extern const struct protocol protocol_http;
extern const struct protocol protocol_echo;
extern const struct protocol protocol_udp;

/* The task of a connection: opens it, waits for the start, and goes on until the end. */
int conn_run(struct conn *conn);

/* Opens the connection; its phases are recorded. Suspends. Returns 0 or -errno, with a message. */
int conn_open(struct conn *conn);

/* Closes it, by a reset unless `is_orderly` and nothing is under way. Suspends. */
void conn_close(struct conn *conn, bool is_orderly);

/*
 * One connection of this plan, as conn_open makes it. `ret_connected` and `ret_shaken` get the
 * times when connect and handshake were over. Suspends.
 */
int dial(const struct run *run, unsigned id, soon_ns *ret_connected, soon_ns *ret_shaken,
	soon_stream **ret_stream);
int dial_udp(const struct run *run, unsigned id, int *ret_fd);

/*
 * Sends and receives on an open one. Returns 0: there is no more to send on it; CONN_BROKEN;
 * -ECANCELED; or a failure of this machine, see fault_is_ours().
 */
int conn_talk(struct conn *conn);

/*
 * When the next request of this connection is due: at once, or later in the open loop.
 * Returns false when there is none any more.
 */
bool conn_next_due(struct conn *conn, soon_ns now, soon_ns *ret_due);

static inline struct pending *conn_oldest(const struct conn *conn)
{
	return &conn->ring[conn->head];
}

struct pending *conn_pending(const struct conn *conn, unsigned place);

/* A verified reply, or a failure, for one that is under way. */
void conn_good(struct conn *conn, struct pending *pending, soon_ns now);
void conn_failed(struct conn *conn, struct pending *pending, enum fault fault);

/* The same failure for all that are under way. */
void conn_lose(struct conn *conn, enum fault fault);

/* The same for what came unasked: it is a failure also when nothing is under way. */
void conn_refuse(struct conn *conn, enum fault fault);

#endif
