// SPDX-License-Identifier: Apache-2.0
/*
 * Which back end a core gets: what the program asks for, else the environment's SOON_IO, else what
 * the kernel grants. The last is found out once per process: all cores of all runs have the same.
 */
#include <soon/io.h>

#include "epoll.h"
#include "probe.h"
#include "ring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What trying io_uring gave: 0 not tried yet, 1 it is there, or the errno of the refusal. */
static atomic_int granted;

static const char by_program[] = "the program asked for it";
static const char by_environment[] = "the environment's SOON_IO asked for it";

static int choose(const soon_opts *opts, soon_io *ret_io, const char **ret_why)
{
	const char *text = getenv("SOON_IO");

	*ret_io = opts != NULL ? opts->io : SOON_IO_AUTO;
	*ret_why = by_program;
	if (*ret_io != SOON_IO_AUTO || text == NULL || *text == '\0')
		return 0;
	*ret_why = by_environment;
	if (strcmp(text, "uring") == 0) {
		*ret_io = SOON_IO_URING;
	} else if (strcmp(text, "epoll") == 0) {
		*ret_io = SOON_IO_EPOLL;
	} else if (strcmp(text, "auto") != 0) {
		soon_report_file(SOON_REPORT_ERROR, -EINVAL,
			"SOON_IO is '%s'; it can be auto, uring or epoll", text);
		return -EINVAL;
	}
	return 0;
}

static const char *refusal_text(int rc)
{
	switch (-rc) {
	case EPERM:
		return "io_uring is forbidden here (EPERM)";
	case ENOSYS:
		return "io_uring is not there (ENOSYS)";
	case EACCES:
		return "io_uring is refused here (EACCES)";
	case EOPNOTSUPP:
		return "io_uring is refused here, or too old (EOPNOTSUPP)";
	default:
		return "io_uring is too old here";
	}
}

/* Relaxed: the number is all there is. Of two threads that try at a time, the first decides. */
static int open_granted(const soon_opts *opts, soon_core *core, struct soon__poller **ret_poller)
{
	int known = atomic_load_explicit(&granted, memory_order_relaxed);
	int rc = known;

	if (known >= 0)
		rc = soon__ring_open(
			opts, core, "io_uring is granted here", known == 0, ret_poller);
	if (known == 0 && (rc == 0 || soon__probe_is_refusal(rc)))
		(void)atomic_compare_exchange_strong_explicit(&granted, &known, rc == 0 ? 1 : rc,
			memory_order_relaxed, memory_order_relaxed);
	if (known > 0 || !soon__probe_is_refusal(rc))
		return rc;
	return soon__epoll_open(core, refusal_text(rc), ret_poller);
}

int soon__poller_open(const soon_opts *opts, soon_core *core, struct soon__poller **ret_poller)
{
	const char *why;
	soon_io io;
	int rc = choose(opts, &io, &why);

	if (rc < 0)
		return rc;
	switch (io) {
	case SOON_IO_AUTO:
		return open_granted(opts, core, ret_poller);
	case SOON_IO_URING:
		return soon__ring_open(opts, core, why, false, ret_poller);
	case SOON_IO_EPOLL:
		rc = soon__epoll_open(core, why, ret_poller);
		if (rc == 0)
			soon_report_file(SOON_REPORT_INFO, 0, "epoll is used: %s", why);
		return rc;
	}
	return -EINVAL;
}

soon_io soon_io_backend(const char **ret_why)
{
	const struct soon__poller *poller = soon__poller_or_null();
	const struct soon__io *io = poller != NULL ? poller->io : NULL;

	if (ret_why != NULL)
		*ret_why = io != NULL && io->why != NULL ? io->why : "there is no back end";
	return io != NULL ? io->backend : SOON_IO_AUTO;
}
