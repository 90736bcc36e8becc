// SPDX-License-Identifier: Apache-2.0
/* What can go wrong with a request, by kind; and the exit codes of the program. */
#ifndef SOON_LOAD_FAULT_H
#define SOON_LOAD_FAULT_H

#include <soon/base.h>

enum fault {
	FAULT_REFUSED, /* nobody listens */
	FAULT_CONNECT, /* no connection for another reason, or not in time */
	FAULT_TLS,     /* the handshake failed */
	FAULT_RESET,   /* the server broke the connection */
	FAULT_CLOSED,  /* the server ended it before the reply was whole */
	FAULT_TIMEOUT, /* no whole reply in time */
	FAULT_STATUS,  /* a whole reply with another status than expected */
	FAULT_FRAMING, /* bytes that are no HTTP/1.1 reply */
	FAULT_BODY,    /* a whole reply with another body than expected */
	FAULT_COUNT,
};

enum {
	EXIT_DONE = 0,
	EXIT_FAULTS = 1,      /* it ran, and requests failed */
	EXIT_USAGE = 2,       /* the command line, or a file that it names */
	EXIT_UNREACHABLE = 3, /* it could not begin: no name, no connection, no TLS */
	EXIT_RESOURCES = 4,   /* out of descriptors, ports or memory here */
	EXIT_RESULT = 5,      /* a result file cannot be read or written */
	EXIT_THRESHOLD = 99,  /* a --fail-if holds */
	EXIT_INTERRUPTED = 130,
};

/* "refused", "timeout", ...: in reports and result files. */
const char *fault_name(enum fault fault);

/* The kind that a failed connect, or an established connection's error, belongs to. */
enum fault fault_of_connect(int rc);
enum fault fault_of_stream(int rc);

/*
 * Whether it is this machine that has run out of something, so that going on would measure nothing.
 * `ret_advice` gets what it is and what to do.
 */
bool fault_is_ours(int rc, const char **ret_advice);

/* The exit code for a run that could not begin, or was broken off, with `rc`. */
int fault_exit(int rc);

#endif
