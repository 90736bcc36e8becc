// SPDX-License-Identifier: Apache-2.0
/*
 * transport.h: what a stream's bytes travel on when that is not a socket of its own: memory in
 * tests, and TLS, which lies between a stream and its socket.
 *
 * A stream without a transport uses the receiver and the sender of <soon/socket.h> directly, by a
 * branch that is always predicted; with one, each of these calls goes through the table below and
 * means what its namesake there means.
 */
#ifndef NET_SPI_TRANSPORT_H
#define NET_SPI_TRANSPORT_H

#include <soon/stream.h>

struct soon__transport {
	const struct soon__transport_ops *ops;
	soon_stream *stream; /* set by soon__stream_on */
};

struct soon__transport_ops {
	ssize_t (*next)(struct soon__transport *t, soon_slice *ret_chunk);
	ssize_t (*try_next)(struct soon__transport *t, soon_slice *ret_chunk);
	void (*give_back)(struct soon__transport *t, soon_slice chunk);

	/*
	 * The end of each send is told by soon__transport_sent(), which may come from within
	 * startv. The array is the caller's until startv returns, its contents until the end.
	 */
	int (*startv)(struct soon__transport *t, const struct iovec *iov, int count);
	bool (*is_busy)(struct soon__transport *t);
	void (*hurry)(struct soon__transport *t); /* NULL: an end is always noticed at once */
	int (*wait)(struct soon__transport *t);
	size_t (*stop)(struct soon__transport *t);

	/* Hands over what can go without waiting, when there is no time left to wait. */
	void (*send_last)(struct soon__transport *t, const struct iovec *iov, int count);

	/* Tells the peer that no more bytes come. */
	int (*shutdown)(struct soon__transport *t);

	/* Ends it, so that the peer sees an end or, `is_abort`, an error. Not cancelled. */
	void (*close)(struct soon__transport *t, bool is_abort);
};

/*
 * Makes a stream of a transport. Null: `opts`. Ownership: takes `t` on success.
 * Errors: -ENOMEM. -EPERM not on a core.
 */
SOON_API SOON_NODISCARD int soon__stream_on(struct soon__transport *t,
	const soon_stream_opts *SOON_NULLABLE opts, soon_stream **ret_stream) SOON_ON_CORE;

/* The send in flight has ended, with 0 or a failure that stays. */
SOON_API void soon__transport_sent(struct soon__transport *t, int rc) SOON_ON_CORE;

/* The transport of a stream, NULL if it has none. */
SOON_API struct soon__transport *soon__stream_transport(const soon_stream *stream);

#endif
