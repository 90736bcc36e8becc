// SPDX-License-Identifier: Apache-2.0
/*
 * fake.h: stand-ins: an operation that ends as the test says, a resource that keeps books, a
 * function in the place of another.
 */
#ifndef SOON_FAKE_H
#define SOON_FAKE_H

#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an operation does when it is asked to end early. */
typedef enum soon_fake_cancel {
	SOON_FAKE_CANCEL_DONE,    /* it is gone at once */
	SOON_FAKE_CANCEL_PENDING, /* it ends at the next poll with -ECANCELED */
	SOON_FAKE_CANCEL_LATE,    /* it ends at the next poll, but had completed: its own result */
	SOON_FAKE_CANCEL_IGNORED, /* it goes on to its end, as a disk does */
} soon_fake_cancel;

/*
 * Waits as for the kernel: an operation that takes `duration` and then gives `rc`.
 * Affinity: core, in a task under soon_test_run(). Suspends: always. Cancel: cancellation point,
 * with the outcome that `cancel` names. Errors: -ECANCELED; `rc`; -EPERM not in a task.
 */
SOON_NODISCARD ssize_t soon_fake_op(soon_ns duration, ssize_t rc, soon_fake_cancel cancel)
	SOON_SUSPENDS;

#define SOON_FAKE_ARGS_KEPT 8

/*
 * A resource that only keeps books: in the place of a file, a connection, a lock. Code under test
 * opens it, enters it, leaves it and closes it through the functions below; the test scripts what
 * they give and reads the books afterwards. Zero it; set what is to be scripted.
 */
typedef struct soon_fake_resource {
	const char *name; /* for messages */

	/* The script. */
	int open_rc;       /* what soon_fake_open gives */
	int enter_rc;      /* what soon_fake_enter gives */
	int exit_rc;       /* what soon_fake_exit gives */
	soon_ns enter_ns;  /* how long entering takes: a cancellation point if it is not 0 */
	void *value;       /* what a successful soon_fake_enter hands out */
	unsigned fail_nth; /* enter_rc is for the n-th entry only, from 1; 0: for every one */

	/* The books. */
	unsigned opened, entered, exited, closed; /* calls that succeeded */
	unsigned refused;                         /* entries that failed */
	unsigned inside, inside_max;              /* entered and not left: now, at most */
	unsigned args_count;                      /* of the opens */
	intptr_t args[SOON_FAKE_ARGS_KEPT];       /* the first of them */
} soon_fake_resource;

/* Records `arg` and gives `open_rc`. Affinity: core. Suspends: never. */
SOON_NODISCARD int soon_fake_open(soon_fake_resource *resource, intptr_t arg);

/*
 * Enters: takes `enter_ns`, then gives `enter_rc`, and `value` when that is 0 or more.
 * Affinity: core, in a task. Suspends: if `enter_ns` is not 0. Cancel: then a cancellation point;
 * it was not entered. Null: `ret_value`. Errors: -ECANCELED; `enter_rc`.
 */
SOON_NODISCARD int soon_fake_enter(soon_fake_resource *resource, void **SOON_NULLABLE ret_value)
	SOON_SUSPENDS;

/* Leaves; without having entered it aborts. Gives `exit_rc`. Affinity: core. Suspends: never. */
int soon_fake_exit(soon_fake_resource *resource);

/* Ends what soon_fake_open began; once more than opened aborts. Affinity: core. Suspends: never. */
void soon_fake_close(soon_fake_resource *resource);

/*
 * Returns NULL when all that was opened is closed and all that was entered is left; otherwise a
 * text that says what is not, static until the next call.
 */
const char *soon_fake_unbalanced(const soon_fake_resource *resource);

/*
 * Puts a function in the place of `fn` in a test program that is linked with -Wl,--wrap=fn (CMake:
 * soon_test_fake(target fn...)). The original is SOON_REAL(fn).
 *
 *	SOON_FAKE(int, lookup, (const char *name))
 *	{
 *		return strcmp(name, "db") == 0 ? -ENOENT : SOON_REAL(lookup)(name);
 *	}
 */
#define SOON_REAL(fn) __real_##fn
#define SOON_FAKE(type, fn, params)                                                                \
	type __real_##fn params;                                                                   \
	type __wrap_##fn params;                                                                   \
	type __wrap_##fn params

#ifdef __cplusplus
}
#endif

#endif
