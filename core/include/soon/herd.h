// SPDX-License-Identifier: Apache-2.0
/*
 * herd.h: single flight: of all who want the same thing at the same time, one has it made.
 *
 * Work is named by a key, a few bytes. Whoever asks for a key that nobody works on starts a flight,
 * a task of its own; who asks meanwhile waits for the same one; and all get its result. Nothing is
 * kept afterwards: a herd is no cache, it is what stands before one.
 *
 *	static soon_herd pages = SOON_HERD_INIT;
 *
 *	static int load(void *site, const void *path, size_t path_bytes, void *ret_page);
 *
 *	rc = soon_herd_do(&pages, path, strlen(path), load, &site, &page, sizeof page);
 *
 * Those who wait are shielded from each other: one that is cancelled leaves, and the flight goes
 * on for the rest. Only when the last one is cancelled is the flight cancelled, and that one waits
 * for its end. So a flight never outlasts all of its callers, whatever group they live in.
 *
 * A herd belongs to one core, and idle it holds no memory. What holds for all such objects, whose
 * they are, is said in <soon/mutex.h>.
 */
#ifndef SOON_HERD_H
#define SOON_HERD_H

#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a key, and bytes of a value. */
#define SOON_HERD_KEY_BYTES_MAX   65536
#define SOON_HERD_VALUE_BYTES_MAX 65536

/* All of it is private; all zero is one without flights. */
typedef struct soon_herd {
	uint64_t soon__opaque[16];
} soon_herd;

#define SOON_HERD_INIT SOON__STORAGE(0)

/*
 * The work, in a task of its own. `key` is the herd's copy and `ret_value` zeroed memory of the
 * herd's, aligned for any type, both valid until the return; a result of 0 or more gives every
 * caller that and a copy of the value. `arg` is that of the caller who started the flight, who may
 * have left: it must not point into a frame. What is to be known of a caller belongs in the key.
 */
typedef int (*soon_herd_fn)(void *arg, const void *key, size_t key_bytes, void *ret_value);

/*
 * Makes a herd without flights, whatever it was: no task may be in soon_herd_do.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_herd_init(soon_herd *herd);

SOON_API SOON_NODISCARD int soon__herd_do(soon_herd *herd, const void *key, size_t key_bytes,
	soon_herd_fn fn, void *arg, void *ret_value, size_t value_bytes, const soon_site *site)
	SOON_SUSPENDS;

/*
 * Joins the flight for the key, or starts one that runs `fn`, and waits for its result.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point; the last caller that is
 * cancelled waits for the end of the flight, and when that had succeeded after all, gets its
 * result. Ownership: `key` is copied; `arg` is lent until the flight ends, see soon_herd_fn.
 * Null: `ret_value` when the value is not wanted, which has `value_bytes` all the same; `key` and
 * `arg` as `key_bytes` and `fn` allow.
 * Returns: what `fn` returned; then, if not negative, the value is in `*ret_value`.
 * Errors: -ECANCELED. What `fn` returned, in every caller, with its message; in place of a
 * -ECANCELED of its own, -ESHUTDOWN when the run ends and -EIO with a report otherwise. -ENOMEM,
 * -EAGAIN no flight could be started. -E2BIG beyond the limits. All of these reported: -EINVAL
 * those who wait expect a value of another size. -EDEADLK a flight that would wait for itself.
 * -EPERM not in a task, or another core's herd. -EOWNERDEAD the flights are a dead run's.
 * Limits: SOON_HERD_KEY_BYTES_MAX, SOON_HERD_VALUE_BYTES_MAX. Cost: an allocation a flight.
 */
#define soon_herd_do(herd, key, key_bytes, fn, arg, ret_value, value_bytes)                        \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__herd_do((herd), (key), (key_bytes), (fn), (arg), (ret_value), (value_bytes), \
			&soon__site);                                                              \
	}))

/* Returns how many flights have not ended. Affinity: core. Suspends: never. */
SOON_API size_t soon_herd_count(const soon_herd *herd);

#ifdef __cplusplus
}
#endif

#endif
