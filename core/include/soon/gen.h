// SPDX-License-Identifier: Apache-2.0
/*
 * gen.h: generators: functions that hand out one item after the other.
 *
 * A generator is a task with its own stack whose body runs only while somebody waits in soon_next()
 * for an item. So it may sleep, read and call as any task does, emit from any depth, and never runs
 * ahead of its consumer. While it is advanced, the consumer's deadlines and cancels hold for it.
 *
 *	SOON_GEN(countdown, int, int from)
 *	{
 *		for (int i = from; i > 0; i--) {
 *			int rc = soon_emit(&i);
 *			if (rc < 0)
 *				return rc;
 *		}
 *		return 0;
 *	}
 *
 *	SOON_ITER(it, countdown, 3);
 *	int n, rc;
 *	while ((rc = soon_next(it, &n)) > 0)
 *		use(n);
 *
 * SOON_ITER closes the generator when its block is left, in the reverse order of declaration: then
 * soon_emit() and all that suspends fails in the body, which unwinds by returning.
 *
 * The argument is lent, never given: a generator that nobody advanced does not run at all.
 */
#ifndef SOON_GEN_H
#define SOON_GEN_H

#include <soon/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One generator. Its memory is on its own stack, and gone with the close. */
typedef SOON__HANDLE struct soon_gen soon_gen;

/* A consumer's hold on a generator; NAME_iter has one and knows the type of the items. */
typedef struct soon_iter {
	soon_gen *soon__gen; /* NULL: never opened, refused, or closed */
	int soon__rc;        /* while that is NULL: what soon_next gives */
} soon_iter;

/*
 * Defines a generator of items of a type, with one parameter, a pointer or an integer of at most 8
 * bytes: SOON_GEN(lines, struct line, soon_stream *conn) { ... }. The body returns 0 at its end, or
 * a negative errno. The type's name must make a pointer when a * is added.
 */
#define SOON_GEN(name, item_type, param)                                                           \
	SOON__GEN_TYPES(name, item_type, param);                                                   \
	static int name(param, SOON_OUT(item_type)) SOON_SUSPENDS;                                 \
	static int name(param, SOON_OUT(item_type))

/* The same in two parts: what others need to know, and the body, which has external linkage. */
#define SOON_GEN_DECLARE(name, item_type, param)                                                   \
	SOON__GEN_TYPES(name, item_type, param);                                                   \
	int name(param, SOON_OUT(item_type)) SOON_SUSPENDS
#define SOON_GEN_DEFINE(name, item_type, param) int name(param, SOON_OUT(item_type))

#define SOON__GEN_TYPES(name, item_type, param)                                                    \
	typedef int name##_soon_body(param);                                                       \
	typedef union name##_iter {                                                                \
		soon_iter soon__iter;                                                              \
		item_type *soon__item; /* never set: it is here for its type */                    \
	} name##_iter

/*
 * The last parameter of a function that emits on a generator's behalf; it is passed on by the name
 * soon_out: static int walk(const struct node *node, SOON_OUT(int)), walk(node->left, soon_out).
 */
#define SOON_OUT(item_type) item_type *const *soon_out __attribute__((unused))

SOON_API void soon__iter_open(soon_iter *iter, soon__fn fn, uint64_t arg, size_t item_bytes,
	const soon_site *site) SOON_ON_CORE;
SOON_API void soon__iter_left(void *iter);
SOON_API SOON_NODISCARD int soon__iter_next(soon_iter *iter, void *ret_item) SOON_SUSPENDS;
SOON_API SOON_NODISCARD int soon__iter_close(soon_iter *iter) SOON_SUSPENDS;
SOON_API SOON_NODISCARD int soon__emit(const void *out, const void *item) SOON_SUSPENDS;

static inline SOON_NODISCARD int soon__iter_opened(const soon_iter *iter)
{
	return iter->soon__gen ? 0 : iter->soon__rc;
}

/*
 * Declares the iterator `it` of type NAME_iter, opens the generator, and closes it when the block
 * is left; a failure of the body that comes only then is reported. When it cannot be opened, the
 * first soon_next() says why, with the errors of soon_gen_open.
 * Affinity: core, in a task. Suspends: never; at the end of the block, as soon_gen_close.
 */
#define SOON_ITER(it, name, arg)                                                                   \
	name##_iter it __attribute__((cleanup(soon__iter_left)));                                  \
	SOON__ITER_OPEN(it, name, arg)
#define SOON__ITER_OPEN(it, name, arg)                                                             \
	do {                                                                                       \
		SOON__SITE(#name);                                                                 \
		soon__iter_open(&(it).soon__iter, (soon__fn)(name),                                \
			SOON__WORD((name##_soon_body *)0, arg), sizeof *(it).soon__item,           \
			&soon__site);                                                              \
	} while (0)

/*
 * Opens a generator on an iterator of type NAME_iter, for what SOON_ITER cannot express. The body
 * does not run before the first soon_next(). Whoever opens closes, by soon_gen_close(); a task that
 * ends with generators open has them closed, the newest first, with a report for each.
 * Affinity: core, in a task. Suspends: never.
 * Ownership: `arg` is lent until the close, on success only.
 * Errors: -EAGAIN tasks_max is reached. -ENOMEM no stack. -EPERM not in a task.
 * Cost: that of a spawn.
 */
#define soon_gen_open(it, name, arg)                                                               \
	soon__used(__extension__({                                                                 \
		SOON__ITER_OPEN(it, name, arg);                                                    \
		soon__iter_opened(&(it).soon__iter);                                               \
	}))

/*
 * Runs the generator until it emits, and copies the item to `*ret_item`. Any task of the core may
 * call it, one at a time.
 * Affinity: core, in a task. Suspends: may, until the body emits or returns.
 * Cancel: cancellation point on entry: then the body is not run. After that the cancel reaches the
 * body's own waits, and it is the body that ends the call: an item emitted all the same is
 * delivered, and the next suspending call fails. A body cut short has ended for good.
 * Null: `ret_item` when the item is not wanted.
 * Returns: 1 with an item; 0 at the end, and ever after.
 * Errors: what the body returned, once, then 0. -ECANCELED. -ESHUTDOWN it is closed. -EBUSY another
 * task advances or closes it. -EDEADLK called by its own body, or by one that this one advances.
 * -EPERM not in a task, or another core's generator. -EIO the body returned -ECANCELED although
 * nobody was cancelled. What open failed with, once. Misuse is reported, too.
 */
#define soon_next(it, ret_item)                                                                    \
	soon__used(__extension__({                                                                 \
		__typeof__(*(it).soon__item) *soon__ret = (ret_item);                              \
		soon__iter_next(&(it).soon__iter, soon__ret);                                      \
	}))

/*
 * Hands `*item` to the consumer and waits until it asks for the next one. The item is copied before
 * the call suspends. To be called by the body's task only, in functions with SOON_OUT.
 * Affinity: core, in a generator. Suspends: always, until the next soon_next or the close.
 * Cancel: fails when the generator is closed; a cancel of the consumer does not keep an item from
 * it.
 * Errors: -ECANCELED the generator is being closed: return. -EPROTO a scope or group that was
 * opened in the generator is open, so that its deadline or its tasks would go on in the consumer's
 * time; or it emits again after that -ECANCELED, which aborts the second time where debugging is
 * on. -EPERM not in the generator's task. All but the first are reported.
 */
#define soon_emit(...)                                                                             \
	soon__used(__extension__({                                                                 \
		const __typeof__(**soon_out) *soon__item = (__VA_ARGS__);                          \
		soon__emit(soon_out, soon__item);                                                  \
	}))

/*
 * Ends a generator: a body that has begun is resumed with soon_emit() and every suspending call
 * failing, until it returns; its argument is the caller's again. Closing twice changes nothing.
 * Affinity: core, in a task. Suspends: may, until the body returned: what it waits for shielded.
 * Cancel: not a cancellation point; works in a cancelled scope.
 * Returns: 0, also when the body returned -ECANCELED or had ended before.
 * Errors: the body's failure. -EBUSY another task advances or closes it. -EDEADLK called by the
 * body. -EPERM not in a task, or another core's generator. After the latter three it is open, and
 * they are reported.
 */
#define soon_gen_close(it) soon__used(soon__iter_close(&(it).soon__iter))

#ifdef __cplusplus
}
#endif

#endif
