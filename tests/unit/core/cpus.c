// SPDX-License-Identifier: Apache-2.0
/*
 * Who may look before it sleeps: there must be a processor for the other side.
 */
#include "cpus.h"

#include <soon/test.h>

#include <sys/wait.h>
#include <unistd.h>

static unsigned begin_looks(void)
{
	unsigned count = 0;

	while (soon__cpus_look_begin())
		count++;
	return count;
}

static void end_looks(unsigned count)
{
	while (count-- > 0)
		soon__cpus_look_end();
}

SOON_TEST_PLAIN(cpus, threads_look_while_one_is_left_for_a_core)
{
	unsigned looks = begin_looks();

	cr_assert_eq(looks, soon__cpus_allowed() - 1);
	end_looks(looks);
	/* The core it was left for is awake, so that changes nothing. */
	soon__cpus_core_wakes();
	cr_assert_eq(begin_looks(), looks);
	end_looks(looks);
	soon__cpus_core_sleeps();
}

SOON_TEST_PLAIN(cpus, cores_look_while_one_is_left_for_a_thread)
{
	unsigned allowed = soon__cpus_allowed();

	for (unsigned i = 1; i < allowed; i++) {
		soon__cpus_core_wakes();
		cr_assert(soon__cpus_core_may_look());
		cr_assert(soon__cpus_look_begin());
		cr_assert(soon__cpus_core_may_look());
		soon__cpus_look_end();
	}
	soon__cpus_core_wakes();
	cr_assert_not(soon__cpus_core_may_look());
	cr_assert_not(soon__cpus_look_begin());
	for (unsigned i = 0; i < allowed; i++)
		soon__cpus_core_sleeps();
}

static unsigned child_looks(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit((int)begin_looks());
	cr_assert_gt(child, 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	return (unsigned)WEXITSTATUS(status);
}

SOON_TEST(cpus, a_child_of_a_fork_counts_nobody_of_its_parent)
{
	soon__cpus_core_wakes(); /* another than that of the test, which is awake */
	cr_assert_eq(child_looks(), soon__cpus_allowed() - 1);
	soon__cpus_core_sleeps();
}
