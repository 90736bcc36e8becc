// SPDX-License-Identifier: Apache-2.0
/* The addresses that connections come from: more of them have more ports and are more clients. */
#ifndef SOON_LOAD_SOURCES_H
#define SOON_LOAD_SOURCES_H

#include <soon/addr.h>

#define SOURCES_MAX         65536
#define SOURCES_WRONG_BYTES 160

struct sources {
	soon_addr *addrs; /* with port 0 */
	size_t count;     /* 0: the kernel chooses */
};

/*
 * Reads "127.0.0.2,127.0.0.10-127.0.0.20,10.1.0.0/24,[::1]" and adds what it says. A range and a
 * network are IPv4; a network is without its first and last address, unless it has two or one.
 * Returns 0, -ENOMEM, or -EINVAL with the reason in `ret_wrong`: nothing was added.
 */
int sources_parse(const char *text, struct sources *sources, char ret_wrong[SOURCES_WRONG_BYTES]);

void sources_free(struct sources *sources);

#endif
