// SPDX-License-Identifier: Apache-2.0
/*
 * pairing.h: helps gcc's analyser see that what was opened is closed, once, on every path.
 *
 *	gcc -O0 -fanalyzer -DSOON_CHECK_PAIRING -c service.c -o /dev/null
 *
 * With SOON_CHECK_PAIRING defined, <soon/soon.h> includes this. Streams, listeners and generators
 * then come from functions of which the analyser knows which others end what they give: it warns of
 * a stream that some path leaves open, a generator that nobody closes, a second close.
 * What is handed to a task, or to a function through its out-parameter, is theirs to close. What
 * SOON_ITER declares cannot be forgotten, and may be closed early.
 *
 * It is for the analysis of C only: the objects that come of it are not to be linked.
 */
#ifndef SOON_PAIRING_H
#define SOON_PAIRING_H

#include <soon/gen.h>
#include <soon/listener.h>
#include <soon/stream.h>

#if defined(SOON_CHECK_PAIRING) && !defined(__cplusplus)

#if defined(__GNUC__) && !defined(__clang__)
#define SOON__ENDED_BY(fn) __attribute__((__malloc__, __malloc__(fn, 1)))
#else
#define SOON__ENDED_BY(fn)
#endif

/*
 * Handles are pointers to const here, because the analyser gives up on what others may change; and
 * no address of a handle is passed on, because it then gives up on the variable.
 */
void soon__paired_gen_end(soon_gen *gen);
soon_gen *soon__paired_gen(void) SOON__ENDED_BY(soon__paired_gen_end);
soon_stream *soon__paired_stream(void) SOON__ENDED_BY(soon_stream_close)
	SOON__ENDED_BY(soon_stream_abort);
soon_listener *soon__paired_listener(void) SOON__ENDED_BY(soon_listener_close);
SOON_NODISCARD int soon__paired_open(soon__fn fn, uint64_t arg) SOON_ON_CORE;
SOON_NODISCARD int soon__paired_next(soon_gen *gen, void *ret_item) SOON_SUSPENDS;
SOON_NODISCARD int soon__paired_close(void) SOON_SUSPENDS;

/* Streams and listeners. */

static inline SOON_NODISCARD int soon__pair_stream(int rc, soon_stream **ret_stream)
{
	if (rc < 0)
		return rc;
	*ret_stream = soon__paired_stream();
	return 0;
}

static inline SOON_NODISCARD int soon__pair_listener(int rc, soon_listener **ret_listener)
{
	if (rc < 0)
		return rc;
	*ret_listener = soon__paired_listener();
	return 0;
}

static inline void soon__pair_stream_left(soon_stream **stream)
{
	(void)soon_stream_close(*stream);
}

#define soon_dial(where, opts, ret) soon__pair_stream(soon_dial((where), (opts), NULL), (ret))
#define soon_stream_adopt(fd, opts, ret)                                                           \
	soon__pair_stream(soon_stream_adopt((fd), (opts), NULL), (ret))
#define soon_listener_accept(listener, ret)                                                        \
	soon__pair_stream(soon_listener_accept((listener), NULL), (ret))
#define soon_listen(where, opts, ret) soon__pair_listener(soon_listen((where), (opts), NULL), (ret))

#undef SOON_STREAM_OWN
#define SOON_STREAM_OWN(stream)                                                                    \
	soon_stream *soon__own_##stream __attribute__((cleanup(soon__pair_stream_left), unused)) = \
		(stream)

/* Generators. */

static inline SOON_NODISCARD int soon__pair_gen(soon_iter *iter, int rc)
{
	iter->soon__rc = rc;
	if (rc < 0)
		return rc;
	iter->soon__gen = soon__paired_gen();
	return 0;
}

static inline SOON_NODISCARD int soon__pair_gen_close(soon_iter *iter) SOON_SUSPENDS;
static inline SOON_NODISCARD int soon__pair_gen_close(soon_iter *iter)
{
	soon__paired_gen_end(iter->soon__gen);
	return soon__paired_close();
}

#undef SOON_ITER
#define SOON_ITER(it, name, arg)                                                                   \
	name##_iter it = { { NULL,                                                                 \
		soon__paired_open((soon__fn)(name), SOON__WORD((name##_soon_body *)0, arg)) } }
#undef soon_gen_open
#define soon_gen_open(it, name, arg)                                                               \
	soon__pair_gen(&(it).soon__iter,                                                           \
		soon__paired_open((soon__fn)(name), SOON__WORD((name##_soon_body *)0, arg)))
#undef soon_next
#define soon_next(it, ret_item)                                                                    \
	soon__used(__extension__({                                                                 \
		__typeof__(*(it).soon__item) *soon__ret = (ret_item);                              \
		soon__paired_next((it).soon__iter.soon__gen, soon__ret);                           \
	}))
#undef soon_gen_close
#define soon_gen_close(it) soon__pair_gen_close(&(it).soon__iter)

#endif

#endif
