// SPDX-License-Identifier: Apache-2.0
/*
 * sem.h: as many at a time as there are permits, or tokens.
 *
 * A semaphore counts permits that anybody may take and anybody may give back: a task that takes one
 * and a callback that gives it back are a signal with a memory. A limiter counts tokens that are
 * borrowed: it knows each borrower, refuses it a second token, and can be made larger and smaller
 * while it works. Use a limiter for "at most 20 requests to that host", a semaphore for the rest.
 *
 *	static soon_limiter to_host = SOON_LIMITER_INIT(20);
 *
 *	SOON_LOAN(loan);	// gives the token back on every way out of the block
 *	int rc = soon_limiter_acquire(&to_host, &loan);
 *	if (rc < 0)
 *		return rc;
 *	return request(host, path);
 *
 * Both serve in the order of asking. What holds for all such objects, whose they are and when a
 * cancel comes too late, is said in <soon/mutex.h>. A semaphore's permits outlast a run.
 */
#ifndef SOON_SEM_H
#define SOON_SEM_H

#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A semaphore. All of it is private; all zero is one without permits. */
typedef struct soon_sem {
	uint64_t soon__opaque[5];
} soon_sem;

/* A limiter. All of it is private; all zero is one without tokens. */
typedef struct soon_limiter {
	uint64_t soon__opaque[24];
} soon_limiter;

/* One borrowed token, in the borrower's memory until it is given back. All of it is private. */
typedef struct soon_loan {
	uint64_t soon__opaque[6];
} soon_loan;

#define SOON_SEM_INIT(permits)    SOON__STORAGE(permits)
#define SOON_SEM_MAX              UINT32_MAX
#define SOON_LIMITER_INIT(tokens) SOON__STORAGE(tokens)
#define SOON_LOAN_INIT            SOON__STORAGE(0)

/*
 * Gives a semaphore that number of permits, whatever it was: no task may wait for it.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_sem_init(soon_sem *sem, uint32_t permits);

/*
 * Takes `count` permits, all at once and after all who asked before, even where fewer would be left
 * for a modest one.
 * Affinity: core, in a task. Suspends: may, until enough are released. Cancel: cancellation point;
 * after -ECANCELED none were taken.
 * Errors: -ECANCELED. -EPERM not in a task, or another core has waited for it; -EOWNERDEAD an ended
 * run left it waited for: both reported.
 */
SOON_API SOON_NODISCARD int soon_sem_acquire(soon_sem *sem, uint32_t count) SOON_SUSPENDS;

/*
 * Takes `count` permits if they are there and nobody waits.
 * Affinity: core. Suspends: never. Cancel: not a cancellation point.
 * Errors: -EAGAIN; -EPERM, -EOWNERDEAD as soon_sem_acquire.
 */
SOON_API SOON_NODISCARD int soon_sem_try_acquire(soon_sem *sem, uint32_t count) SOON_ON_CORE;

/*
 * Adds `count` permits and serves who waits; they go on later.
 * Affinity: core. Suspends: never. Cancel: not a cancellation point.
 * Errors, all reported: -EOVERFLOW there would be more than SOON_SEM_MAX, nothing changed; -EPERM,
 * -EOWNERDEAD as soon_sem_acquire.
 */
SOON_API int soon_sem_release(soon_sem *sem, uint32_t count) SOON_ON_CORE;

/*
 * Returns how many permits are there to take.
 * Affinity: core; elsewhere 0, with a report if the semaphore is in use. Suspends: never.
 */
SOON_API uint32_t soon_sem_count(const soon_sem *sem);

/*
 * Gives a limiter that number of tokens, whatever it was: nobody may have one or wait for one.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_limiter_init(soon_limiter *limiter, uint32_t tokens);

/*
 * Borrows a token for the running task, in soon_limiter_acquire_for() for whatever `borrower` is
 * the address of: a connection, a job. A task gives its own token back before it ends; if not, that
 * is reported, and aborts when the loan was in its frames. What was borrowed for something else may
 * be given back by anybody.
 * Affinity: core, in a task. Suspends: may, until a token is given back, or resize adds some.
 * Cancel: cancellation point; after -ECANCELED nothing was borrowed.
 * Ownership: takes `loan` on success, until soon_limiter_release.
 * Errors: -ECANCELED. -EDEADLK the borrower has a token of this limiter, or waits for one. -EBUSY
 * `loan` is in use. -EPERM not in a task, or the limiter belongs to another core. -EOWNERDEAD an
 * ended run did not give tokens back. All but the first are reported.
 * Cost: no allocation; a walk through a sixteenth of the borrowers.
 */
SOON_API SOON_NODISCARD int soon_limiter_acquire(soon_limiter *limiter, soon_loan *loan)
	SOON_SUSPENDS;
SOON_API SOON_NODISCARD int soon_limiter_acquire_for(
	soon_limiter *limiter, soon_loan *loan, const void *borrower) SOON_SUSPENDS;

/*
 * The same if a token is there and nobody waits.
 * Affinity: core; in a task, or with a `borrower`. Suspends: never. Cancel: not a cancellation
 * point. Ownership: as soon_limiter_acquire.
 * Errors: -EAGAIN; the others as soon_limiter_acquire.
 */
SOON_API SOON_NODISCARD int soon_limiter_try_acquire(soon_limiter *limiter, soon_loan *loan)
	SOON_ON_CORE;
SOON_API SOON_NODISCARD int soon_limiter_try_acquire_for(
	soon_limiter *limiter, soon_loan *loan, const void *borrower) SOON_ON_CORE;

/*
 * Gives a token back, and lends it to whoever waited longest.
 * Affinity: core; what a task borrowed for itself, in that task. Suspends: never. Cancel: not a
 * cancellation point. Ownership: returns `loan`.
 * Errors, all reported: -EPERM `loan` is not one of this limiter, or another task's; -EOWNERDEAD.
 */
SOON_API int soon_limiter_release(soon_limiter *limiter, soon_loan *loan) SOON_ON_CORE;

/*
 * Sets the number of tokens. More of them are lent at once to who waits; when there are fewer than
 * are borrowed, nobody loses one, and none is lent until enough came back.
 * Affinity: core. Suspends: never.
 * Errors, all reported: -EPERM, -EOWNERDEAD as soon_limiter_acquire.
 */
SOON_API int soon_limiter_resize(soon_limiter *limiter, uint32_t tokens) SOON_ON_CORE;

/*
 * Return how many tokens there are, how many are borrowed, how many tasks wait for one.
 * Affinity: core. Suspends: never.
 */
SOON_API uint32_t soon_limiter_tokens(const soon_limiter *limiter);
SOON_API uint32_t soon_limiter_borrowed(const soon_limiter *limiter);
SOON_API uint32_t soon_limiter_waiting(const soon_limiter *limiter);

/* Declares a loan whose token, if it has one, is given back on every way out of the block. */
#define SOON_LOAN(name) soon_loan name __attribute__((cleanup(soon__loan_left))) = SOON_LOAN_INIT
SOON_API void soon__loan_left(soon_loan *loan) SOON_ON_CORE;

#ifdef __cplusplus
}
#endif

#endif
