// SPDX-License-Identifier: Apache-2.0
/*
 * soon.h: all of soon, in the order to read it, which is why the formatter is kept away.
 */
#ifndef SOON_SOON_H
#define SOON_SOON_H

/* clang-format off */

/* What everything stands on: results, slices, reports, checks, memory. */
#include <soon/base.h>
#include <soon/report.h>
#include <soon/assert.h>
#include <soon/mem.h>

/* Tasks, and how they wait, are cancelled and end together. */
#include <soon/time.h>
#include <soon/task.h>
#include <soon/scope.h>
#include <soon/group.h>
#include <soon/supervise.h>
#include <soon/start.h>

/* Waiting for one another. */
#include <soon/mutex.h>
#include <soon/rwlock.h>
#include <soon/sem.h>
#include <soon/event.h>
#include <soon/handshake.h>
#include <soon/herd.h>
#include <soon/gen.h>
#include <soon/local.h>

/* Handing items on, and waiting for one of several. */
#include <soon/chan.h>

/* What all tasks are doing, as text; who keeps the others waiting; log lines. */
#include <soon/dump.h>
#include <soon/debug.h>
#include <soon/log.h>

/* Other threads: posts inwards, blocking work outwards, results for both. */
#include <soon/thread.h>
#include <soon/cores.h>
#include <soon/offload.h>
#include <soon/future.h>
#include <soon/calls.h>
#include <soon/portal.h>

/* Files, sockets and signals. */
#include <soon/io.h>
#include <soon/io_features.h>
#include <soon/file.h>
#include <soon/dir.h>
#include <soon/watch.h>
#include <soon/signal.h>

/* Streams over sockets, and serving them. */
#include <soon/addr.h>
#include <soon/resolve.h>
#include <soon/stream.h>
#include <soon/listener.h>
#include <soon/tls.h>
#include <soon/service.h>
#include <soon/notify.h>
#include <soon/handover.h>

/* Datagrams; descriptors in messages, and who the peer is; options of sockets. */
#include <soon/dgram.h>
#include <soon/unix.h>
#include <soon/sockopt.h>

/* Other programs, as processes under this one. */
#include <soon/proc.h>
#include <soon/procpool.h>

/* HTTP/1.1; not in a library that was built without its parser. */
#if __has_include(<soon/http.h>)
#include <soon/http.h>
#endif

/* For gcc's analyser: what is opened has to be closed. */
#ifdef SOON_CHECK_PAIRING
#include <soon/pairing.h>
#endif

/* Not here, as it has to come after all others: <soon/poison.h>, against calls that block. */

/* clang-format on */

#endif
