// SPDX-License-Identifier: Apache-2.0
#include "sigmask.h"

#include "capture.h"

#include <stddef.h>

void soon__sigmask_block(unsigned open, sigset_t *ret_before)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t all;

	(void)sigfillset(&all);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		(void)sigdelset(&all, faults[i]);
	if (open & SOON__OPEN_CAPTURE)
		(void)sigdelset(&all, SOON__CAPTURE_SIGNAL);
	if (open & SOON__OPEN_DUMP)
		(void)sigdelset(&all, SIGQUIT);
	(void)pthread_sigmask(SIG_BLOCK, &all, ret_before);
}

void soon__sigmask_restore(const sigset_t *before)
{
	(void)pthread_sigmask(SIG_SETMASK, before, NULL);
}
