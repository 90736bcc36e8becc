// SPDX-License-Identifier: Apache-2.0
/*
 * limiter.c: tokens that are lent, one to a borrower.
 *
 * Who has a token, or waits for one, is found by the borrower's address: in a list of loans, one of
 * sixteen. The loans lie in the borrowers' memory, so a limiter of any size allocates nothing.
 */
#include <soon/sem.h>

#include "waitq.h"

enum { LISTS = 16 };

struct soon__limiter;

/* Lies in a soon_loan. */
struct __attribute__((may_alias)) soon__loan {
	struct soon__loan *next, **link; /* in the list of its borrower's address */
	struct soon__limiter *limiter;   /* NULL: not in use */
	const void *borrower;
	uint64_t task_id; /* of the task that is the borrower; 0: something else is */
	bool is_lent;     /* not waited for any more */
};

struct __attribute__((may_alias)) soon__limiter {
	uint64_t tokens; /* first: the initialiser sets it */
	struct soon__waitq queue;
	struct soon__loan *lists[LISTS]; /* granted and waited for */
	const soon_site *site; /* spawn of the last task to borrow, for reports; or NULL */
	uint32_t borrowed, waiting;
};

_Static_assert(sizeof(struct soon__loan) <= sizeof(soon_loan), "a loan fits its storage");
_Static_assert(sizeof(struct soon__limiter) <= sizeof(soon_limiter), "a limiter fits its storage");

struct limiter_wait {
	struct soon__queued queued;
	struct soon__limiter *limiter;
	struct soon__loan *loan;
};

static struct soon__limiter *limiter_of(soon_limiter *limiter)
{
	return (struct soon__limiter *)limiter;
}

static struct soon__loan **list_of(struct soon__limiter *limiter, const void *borrower)
{
	uint64_t hash = (uint64_t)(uintptr_t)borrower * UINT64_C(0x9e3779b97f4a7c15);

	return &limiter->lists[hash >> 60];
}

static void loan_begin(struct soon__limiter *limiter, struct soon__loan *loan, const void *borrower)
{
	struct soon__loan **list = list_of(limiter, borrower);
	const soon_task *self = soon__task_self();

	loan->limiter = limiter;
	loan->borrower = borrower;
	loan->task_id = self && borrower == self ? self->id : 0;
	loan->next = *list;
	loan->link = list;
	if (loan->next)
		loan->next->link = &loan->next;
	*list = loan;
}

static void loan_end(struct soon__loan *loan)
{
	*loan->link = loan->next;
	if (loan->next)
		loan->next->link = loan->link;
	*loan = (struct soon__loan){ 0 };
}

/* Whether the loan ends with the task: the record lies on top of the stack. */
static bool is_in_frame(const struct soon__loan *loan, const soon_task *task)
{
	return (const char *)loan >= task->stack_low && (const char *)loan < (const char *)task;
}

static void lend(struct soon__limiter *limiter, struct soon__loan *loan, soon_task *task)
{
	SOON_ASSERT(!loan->is_lent);
	loan->is_lent = true;
	limiter->borrowed++;
	limiter->site = task ? task->site : NULL;
	if (task && loan->task_id) {
		task->locks_held++;
		if (is_in_frame(loan, task))
			task->frame_loans++;
	}
}

/* Lends to who waits, as far as the tokens go. */
static void serve(struct soon__limiter *limiter)
{
	while (limiter->borrowed < limiter->tokens && limiter->queue.head) {
		struct soon__waiter *first = soon__waitq_pop(&limiter->queue);
		const struct limiter_wait *wait =
			SOON_CONTAINER_OF(soon__queued_of(first), struct limiter_wait, queued);

		limiter->waiting--;
		lend(limiter, wait->loan, first->wait->task);
		soon__queued_wake(first, 0);
	}
}

static enum soon__abort limiter_abort(struct soon__wait *wait)
{
	struct limiter_wait *self = SOON_CONTAINER_OF(
		SOON_CONTAINER_OF(wait, struct soon__queued, wait), struct limiter_wait, queued);

	loan_end(self->loan);
	self->limiter->waiting--;
	return soon__queued_abort(wait);
}

static int enter(struct soon__limiter *limiter, const char *what)
{
	return soon__waitq_enter_held(&limiter->queue, limiter->borrowed > 0, limiter->site, what);
}

/* Whether the loan can begin: 0, -EDEADLK or -EBUSY. */
static int check_loan(struct soon__limiter *limiter, const struct soon__loan *loan,
	const void *borrower, const char *what)
{
	for (const struct soon__loan *other = *list_of(limiter, borrower); other;
		other = other->next) {
		if (other->borrower != borrower)
			continue;
		soon_report_file(SOON_REPORT_ERROR, -EDEADLK,
			"soon_%s: in task '%s', the borrower %p has a token of this limiter, or "
			"waits for one: a second could wait for the first for ever",
			what, soon_task_name(NULL), borrower);
		return -EDEADLK;
	}
	if (loan->limiter) {
		soon_report_file(SOON_REPORT_ERROR, -EBUSY,
			"soon_%s: task '%s' borrows with a loan that is in use, for the borrower "
			"%p",
			what, soon_task_name(NULL), loan->borrower);
		return -EBUSY;
	}
	return 0;
}

static int acquire(
	struct soon__limiter *limiter, struct soon__loan *loan, const void *borrower, bool can_wait)
{
	const char *what = can_wait ? "limiter_acquire" : "limiter_try_acquire";
	struct limiter_wait self = {
		.queued.wait = { .abort = limiter_abort, .what = "limiter acquire" },
		.limiter = limiter,
		.loan = loan,
	};
	int rc = enter(limiter, what);

	if (rc == 0)
		rc = check_loan(limiter, loan, borrower, what);
	if (rc < 0)
		return rc;
	if (!limiter->queue.head && limiter->borrowed < limiter->tokens) {
		loan_begin(limiter, loan, borrower);
		lend(limiter, loan, soon__task_self());
		return 0;
	}
	if (!can_wait)
		return -EAGAIN;
	loan_begin(limiter, loan, borrower);
	limiter->waiting++;
	return (int)soon__queued_park(&limiter->queue, &self.queued);
}

void soon_limiter_init(soon_limiter *limiter, uint32_t tokens)
{
	*limiter = (soon_limiter)SOON_LIMITER_INIT(tokens);
}

int soon_limiter_acquire_for(soon_limiter *limiter, soon_loan *loan, const void *borrower)
{
	int rc = soon__waitq_checkpoint("limiter_acquire");

	if (rc < 0)
		return rc;
	return acquire(limiter_of(limiter), (struct soon__loan *)loan, borrower, true);
}

int soon_limiter_acquire(soon_limiter *limiter, soon_loan *loan)
{
	return soon_limiter_acquire_for(limiter, loan, soon__task_self());
}

int soon_limiter_try_acquire_for(soon_limiter *limiter, soon_loan *loan, const void *borrower)
{
	return acquire(limiter_of(limiter), (struct soon__loan *)loan, borrower, false);
}

int soon_limiter_try_acquire(soon_limiter *limiter, soon_loan *loan)
{
	soon_task *self = soon__task_self();

	if (!self) {
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_limiter_try_acquire: must be called in a task, or name a borrower");
		return -EPERM;
	}
	return soon_limiter_try_acquire_for(limiter, loan, self);
}

/* Whether the running code may give the loan back. */
static int check_release(const struct soon__limiter *limiter, const struct soon__loan *loan)
{
	const soon_task *self = soon__task_self();

	if (loan->limiter != limiter || !loan->is_lent)
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_limiter_release: task '%s' gives back what was not borrowed here; %s",
			soon_task_name(NULL),
			!loan->limiter                     ? "the loan is not in use"
				: loan->limiter == limiter ? "a task waits with the loan"
							   : "the loan is another limiter's");
	else if (loan->task_id && (loan->borrower != self || loan->task_id != self->id))
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_limiter_release: task '%s' gives back what another task borrowed "
			"for itself, task number %ju of this run",
			soon_task_name(NULL), (uintmax_t)loan->task_id);
	else
		return 0;
	return -EPERM;
}

int soon_limiter_release(soon_limiter *storage, soon_loan *storage_of_loan)
{
	struct soon__limiter *limiter = limiter_of(storage);
	struct soon__loan *loan = (struct soon__loan *)storage_of_loan;
	int rc = enter(limiter, "limiter_release");

	if (rc == 0)
		rc = check_release(limiter, loan);
	if (rc < 0)
		return rc;
	if (loan->task_id) {
		soon_task *self = soon__core->sched.current;

		self->locks_held--;
		if (is_in_frame(loan, self))
			self->frame_loans--;
	}
	loan_end(loan);
	SOON_ASSERT(limiter->borrowed > 0);
	limiter->borrowed--;
	serve(limiter);
	return 0;
}

int soon_limiter_resize(soon_limiter *storage, uint32_t tokens)
{
	struct soon__limiter *limiter = limiter_of(storage);
	int rc = enter(limiter, "limiter_resize");

	if (rc < 0)
		return rc;
	limiter->tokens = tokens;
	serve(limiter);
	return 0;
}

uint32_t soon_limiter_tokens(const soon_limiter *limiter)
{
	const struct soon__limiter *self = (const struct soon__limiter *)limiter;

	return soon__waitq_look(&self->queue, self->borrowed > 0, "limiter_tokens")
		? (uint32_t)self->tokens
		: 0;
}

uint32_t soon_limiter_borrowed(const soon_limiter *limiter)
{
	const struct soon__limiter *self = (const struct soon__limiter *)limiter;

	return soon__waitq_look(&self->queue, self->borrowed > 0, "limiter_borrowed")
		? self->borrowed
		: 0;
}

uint32_t soon_limiter_waiting(const soon_limiter *limiter)
{
	const struct soon__limiter *self = (const struct soon__limiter *)limiter;

	return soon__waitq_look(&self->queue, self->borrowed > 0, "limiter_waiting") ? self->waiting
										     : 0;
}

void soon__loan_left(soon_loan *storage)
{
	const struct soon__loan *loan = (const struct soon__loan *)storage;

	if (loan->limiter)
		(void)soon_limiter_release((soon_limiter *)loan->limiter, storage);
}
