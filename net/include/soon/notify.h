// SPDX-License-Identifier: Apache-2.0
/*
 * notify.h: telling the service manager how this process is, by the protocol of sd_notify(3).
 *
 *	int rc = soon_listen("systemd:web", NULL, &l);
 *	if (rc == 0)
 *		rc = soon_notify_watchdog();
 *	if (rc >= 0)
 *		rc = soon_notify_ready();
 *
 * systemd sets NOTIFY_SOCKET for units with Type=notify or notify-reload, and WATCHDOG_USEC for
 * those with WatchdogSec=. Without these nothing is sent and nothing fails, so a service calls
 * them wherever it runs. libsystemd is not needed.
 *
 * All calls but the watchdog's: Affinity: core, in a task. Suspends: only while the manager's queue
 * is full, for 5 s at most. Cancel: not a cancellation point.
 * Returns: 1: sent; 0: there is nobody to tell.
 * Errors: after a report that names the socket and what to do: -ENOENT, -ECONNREFUSED it is not
 * there; -EACCES, -EPERM it may not be used; -ETIMEDOUT its queue stayed full; -EAFNOSUPPORT
 * NOTIFY_SOCKET is neither a path nor "@name"; -EMFILE, -ENFILE; others of sendmsg(2).
 */
#ifndef SOON_NOTIFY_H
#define SOON_NOTIFY_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOON_NOTIFY_STATUS_BYTES 256 /* of a status, its end included; cut beyond */
#define SOON_NOTIFY_FDS_MAX      16  /* descriptors in one message */

/*
 * Sends lines as they are: "NAME=value\nNAME=value". For what has no function of its own here:
 * MAINPID=, EXTEND_TIMEOUT_USEC=, ERRNO=, WATCHDOG=trigger.
 * Ownership: borrows `lines` until return. Errors: also -EMSGSIZE too long. See: sd_notify(3).
 */
SOON_API SOON_NODISCARD int soon_notify(const char *lines) SOON_SUSPENDS;

/*
 * Likewise with descriptors, of which the receiver gets copies: for
 * "FDSTORE=1\nFDNAME=name", which has the manager keep them for the next start; see "systemd:name"
 * in soon_listen(). The unit has to say FileDescriptorStoreMax=.
 * Errors: also -EINVAL more than SOON_NOTIFY_FDS_MAX. -EBADF one is none.
 */
SOON_API SOON_NODISCARD int soon_notify_fds(const char *lines, const int *fds, unsigned fds_count)
	SOON_SUSPENDS;

/*
 * READY=1: the service has started, or has reloaded. Also tells the process that handed listeners
 * over to this one, see <soon/handover.h>; listeners of their names are to be there by then, as
 * what was handed over and nobody listens on is closed, with a report.
 */
SOON_API SOON_NODISCARD int soon_notify_ready(void) SOON_SUSPENDS;

/* RELOADING=1 with the time; soon_notify_ready() ends it. */
SOON_API SOON_NODISCARD int soon_notify_reloading(void) SOON_SUSPENDS;

/* STOPPING=1: the drain has begun. */
SOON_API SOON_NODISCARD int soon_notify_stopping(void) SOON_SUSPENDS;

/* STATUS=: a line for people, which `systemctl status` shows. Control characters become spaces. */
SOON_API SOON_NODISCARD int soon_notify_status(const char *fmt, ...) SOON_PRINTF(1, 2)
	SOON_SUSPENDS;

/*
 * Starts the keep-alive that WatchdogSec= asks for: a background task sends WATCHDOG=1 now and
 * twice in that time, each time only after every core that runs has run a task. A core that is
 * stuck is told of in a report, no keep-alive is sent, and the manager ends the process. A failure
 * to send is reported, and tried again.
 * Affinity: core, in a task; once. Suspends: never.
 * Returns: 1: started; 0: nobody asked for it (no WATCHDOG_USEC, or WATCHDOG_PID is another's).
 * Errors: those of soon_background(). -EINVAL WATCHDOG_USEC is no time, after a report.
 */
SOON_API SOON_NODISCARD int soon_notify_watchdog(void) SOON_ON_CORE;

#ifdef __cplusplus
}
#endif

#endif
