// SPDX-License-Identifier: Apache-2.0
/* What soon_io_features() finds is what a ring does; what is taken away is missed by itself. */
#include <soon/io_features.h>

#include "kit.h"
#include "ring.h"

#include <liburing.h>
#include <string.h>
#include <sys/resource.h>

static uint64_t bit_of(const char *name)
{
	const soon_io_feature *feature;

	for (unsigned i = 0; (feature = soon_io_feature_at(i)) != NULL; i++)
		if (strcmp(feature->name, name) == 0)
			return (uint64_t)1 << i;
	cr_assert_fail("no feature %s", name);
	return 0;
}

static uint64_t probe(void)
{
	unsigned before = kit_fd_count();
	uint64_t found = 0;

	cr_assert_eq(soon_io_features(&found), 0);
	cr_assert_eq(kit_fd_count(), before);
	return found;
}

/* The suite runs on kernels from 6.1 on, which have what is needed. */
SOON_TEST_PLAIN(features, what_is_needed_is_there)
{
	uint64_t found = probe();
	const soon_io_feature *feature;

	for (unsigned i = 0; (feature = soon_io_feature_at(i)) != NULL; i++) {
		cr_assert_neq(feature->name[0], '\0');
		cr_assert_neq(feature->since[0], '\0');
		cr_assert_neq(feature->without[0], '\0');
		if (feature->is_needed)
			cr_assert_neq(found & (uint64_t)1 << i, 0, "%s", feature->name);
	}
	cr_assert_null(soon_io_feature_at(64));
	cr_assert_null(soon_io_feature_at(~0u));
}

SOON_TEST(features, a_ring_has_what_was_found)
{
	uint64_t found = probe();
	unsigned flags = soon__ring_self()->uring.flags;

	cr_assert_eq(
		(found & bit_of("SINGLE_ISSUER")) != 0, (flags & IORING_SETUP_SINGLE_ISSUER) != 0);
	cr_assert_eq(
		(found & bit_of("DEFER_TASKRUN")) != 0, (flags & IORING_SETUP_DEFER_TASKRUN) != 0);
	cr_assert_eq(
		(found & bit_of("sends without completion")) != 0, soon__ring_self()->io.has_try);
}

SOON_TEST_PLAIN(features, what_is_taken_away_is_missed_alone)
{
	uint64_t found = probe();

	soon__ring_tuning.setup_flags_off = IORING_SETUP_DEFER_TASKRUN;
	cr_assert_eq(probe(), found & ~bit_of("DEFER_TASKRUN"));
	soon__ring_tuning.setup_flags_off = 0;
	soon__ring_tuning.try_off = true;
	cr_assert_eq(probe(), found & ~bit_of("sends without completion"));
}

SOON_TEST_PLAIN(features, a_shortage_is_no_lack)
{
	struct rlimit old, tight;
	uint64_t found = 1;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = (struct rlimit){ .rlim_cur = 0, .rlim_max = old.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	cr_assert_eq(soon_io_features(&found), -EMFILE);
	cr_assert_eq(found, 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
}
