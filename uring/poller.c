// SPDX-License-Identifier: Apache-2.0
/* Which back end a core gets: what the program asks for, else the environment's SOON_IO. */
#include "ring.h"

#include <stdlib.h>
#include <string.h>

static int choose(const soon_opts *opts, soon_io *ret_io)
{
	const char *text = getenv("SOON_IO");
	soon_io io = opts != NULL ? opts->io : SOON_IO_AUTO;

	if (io == SOON_IO_AUTO && text != NULL && *text != '\0') {
		if (strcmp(text, "uring") == 0) {
			io = SOON_IO_URING;
		} else if (strcmp(text, "epoll") == 0) {
			io = SOON_IO_EPOLL;
		} else if (strcmp(text, "auto") != 0) {
			soon_report_file(SOON_REPORT_ERROR, -EINVAL,
				"SOON_IO is '%s'; it can be auto, uring or epoll", text);
			return -EINVAL;
		}
	}
	*ret_io = io;
	return 0;
}

int soon__poller_open(const soon_opts *opts, soon_core *core, struct soon__poller **ret_poller)
{
	soon_io io;
	int rc = choose(opts, &io);

	if (rc < 0)
		return rc;
	if (io == SOON_IO_EPOLL) {
		soon_report_file(SOON_REPORT_ERROR, -EOPNOTSUPP,
			"this version has no epoll back end, only io_uring");
		return -EOPNOTSUPP;
	}
	return soon__ring_open(core, opts->grace, ret_poller);
}
