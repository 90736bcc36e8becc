// SPDX-License-Identifier: Apache-2.0
/* What gcc's analyser finds with SOON_CHECK_PAIRING, and what it must not take for wrong. */
#include <soon/soon.h>

SOON_GEN(count, int, int last)
{
	int rc = 0;

	for (int i = 0; i < last && rc == 0; i++)
		rc = soon_emit(&i);
	return rc;
}

int use(int n) SOON_ON_CORE;

/* Generators. */

#ifdef GEN_LEFT /* warns: leak of 'it.soon__iter.soon__gen' */
int wrong_never_closed(void);
int wrong_never_closed(void)
{
	count_iter it;
	int n, rc = soon_gen_open(it, count, 3);

	if (rc < 0)
		return rc;
	rc = soon_next(it, &n);
	return rc > 0 ? use(n) : rc;
}
#endif

#ifdef GEN_LEFT_ON_ONE_PATH /* warns: leak of 'it.soon__iter.soon__gen' */
int wrong_one_path_forgets(void);
int wrong_one_path_forgets(void)
{
	count_iter it;
	int n, rc = soon_gen_open(it, count, 3);

	if (rc < 0)
		return rc;
	while ((rc = soon_next(it, &n)) > 0) {
		if (use(n) < 0)
			return -EIO;
	}
	return soon_gen_close(it);
}
#endif

#ifdef GEN_CLOSED_TWICE /* warns: double-'soon__paired_gen_end' */
int wrong_closed_twice(void);
int wrong_closed_twice(void)
{
	count_iter it;
	int rc = soon_gen_open(it, count, 3);

	if (rc < 0)
		return rc;
	rc = soon_gen_close(it);
	return rc < 0 ? rc : soon_gen_close(it);
}
#endif

int right_iterator(void);
int right_iterator(void)
{
	int n, rc;
	SOON_ITER(it, count, 3);

	while ((rc = soon_next(it, &n)) > 0) {
		if (use(n) < 0)
			return -EIO;
	}
	return rc < 0 ? rc : soon_gen_close(it);
}

int right_open_and_close(void);
int right_open_and_close(void)
{
	count_iter it;
	int n = 0, rc, close_rc;

	rc = soon_gen_open(it, count, 3);
	if (rc < 0)
		return rc;
	rc = soon_next(it, &n);
	close_rc = soon_gen_close(it);
	return rc < 0 ? rc : close_rc;
}

/* Streams and listeners. */

#ifdef STREAM_LEFT /* warns: leak of 'stream' */
int wrong_left_open(void);
int wrong_left_open(void)
{
	soon_stream *stream;
	int rc = soon_dial("localhost:7", NULL, &stream);

	if (rc < 0)
		return rc;
	return (int)soon_stream_write(stream, "x", 1);
}
#endif

#ifdef STREAM_LEFT_ON_ERROR /* warns: leak of 'stream' */
int wrong_left_open_on_error(void);
int wrong_left_open_on_error(void)
{
	soon_stream *stream;
	ssize_t n;
	int rc = soon_dial("localhost:7", NULL, &stream);

	if (rc < 0)
		return rc;
	n = soon_stream_write(stream, "x", 1);
	if (n < 0)
		return (int)n;
	return soon_stream_close(stream);
}
#endif

#ifdef STREAM_CLOSED_TWICE /* warns: double-'soon_stream_close' of 'stream' */
int wrong_stream_closed_twice(void);
int wrong_stream_closed_twice(void)
{
	soon_stream *stream;
	ssize_t n;
	int rc = soon_dial("localhost:7", NULL, &stream);

	if (rc < 0)
		return rc;
	n = soon_stream_write(stream, "x", 1);
	if (n < 0)
		(void)soon_stream_close(stream);
	return soon_stream_close(stream);
}
#endif

#ifdef STREAM_OWNED_AND_CLOSED /* warns: double-'soon_stream_close' of 'stream' */
int wrong_owned_and_closed(void);
int wrong_owned_and_closed(void)
{
	soon_stream *stream;
	int rc = soon_dial("localhost:7", NULL, &stream);

	if (rc < 0)
		return rc;
	SOON_STREAM_OWN(stream);
	return soon_stream_close(stream);
}
#endif

#ifdef LISTENER_LEFT /* warns: leak of 'listener' */
int wrong_listener_left(soon_stream **ret_stream);
int wrong_listener_left(soon_stream **ret_stream)
{
	soon_listener *listener;
	int rc = soon_listen("localhost:7", NULL, &listener);

	if (rc < 0)
		return rc;
	return soon_listener_accept(listener, ret_stream);
}
#endif

int right_owned(void);
int right_owned(void)
{
	soon_stream *stream;
	ssize_t n;
	int rc = soon_dial("localhost:7", NULL, &stream);

	if (rc < 0)
		return rc;
	SOON_STREAM_OWN(stream);
	n = soon_stream_write(stream, "x", 1);
	return n < 0 ? (int)n : 0;
}

int right_abort_or_close(void);
int right_abort_or_close(void)
{
	soon_stream *stream;
	ssize_t n;
	int rc = soon_dial("localhost:7", NULL, &stream);

	if (rc < 0)
		return rc;
	n = soon_stream_write(stream, "x", 1);
	if (n < 0) {
		soon_stream_abort(stream);
		return (int)n;
	}
	return soon_stream_close(stream);
}

static int serve(soon_stream *stream)
{
	SOON_STREAM_OWN(stream);
	return (int)soon_stream_write(stream, "x", 1);
}

int right_given_to_a_task(soon_group *group);
int right_given_to_a_task(soon_group *group)
{
	soon_listener *listener;
	soon_stream *stream;
	int rc = soon_listen("localhost:7", NULL, &listener);

	if (rc < 0)
		return rc;
	while ((rc = soon_listener_accept(listener, &stream)) == 0) {
		rc = soon_spawn(group, serve, stream);
		if (rc < 0) {
			(void)soon_stream_close(stream);
			break;
		}
	}
	soon_listener_close(listener);
	return rc;
}

int right_given_to_the_caller(soon_stream **ret_stream);
int right_given_to_the_caller(soon_stream **ret_stream)
{
	soon_stream *stream;
	int rc = soon_dial("localhost:7", NULL, &stream);

	if (rc == 0)
		*ret_stream = stream;
	return rc;
}
