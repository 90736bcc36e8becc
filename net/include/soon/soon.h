// SPDX-License-Identifier: Apache-2.0
/*
 * soon.h: all of soon, in the order to read it.
 */
#ifndef SOON_SOON_H
#define SOON_SOON_H

/* clang-format off: the order is the point */

/* What everything stands on: results, slices, reports, checks, memory. */
#include <soon/assert.h>
#include <soon/base.h>
#include <soon/mem.h>
#include <soon/report.h>

/* Tasks, and how they wait, are cancelled and end together. */
#include <soon/group.h>
#include <soon/scope.h>
#include <soon/task.h>
#include <soon/time.h>

/* Other threads: posts inwards, blocking work outwards. */
#include <soon/thread.h>

/* Streams over sockets, and serving them. */
#include <soon/addr.h>
#include <soon/listener.h>
#include <soon/service.h>
#include <soon/stream.h>

/* clang-format on */

#endif
