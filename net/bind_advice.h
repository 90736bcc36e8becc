// SPDX-License-Identifier: Apache-2.0
/* bind_advice.h: what to do when a socket cannot be bound, private to net/. */
#ifndef NET_BIND_ADVICE_H
#define NET_BIND_ADVICE_H

#include <soon/base.h>

/*
 * Returns the likely cause and the cure, a static text, of a failure to make, bind or listen on a
 * socket of that family (AF_INET, ...) and type (SOCK_STREAM or SOCK_DGRAM).
 */
const char *soon__bind_advice(int rc, int family, int type);

#endif
