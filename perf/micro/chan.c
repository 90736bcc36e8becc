// SPDX-License-Identifier: Apache-2.0
/*
 * Channels between tasks, through public calls.
 *
 *	micro_chan item|buffered|select
 *
 * item: one task sends, another receives, without a buffer: each item is a meeting. buffered: the
 * same through a buffer of 64, so that tasks are switched once a buffer. select: one task that
 * receives from 8 channels of which all are ready; the sends that keep them so are measured alone
 * and taken off.
 */
#include <soon/chan.h>
#include <soon/group.h>
#include <soon/task.h>

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

static int pass(soon_chan *chan, uint64_t count)
{
	struct stream stream = { chan, count };
	uint64_t item;
	int rc;
	SOON_GROUP(group, .name = "benchmark");

	rc = soon_spawn(&group, send_items, &stream);
	for (uint64_t i = 0; i < count && rc == 0; i++) {
		rc = soon_chan_recv(chan, &item);
		if (rc == 1)
			rc = item == i ? 0 : -EPROTO;
	}
	return (int)soon_group_close(&group, rc);
}

static int pass_unbuffered(uint64_t count)
{
	return pass(&meet, count);
}

static int pass_buffered(uint64_t count)
{
	return pass(&buffered, count);
}

/* The median CPU time of one of `count` rounds, after some to warm up. */
static int measure(int (*rounds)(uint64_t), uint64_t count, double *ret_ns)
{
	double ns[MICRO_REPEATS];
	int rc = rounds(count / 4);

	for (size_t i = 0; i < MICRO_REPEATS && rc == 0; i++) {
		int64_t start_ns = cpu_ns();

		rc = rounds(count);
		ns[i] = (double)(cpu_ns() - start_ns) / (double)count;
	}
	if (rc == 0)
		*ret_ns = micro_median(ns, MICRO_REPEATS);
	return rc;
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
	int rc = measure(pass_unbuffered, ITEMS, &ns);

	(void)unused;
	if (rc == 0)
		micro_print("chan_item", ns, "ns");
	return rc;
}

static int run_buffered(void *unused)
{
	double ns;
	int rc = measure(pass_buffered, ITEMS, &ns);

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
	int rc = measure(send_often, SELECTS, &both_ns);

	(void)unused;
	if (rc == 0)
		rc = measure(select_often, SELECTS, &ns);
	if (rc == 0)
		micro_print("chan_select_8", ns - both_ns / 2, "ns");
	return rc;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void *unused);
	} benchmarks[] = {
		{ "item", run_item },
		{ "buffered", run_buffered },
		{ "select", run_select },
	};

	for (size_t i = 0; i < sizeof(benchmarks) / sizeof(benchmarks[0]); i++) {
		if (argc == 2 && strcmp(argv[1], benchmarks[i].name) == 0) {
			int rc = soon_run(benchmarks[i].run, NULL);

			if (rc < 0)
				micro_die(argv[1], rc);
			return 0;
		}
	}
	(void)fprintf(stderr, "usage: micro_chan item|buffered|select\n");
	return 1;
}
