// SPDX-License-Identifier: Apache-2.0
/* Blocking calls in a file that asked to be told of them. */
/* clang-format off */
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <soon/soon.h>

#include <soon/poison.h> /* stays the last */
/* clang-format on */

int task(void *unused);
int task(void *unused)
{
	(void)unused;
#ifdef SLEEP /* warns: attempt to use poisoned "sleep" */
	sleep(1);
#endif
#ifdef POLL /* warns: attempt to use poisoned "poll" */
	poll(NULL, 0, 1);
#endif
#ifdef LOOKUP /* warns: attempt to use poisoned "getaddrinfo" */
	getaddrinfo("localhost", NULL, NULL, NULL);
#endif
#ifdef SHELL /* warns: attempt to use poisoned "system" */
	(void)!system("true");
#endif
	return soon_sleep(1);
}
