// SPDX-License-Identifier: Apache-2.0
/* inherit.h: what a process is told by the one that started it, private to net/. */
#ifndef NET_INHERIT_H
#define NET_INHERIT_H

#include <soon/base.h>

/*
 * "LINK,FILE,FILE...", numbers of descriptors. LINK is a socket between a new process and the one
 * that hands over to it. The new one says SOON__HANDOVER_READY; the old one answers
 * SOON__HANDOVER_GO. Before that the new one accepts nothing, so that the old one can still end it
 * and nobody notices. An old one that died has no objection: the end of the stream is an answer,
 * too. The FILEs are unix sockets whose file is ours to remove, and not the service manager's.
 */
#define SOON__HANDOVER_VARIABLE "SOON_HANDOVER"
#define SOON__HANDOVER_READY    "1"
#define SOON__HANDOVER_GO       "2"

/*
 * Tells the old process, if there is one, that this one is ready, and closes what it was handed and
 * does not listen on, after a report: nobody would answer there.
 * Affinity: any. Suspends: never. Returns: 1: told; 0: there is nobody to tell.
 */
int soon__takeover_say_ready(void);

/*
 * Whether this process may use what it was handed, once and for all; true where nobody handed it
 * anything. Affinity: any. Suspends: never.
 */
bool soon__takeover_is_done(void);

/* Waits until it is. Errors: -ECANCELED. */
SOON_NODISCARD int soon__takeover_wait(void) SOON_SUSPENDS;

#endif
