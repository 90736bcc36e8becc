// SPDX-License-Identifier: Apache-2.0
/*
 * The operation's state machine, on a back end whose completions the test deals out by hand: every
 * order of the two completions with every kind of result.
 */
#include <soon/scope.h>

#include "kit.h"
#include "op.h"

#define FD 77

/* Stands in for the ring while a test runs; the scheduler still waits on the real one. */
static struct {
	struct soon__io io;
	struct soon__io *real;
	struct soon__op *started[8];
	unsigned start_count;
	unsigned cancel_count;
	bool is_full;
} fake;

static void fake_start(struct soon__io *io, struct soon__op *op)
{
	cr_assert_eq(io, &fake.io);
	soon__list_init(&op->link);
	op->state = fake.is_full ? SOON__OP_QUEUED : SOON__OP_STARTED;
	fake.started[fake.start_count++] = op;
}

static void fake_cancel(struct soon__io *io, struct soon__op *op)
{
	cr_assert_eq(io, &fake.io);
	cr_assert_eq(op->state, SOON__OP_STARTED);
	op->state = SOON__OP_CANCELLING;
	fake.cancel_count++;
}

static const struct soon__io_ops fake_ops = { .start = fake_start, .cancel = fake_cancel };

static void fake_begin(void)
{
	soon__io_init(&fake.io, &fake_ops);
	fake.real = soon__poller_self()->io;
	soon__poller_self()->io = &fake.io;
}

static void fake_end(void)
{
	cr_assert_eq(fake.io.inflight, 0);
	soon__poller_self()->io = fake.real;
}

struct reader {
	soon_scope *scope;
	char buf[4];
	ssize_t rc;
	int next_rc; /* of a suspending call right after */
	bool is_back;
};

static int read_in_scope(struct reader *reader)
{
	SOON_SCOPE(s);

	reader->scope = &s;
	reader->rc = soon_read(FD, reader->buf, sizeof(reader->buf));
	reader->next_rc = soon_yield();
	reader->is_back = true;
	(void)!soon_scope_close(&s, 0);
	return 0;
}

static void start_reader(soon_group *group, struct reader *reader)
{
	*reader = (struct reader){ 0 };
	fake.start_count = fake.cancel_count = 0;
	cr_assert_eq(soon_spawn(group, read_in_scope, reader), 0);
	kit_settle();
	cr_assert_eq(fake.start_count, 1);
	cr_assert_not(reader->is_back);
}

static const struct {
	int res;
	int told;
} results[] = {
	{ -ECANCELED, -ECANCELED },
	{ -EINTR, -ECANCELED },
	{ 3, 3 }, /* completion wins */
	{ 0, 0 },
	{ -EPIPE, -EPIPE },
};

#define RESULT_COUNT (sizeof(results) / sizeof(results[0]))

static void cancel_with(unsigned i, bool is_cancel_first)
{
	struct reader reader;
	SOON_GROUP(g);

	start_reader(&g, &reader);
	soon_scope_cancel(reader.scope, "test");
	soon_scope_cancel(reader.scope, "again");
	kit_settle();
	cr_assert_eq(fake.cancel_count, 1);
	cr_assert_not(reader.is_back);

	if (is_cancel_first)
		soon__op_answered(&fake.io, fake.started[0]);
	else
		soon__op_event(&fake.io, fake.started[0], results[i].res, 0);
	kit_settle();
	cr_assert_not(reader.is_back, "resumed with a completion outstanding");

	if (is_cancel_first)
		soon__op_event(&fake.io, fake.started[0], results[i].res, 0);
	else
		soon__op_answered(&fake.io, fake.started[0]);
	kit_settle();
	cr_assert(reader.is_back);
	cr_assert_eq(reader.rc, results[i].told);
	cr_assert_eq(reader.next_rc, -ECANCELED);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

SOON_TEST(order, both_completions_in_both_orders)
{
	fake_begin();
	for (unsigned i = 0; i < RESULT_COUNT; i++) {
		cancel_with(i, false);
		cancel_with(i, true);
	}
	fake_end();
}

SOON_TEST(order, cancel_of_what_was_never_submitted)
{
	struct reader reader;
	SOON_GROUP(g);

	fake_begin();
	fake.is_full = true;
	start_reader(&g, &reader);
	soon_scope_cancel(reader.scope, "test");
	kit_settle();
	cr_assert(reader.is_back);
	cr_assert_eq(reader.rc, -ECANCELED);
	cr_assert_eq(fake.cancel_count, 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	fake_end();
}

SOON_TEST(order, stray_cancel_is_an_error_with_a_report)
{
	struct kit_reports reports;
	struct reader reader;
	SOON_GROUP(g);

	kit_reports_keep(&reports);
	fake_begin();
	start_reader(&g, &reader);
	soon__op_event(&fake.io, fake.started[0], -ECANCELED, 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(reader.rc, -EIO);
	cr_assert_eq(reader.next_rc, 0);
	cr_assert_eq(reports.count, 1);
	cr_assert_not_null(strstr(reports.text, "77"));
	soon_test_reports_expected = 1;
	fake_end();
}

static int close_fd(int *ret_rc)
{
	*ret_rc = soon_close(FD);
	return 0;
}

/* The close waits for the operation's both completions, then closes. */
static void close_with(int res, ssize_t told)
{
	struct reader reader;
	int close_rc = 1;
	SOON_GROUP(g);

	start_reader(&g, &reader);
	cr_assert_eq(soon_spawn(&g, close_fd, &close_rc), 0);
	kit_settle();
	cr_assert_eq(fake.cancel_count, 1);
	soon__op_event(&fake.io, fake.started[0], res, 0);
	kit_settle();
	cr_assert_eq(fake.start_count, 1, "closed with a completion outstanding");
	soon__op_answered(&fake.io, fake.started[0]);
	kit_settle();
	cr_assert(reader.is_back);
	cr_assert_eq(reader.rc, told);
	cr_assert_eq(reader.next_rc, 0);
	cr_assert_eq(fake.start_count, 2);
	cr_assert_eq(fake.started[1]->code, SOON__OP_CLOSE);
	soon__op_event(&fake.io, fake.started[1], 0, 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(close_rc, 0);
}

SOON_TEST(order, close_ends_operations_first)
{
	fake_begin();
	close_with(-ECANCELED, -EBADF);
	close_with(-EINTR, -EBADF);
	close_with(3, 3);
	close_with(-EPIPE, -EPIPE);
	fake_end();
}

SOON_TEST(order, close_of_what_was_never_submitted)
{
	struct reader reader;
	int close_rc = 1;
	SOON_GROUP(g);

	fake_begin();
	fake.is_full = true;
	start_reader(&g, &reader);
	cr_assert_eq(soon_spawn(&g, close_fd, &close_rc), 0);
	kit_settle();
	cr_assert_eq(reader.rc, -EBADF);
	cr_assert_eq(fake.start_count, 2);
	fake.started[1]->state = SOON__OP_STARTED;
	soon__op_event(&fake.io, fake.started[1], 0, 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(close_rc, 0);
	fake_end();
}

SOON_TEST(order, no_back_end_no_operation)
{
	struct soon__io *real = soon__poller_self()->io;
	soon_receiver receiver;
	soon_acceptor acceptor;
	soon_sender sender;
	soon_slice chunk;
	char byte = 0;

	soon__poller_self()->io = NULL;
	cr_assert_eq(soon_read(FD, &byte, 1), -EOPNOTSUPP);
	soon_receiver_init(&receiver, FD);
	cr_assert_eq(soon_receiver_next(&receiver, &chunk), -EOPNOTSUPP);
	cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), -EOPNOTSUPP);
	soon_receiver_fini(&receiver);
	soon_acceptor_init(&acceptor, FD);
	cr_assert_eq(soon_acceptor_next(&acceptor), -EOPNOTSUPP);
	soon_acceptor_fini(&acceptor);
	soon_sender_init(&sender, FD);
	cr_assert_eq(soon_sender_start(&sender, &byte, 1), -EOPNOTSUPP);
	cr_assert_eq(soon_sender_wait(&sender), -EOPNOTSUPP);
	soon_sender_fini(&sender);
	soon__poller_self()->io = real;
}
