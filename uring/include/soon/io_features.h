// SPDX-License-Identifier: Apache-2.0
/*
 * io_features.h: what io_uring can do here, found out by trying it. Version numbers tell little:
 * distributions patch, containers forbid. For tools and start-up pages; a run probes by itself, and
 * soon_io_backend() tells what came of that.
 *
 *	uint64_t found;
 *	int rc = soon_io_features(&found);
 *	const soon_io_feature *feature;
 *
 *	for (unsigned i = 0; (feature = soon_io_feature_at(i)) != NULL; i++)
 *		printf("%s %s\n", feature->name, found >> i & 1 ? "yes" : feature->without);
 */
#ifndef SOON_IO_FEATURES_H
#define SOON_IO_FEATURES_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct soon_io_feature {
	const char *name;    /* "DEFER_TASKRUN" */
	const char *since;   /* the first release of Linux that has it: "6.1" */
	const char *without; /* what is lost with it, a few words */
	bool is_needed;      /* without it soon uses epoll */
} soon_io_feature;

/*
 * Describes the feature that bit `index` of soon_io_features() stands for. New ones are added at
 * the end.
 * Affinity: any. Suspends: never. Ownership: static.
 * Returns: NULL when there is no such feature; so does the first index that is not used.
 */
SOON_API const soon_io_feature *SOON_NULLABLE soon_io_feature_at(unsigned index) SOON_ANY_THREAD;

/*
 * Tries every feature on rings and sockets of its own, which it closes again. A sandbox that kills
 * for these calls kills here; SOON_IO is not looked at.
 * Affinity: any; it makes some fifty system calls, and blocks for a second where a kernel loses a
 * request: not for a task.
 * Suspends: never, but blocks the thread.
 * Returns: 0; `*ret_found` has a bit set for each feature that works.
 * Errors: -EPERM, -ENOSYS, -EACCES, -EOPNOTSUPP, -EINVAL there is no io_uring here; -EMFILE,
 * -ENFILE, -ENOMEM shortages. `*ret_found` is 0 then.
 */
SOON_API SOON_NODISCARD int soon_io_features(uint64_t *ret_found) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
