// SPDX-License-Identifier: Apache-2.0
/*
 * judge.h: what the fields of a complete head mean for the connection: framing, persistence,
 * expectations, and where the target points. Two readings are never weighed against each other:
 * whatever is ambiguous is refused.
 */
#ifndef NET_HTTP1_JUDGE_H
#define NET_HTTP1_JUDGE_H

#include "http1/head.h"

/* Returns 0, or the status of the refusal. `base` is where the head lies. */
int soon__http_judge(struct soon__http_head *head, const char *base);

/* Returns whether `host` is host[:port] as a Host field may have it. */
bool soon__http_host_is_valid(soon_slice host);

#endif
