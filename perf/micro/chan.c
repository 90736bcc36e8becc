// SPDX-License-Identifier: Apache-2.0
/*
 * Channels between tasks, through public calls.
 *
 *	micro_chan item|timeout|buffered|select
 *
 * item: one task sends, another receives, without a buffer: each item is a meeting. timeout: each
 * receive with a deadline of 30 s. buffered: the same as item through a buffer of 64, so that tasks
 * are switched once a buffer. select: one task that receives from 8 channels of which all are
 * ready; the sends that keep them so are measured alone and taken off.
 */
#include <soon/chan.h>
#include <soon/group.h>
#include <soon/scope.h>
#include <soon/task.h>
#include <soon/time.h>

#include "../common/clock.h"
#include "micro.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ITEMS   2000000u
#define BUFFER  64u
#define WAYS    8u
#define SELECTS 1000000u

static uint64_t places[BUFFER];
static soon_chan meet = SOON_CHAN_INIT(uint64_t);
static soon_chan buffered = SOON_CHAN_BUFFERED(uint64_t, places);

struct stream {
	soon_chan *chan;
	uint64_t count;
};

static int send_items(struct stream *stream)
{
	int rc = 0;

	for (uint64_t i = 0; i < stream->count && rc == 0; i++)
		rc = soon_chan_send(stream->chan, &i);
	return rc;
}

static ssize_t receive(soon_chan *chan, uint64_t *ret_item)
{
	return soon_chan_recv(chan, ret_item);
}

static ssize_t receive_in_time(soon_chan *chan, uint64_t *ret_item)
{
	return soon_within(SOON_S(30), soon_chan_recv(chan, ret_item));
}

static inline __attribute__((always_inline)) int pass_by(
	ssize_t (*next)(soon_chan *chan, uint64_t *ret_item), soon_chan *chan, uint64_t count)
{
	struct stream stream = { chan, count };
	uint64_t item;
	ssize_t rc;
	SOON_GROUP(group, .name = "benchmark");

	rc = soon_spawn(&group, send_items, &stream);
	for (uint64_t i = 0; i < count && rc == 0; i++) {
		rc = next(chan, &item);
		if (rc == 1)
			rc = item == i ? 0 : -EPROTO;
	}
	return (int)soon_group_close(&group, rc);
}

static int pass_unbuffered(uint64_t count)
{
	return pass_by(receive, &meet, count);
}

static int pass_in_time(uint64_t count)
{
	return pass_by(receive_in_time, &meet, count);
}

static int pass_buffered(uint64_t count)
{
	return pass_by(receive, &buffered, count);
}

static uint64_t storage[WAYS][2];
static soon_chan ways[WAYS];

static int fill_ways(void)
{
	uint64_t item = 1;
	int rc = 0;

	for (size_t i = 0; i < WAYS && rc == 0; i++) {
		ways[i] = (soon_chan)SOON_CHAN_BUFFERED(uint64_t, storage[i]);
		rc = soon_chan_send(&ways[i], &item);
	}
	return rc;
}

static int select_often(uint64_t count)
{
	uint64_t item = 0;
	int rc = fill_ways();
	soon_case cases[] = {
		SOON_RECV(&ways[0], &item),
		SOON_RECV(&ways[1], &item),
		SOON_RECV(&ways[2], &item),
		SOON_RECV(&ways[3], &item),
		SOON_RECV(&ways[4], &item),
		SOON_RECV(&ways[5], &item),
		SOON_RECV(&ways[6], &item),
		SOON_RECV(&ways[7], &item),
	};

	for (uint64_t i = 0; i < count && rc == 0; i++) {
		rc = soon_select(cases, WAYS);
		if (rc >= 0)
			rc = soon_chan_send(cases[rc].chan, &item);
	}
	return rc;
}

static int send_often(uint64_t count)
{
	uint64_t item = 0;
	int rc = fill_ways();

	for (uint64_t i = 0; i < count && rc == 0; i++) {
		soon_chan *chan = &ways[i % WAYS];

		rc = soon_chan_recv(chan, &item);
		if (rc == 1)
			rc = soon_chan_send(chan, &item);
	}
	return rc;
}

static int run_item(void *unused)
{
	double ns;
	int rc = micro_measure(pass_unbuffered, ITEMS, CLOCK_PROCESS_CPUTIME_ID, &ns);

	(void)unused;
	if (rc == 0)
		micro_print("chan_item", ns, "ns");
	return rc;
}

static int run_timeout(void *unused)
{
	(void)unused;
	return micro_measure_print(pass_in_time, ITEMS, "chan_timeout");
}

static int run_buffered(void *unused)
{
	double ns;
	int rc = micro_measure(pass_buffered, ITEMS, CLOCK_PROCESS_CPUTIME_ID, &ns);

	(void)unused;
	if (rc == 0)
		micro_print("chan_buffered", ns, "ns");
	return rc;
}

/* A send and a receive that do not wait cost about the same: half of both is taken off. */
static int run_select(void *unused)
{
	double both_ns;
	double ns;
	int rc = micro_measure(send_often, SELECTS, CLOCK_PROCESS_CPUTIME_ID, &both_ns);

	(void)unused;
	if (rc == 0)
		rc = micro_measure(select_often, SELECTS, CLOCK_PROCESS_CPUTIME_ID, &ns);
	if (rc == 0)
		micro_print("chan_select_8", ns - both_ns / 2, "ns");
	return rc;
}

int main(int argc, char **argv)
{
	static const struct micro_bench benches[] = {
		{ "item", run_item, NULL },
		{ "timeout", run_timeout, NULL },
		{ "buffered", run_buffered, NULL },
		{ "select", run_select, NULL },
	};

	return micro_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
