// SPDX-License-Identifier: Apache-2.0
/*
 * call_in.h: the record of a call from elsewhere, which lies with the caller.
 *
 * It is lent to the core until its result is given, and the core may have it in up to three places:
 * as a task with an end hook, and in the inbox as a callback that cancels or drains that task. So
 * `owed` counts these, and whoever ends the last one gives the result. A bit beside the count says
 * that a cancel (a drain) was asked for, which happens once, and not when nothing is owed any more.
 */
#ifndef CORE_CALL_IN_H
#define CORE_CALL_IN_H

#include <soon/calls.h>
#include <soon/portal.h>

#include "core.h"

#include <stdatomic.h>

enum {
	SOON__CALL_CANCEL = 1u << 8, /* in `owed`, beside the count below */
	SOON__CALL_DRAIN = 1u << 9,
	SOON__CALL_COUNT = 0xffu,
};

/* Lies in a soon_call, or in the frame of soon_call_on(). */
struct __attribute__((may_alias)) soon__call {
	soon_callback begin, cancel, drain; /* to `core` */
	soon_core *core;                    /* through a portal: set when that lets it in */
	soon__fn fn;
	uint64_t arg;
	const soon_site *site;
	soon_portal *portal; /* that it came through, NULL for none */

	/* The core's, until the result is given. */
	struct soon__end_hook hook;
	soon_task *task;   /* while it lives */
	bool is_cancelled; /* by `cancel`, maybe before the task is there */
	bool is_draining;  /* by `drain`, likewise */
	bool is_cut;       /* its task has ended by one of these */
	int rc;
	char message[SOON_FAILURE_TEXT_BYTES]; /* empty: none */

	_Atomic(uint32_t) owed;
	void (*give)(struct soon__call *call); /* gives the result; on any thread */
	soon_future result;                    /* for give_to_future */
};

static inline struct soon__call *soon__call_of(soon_call *call)
{
	return (struct soon__call *)call;
}

/* Fills it in; what belongs to a core that has it is set when that begins. */
void soon__call_init(
	struct soon__call *call, soon_core *core, soon__fn fn, uint64_t arg, const soon_site *site);

/* Hands it to its core: 0; -ESHUTDOWN, and then nothing was lent. */
int soon__call_post(struct soon__call *call);

/* Asks for a cancel or a drain, once; nothing when the result is about to be given. */
void soon__call_ask(struct soon__call *call, uint32_t what);

/* Hands it to its core, the result to come in `result`. As soon__call_post(). */
int soon__call_launch(struct soon__call *call);

/* The blocking form for a call that is filled in: posts, waits, on a timeout cancels and waits. */
int soon__call_block(struct soon__call *call, soon_ns timeout);

/* In a task: posts, and waits parked. */
int soon__call_park(struct soon__call *call) SOON_SUSPENDS;

/* portal.c: lets a call in and gives the core to post it to; NULL when the portal is closed. */
soon_core *soon__portal_enter(soon_portal *portal);

/* portal.c: the core it is or was open on, NULL for none. */
soon_core *soon__portal_core(const soon_portal *portal);

/* portal.c: a call through it has reached the core: where its task goes. */
struct soon__group *soon__portal_begin(soon_portal *portal);

/* portal.c: the task of a call that got in is made, or could not be. */
void soon__portal_begun(soon_portal *portal);

#endif
