// SPDX-License-Identifier: Apache-2.0
#include "affinity.h"

#include <soon/mem.h>

#include <errno.h>

enum { CPUS_MAX = 8192 }; /* more are not looked at */

void soon__affinity_read(struct soon__affinity *ret_affinity)
{
	*ret_affinity = (struct soon__affinity){ .count = 1 };
	for (size_t count = CPU_SETSIZE; count <= CPUS_MAX; count *= 2) {
		size_t bytes = CPU_ALLOC_SIZE(count);
		cpu_set_t *set = soon_zalloc(bytes);
		int rc;

		if (!set)
			return;
		rc = sched_getaffinity(0, bytes, set) == 0 ? 0 : -errno;
		if (rc == 0) {
			unsigned found = (unsigned)CPU_COUNT_S(bytes, set);

			*ret_affinity =
				(struct soon__affinity){ set, bytes, found > 0 ? found : 1 };
			return;
		}
		soon_free(set);
		if (rc != -EINVAL) /* the kernel knows more processors than have room */
			return;
	}
}

void soon__affinity_free(struct soon__affinity *affinity)
{
	soon_free(affinity->set);
	affinity->set = NULL;
}

void soon__affinity_pin(const struct soon__affinity *affinity, int from_cpu, unsigned index)
{
	size_t room = affinity->bytes * 8, at = from_cpu < 0 ? 0 : (size_t)from_cpu;
	cpu_set_t *one;

	if (!affinity->set)
		return;
	index %= affinity->count;
	for (size_t seen = 0; seen < room; seen++, at++) {
		if (at >= room)
			at = 0;
		if (CPU_ISSET_S(at, affinity->bytes, affinity->set) && index-- == 0)
			break;
	}
	one = soon_zalloc(affinity->bytes);
	if (!one)
		return; /* slower, not wrong */
	CPU_SET_S(at, affinity->bytes, one);
	/* A processor that was taken away meanwhile: the thread stays where it may be. */
	(void)sched_setaffinity(0, affinity->bytes, one);
	soon_free(one);
}

void soon__affinity_unpin(const struct soon__affinity *affinity)
{
	if (affinity->set)
		(void)sched_setaffinity(0, affinity->bytes, affinity->set);
}
