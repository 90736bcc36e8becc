// SPDX-License-Identifier: Apache-2.0
/* What io_uring can do here, each thing by trying it; see <soon/io_features.h>. */
#include <soon/io_features.h>

#include "bufring.h"
#include "compat.h"
#include "mem_san.h"
#include "probe.h"
#include "tuning.h"

#include <liburing.h>

#define GROUP 0

/* In the order of the bits: public, so only the end may grow. */
enum {
	RING,
	BUFFER_RINGS,
	RECEIVE_MULTI,
	ACCEPT_MULTI,
	SUBMIT_ALL,
	SINGLE_ISSUER,
	DEFER_TASKRUN,
	COOP_TASKRUN,
	TRIES,
	REGISTERED_RING,
	NO_IOWAIT,
	FEATURE_COUNT,
};

static const soon_io_feature features[FEATURE_COUNT] = {
	[RING] = { "rings with EXT_ARG, NODROP", "5.11", "there is no io_uring", true },
	[BUFFER_RINGS] = { "buffer rings", "5.19", "no place to receive into", true },
	[RECEIVE_MULTI] = { "multishot receive", "6.0", "a request for each piece received", true },
	[ACCEPT_MULTI] = { "multishot accept", "5.19", "a request for each connection", true },
	[SUBMIT_ALL] = { "SUBMIT_ALL", "5.18",
		"a request that is refused keeps those behind it for a turn", false },
	[SINGLE_ISSUER] = { "SINGLE_ISSUER", "6.0", "a lock at each entry of the kernel", false },
	[DEFER_TASKRUN] = { "DEFER_TASKRUN", "6.1",
		"completions come at any entry of the kernel, not where they are asked for",
		false },
	[COOP_TASKRUN] = { "COOP_TASKRUN", "5.19",
		"without DEFER_TASKRUN a completion interrupts the core", false },
	[TRIES] = { "sends without completion", "5.17", "a completion for each send", false },
	[REGISTERED_RING] = { "registered ring", "5.18",
		"the descriptor is looked up at each entry of the kernel", false },
	[NO_IOWAIT] = { "NO_IOWAIT", "6.15", "an idle service is shown as waiting for I/O", false },
};

const soon_io_feature *soon_io_feature_at(unsigned index)
{
	return index < FEATURE_COUNT ? &features[index] : NULL;
}

static uint64_t bit(unsigned feature)
{
	return (uint64_t)1 << feature;
}

/* Whether a ring can be made with these flags. Errors: shortages. */
static int takes(unsigned flags)
{
	struct io_uring_params params = { .flags = flags };
	struct io_uring ring;
	int rc;

	if ((flags & soon__ring_tuning.setup_flags_off) != 0)
		return 0;
	rc = io_uring_queue_init_params(4, &ring, &params);
	if (rc < 0)
		return rc == -EINVAL ? 0 : rc;
	soon__san_ring_begun();
	soon__san_ring_ends();
	io_uring_queue_exit(&ring);
	return 1;
}

static int try_flags(uint64_t *found)
{
	static const struct {
		unsigned feature;
		unsigned flags;
	} flags[] = {
		{ SUBMIT_ALL, IORING_SETUP_SUBMIT_ALL },
		{ SINGLE_ISSUER, IORING_SETUP_SINGLE_ISSUER },
		{ DEFER_TASKRUN, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN },
		{ COOP_TASKRUN, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG },
	};
	int rc = 0;

	for (unsigned i = 0; rc >= 0 && i < sizeof(flags) / sizeof(flags[0]); i++) {
		rc = takes(flags[i].flags);
		if (rc > 0)
			*found |= bit(flags[i].feature);
	}
	return rc < 0 ? rc : 0;
}

static void try_buffers(struct io_uring *ring, struct soon__bufs *bufs, uint64_t *found)
{
	struct io_uring_buf_reg reg = { .bgid = GROUP };

	reg.ring_addr = (uint64_t)(uintptr_t)bufs->ring;
	reg.ring_entries = bufs->count;
	if (io_uring_register_buf_ring(ring, &reg, 0) < 0)
		return;
	*found |= bit(BUFFER_RINGS);
	soon__bufs_refill(bufs);
	if (soon__probe_streams(ring, GROUP, true) >= 0)
		*found |= bit(RECEIVE_MULTI);
}

static void try_rest(struct io_uring *ring, uint64_t *found)
{
	if ((ring->features & IORING_FEAT_NO_IOWAIT) != 0)
		*found |= bit(NO_IOWAIT);
	if (!soon__ring_tuning.try_off && soon__probe_try(ring))
		*found |= bit(TRIES);
	if (soon__probe_accept(ring))
		*found |= bit(ACCEPT_MULTI);
	if (io_uring_register_ring_fd(ring) == 1)
		*found |= bit(REGISTERED_RING);
}

int soon_io_features(uint64_t *ret_found)
{
	struct io_uring ring;
	struct soon__bufs bufs;
	uint64_t found = bit(RING);
	int rc;

	*ret_found = 0;
	rc = soon__probe_open(64, 256, ~soon__ring_tuning.setup_flags_off, &ring);
	if (rc < 0)
		return rc;
	rc = soon__bufs_init(&bufs, 64, 8);
	if (rc == 0) {
		try_buffers(&ring, &bufs, &found);
		try_rest(&ring, &found);
	}
	soon__san_ring_ends();
	io_uring_queue_exit(&ring);
	if (rc < 0)
		return rc;
	soon__bufs_fini(&bufs);
	rc = try_flags(&found);
	if (rc == 0)
		*ret_found = found;
	return rc;
}
