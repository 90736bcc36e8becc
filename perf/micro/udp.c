// SPDX-License-Identifier: Apache-2.0
/*
 * What it costs to move a burst of 44 datagrams of 1200 bytes over the loopback interface, for
 * each of them: sent as a batch and taken as one; sent as segments (UDP_SEGMENT); and taken
 * coalesced as well (UDP_GRO). CPU time of sender and receiver together, which one task is.
 */
#include <soon/dgram.h>
#include <soon/task.h>

#include "micro.h"

#include <errno.h>

#define BYTES  1200u
#define COUNT  44u
#define BURSTS UINT64_C(2000)

static soon_dgram *from, *to;
static char data[COUNT * BYTES];
static bool is_segmented;

static int take_all(void)
{
	static soon_packet packets[COUNT]; /* too large for a frame */
	unsigned taken = 0;

	while (taken < COUNT) {
		int n = soon_dgram_next_batch(to, packets, COUNT);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++)
			if (packets[i].len != BYTES)
				return -EPROTO;
		taken += (unsigned)n;
	}
	return 0;
}

static int send_segments(void)
{
	soon_packet packet = { .ptr = data, .len = sizeof(data), .segment_bytes = BYTES };
	int n = soon_dgram_send_batch(from, &packet, 1);

	return n < 0 ? n : packet.rc;
}

static int send_each(void)
{
	static soon_packet packets[COUNT]; /* too large for a frame */
	int n;

	for (unsigned i = 0; i < COUNT; i++)
		packets[i] = (soon_packet){ .ptr = data + i * BYTES, .len = BYTES };
	n = soon_dgram_send_batch(from, packets, COUNT);
	return n == (int)COUNT ? 0 : -EIO;
}

static int bursts(uint64_t count)
{
	int rc = 0;

	for (uint64_t i = 0; i < count && rc == 0; i++) {
		rc = is_segmented ? send_segments() : send_each();
		if (rc == 0)
			rc = take_all();
	}
	return rc;
}

static int measure(const char *name, bool with_segments, bool with_coalescing)
{
	const soon_dgram_opts opts = {
		.coalesce = with_coalescing,
		.in_bytes = 1 << 20,
		.batch_count = with_coalescing ? 4 : COUNT,
	};
	char where[SOON_ADDR_TEXT_BYTES];
	soon_addr addr;
	double ns;
	int rc = soon_dgram_bind("127.0.0.1:0", &opts, &to);

	if (rc < 0)
		return rc;
	soon_dgram_addr(to, &addr);
	rc = soon_dgram_dial(soon_addr_format(&addr, where), NULL, &from);
	if (rc == 0) {
		is_segmented = with_segments;
		rc = micro_measure(bursts, BURSTS, CLOCK_PROCESS_CPUTIME_ID, &ns);
		soon_dgram_close(from);
	}
	soon_dgram_close(to);
	if (rc == 0)
		micro_print(name, ns / COUNT, "ns");
	return rc;
}

static int run_bursts(void *unused)
{
	int rc = measure("udp_batch", false, false);

	(void)unused;
	if (rc == 0)
		rc = measure("udp_segments", true, false);
	if (rc == 0)
		rc = measure("udp_coalesced", true, true);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct micro_bench benches[] = {
		{ "burst", run_bursts, NULL },
	};

	return micro_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
