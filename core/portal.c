// SPDX-License-Identifier: Apache-2.0
/*
 * portal.c: portals: a group that threads may call into.
 *
 * `state` counts the calls that were let in and have not reached the core, and says whether any is
 * let in. Who closes takes the count, from then on only falling, as pins of the group, so that the
 * group waits for these calls as for its tasks.
 */
#include <soon/portal.h>

#include "call_in.h"

enum {
	OPEN = 1, /* of `state`; each call is worth CALL */
	CALL = 2,
};

soon_core *soon__portal_core(const soon_portal *portal)
{
	return __atomic_load_n(&portal->soon__core, __ATOMIC_RELAXED);
}

/* Not by adding first: what is refused must not be counted. */
soon_core *soon__portal_enter(soon_portal *portal)
{
	uint64_t seen = __atomic_load_n(&portal->soon__state, __ATOMIC_RELAXED);

	do {
		if (!(seen & OPEN))
			return NULL;
		/* Acquire: pairs with soon__portal_open. */
	} while (!__atomic_compare_exchange_n(&portal->soon__state, &seen, seen + CALL, true,
		__ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return soon__portal_core(portal);
}

struct soon__group *soon__portal_begin(soon_portal *portal)
{
	struct soon__group *group = soon__group_of(&portal->soon__group);

	SOON_ASSERT(group->core == soon__core);
	SOON_ASSERT(group->state != SOON__GROUP_CLOSED);
	return group;
}

void soon__portal_begun(soon_portal *portal)
{
	struct soon__group *group = soon__group_of(&portal->soon__group);
	/* Relaxed: only the core takes it down, and only the core asks what is left. */
	uint64_t before = __atomic_fetch_sub(&portal->soon__state, CALL, __ATOMIC_RELAXED);

	SOON_ASSERT(before >= CALL);
	if (before & OPEN)
		return;
	SOON_ASSERT(group->pins > 0);
	group->pins--;
	soon__group_settle(group);
}

void soon__portal_open(soon_portal *portal, const soon_site *site)
{
	static const soon_group_opts opts = { .policy = SOON_WAIT_ALL };

	if (SOON_UNLIKELY(__atomic_load_n(&portal->soon__state, __ATOMIC_RELAXED) != 0))
		soon_die("soon_portal_open at %s:%d: the portal is open already", site->file,
			site->line);
	soon__group_open(&portal->soon__group, &opts, site);
	/* Relaxed: who is let in acquires it with the state, others only compare it. */
	__atomic_store_n(&portal->soon__core, soon__core, __ATOMIC_RELAXED);
	soon__core->external_count++; /* while it is open, a thread may wake the core */
	/* Release: pairs with soon__portal_enter. */
	__atomic_store_n(&portal->soon__state, OPEN, __ATOMIC_RELEASE);
}

/* Lets nobody in any more. */
static void shut(soon_portal *portal)
{
	struct soon__group *group = soon__group_of(&portal->soon__group);
	uint64_t before =
		__atomic_fetch_and(&portal->soon__state, ~(uint64_t)OPEN, __ATOMIC_RELAXED);

	if (!(before & OPEN))
		return;
	group->pins += (uint32_t)(before / CALL);
	SOON_ASSERT(group->core->external_count > 0);
	group->core->external_count--;
}

ssize_t soon_portal_close(soon_portal *portal, ssize_t rc)
{
	shut(portal);
	return soon_group_close(&portal->soon__group, rc);
}

void soon_portal_cancel(soon_portal *portal, const char *why)
{
	const struct soon__scope *scope = &soon__group_of(&portal->soon__group)->scope;

	if (!scope->is_open || !soon__scope_is_here(scope, "soon_portal_cancel"))
		return;
	shut(portal);
	soon_group_cancel(&portal->soon__group, why);
}

void soon__portal_left(soon_portal *portal)
{
	if (soon__group_of(&portal->soon__group)->state != SOON__GROUP_CLOSED)
		shut(portal);
	soon__group_left(&portal->soon__group);
}

int soon__portal_start(
	soon_portal *portal, soon__fn fn, uint64_t arg, soon_call *storage, const soon_site *site)
{
	struct soon__call *call = soon__call_of(storage);

	soon__call_init(call, NULL, fn, arg, site);
	call->portal = portal;
	return soon__call_launch(call);
}

int soon__portal_call(
	soon_portal *portal, soon__fn fn, uint64_t arg, soon_ns timeout, const soon_site *site)
{
	struct soon__call call;

	soon__call_init(&call, NULL, fn, arg, site);
	call.portal = portal;
	return soon__call_block(&call, timeout);
}
