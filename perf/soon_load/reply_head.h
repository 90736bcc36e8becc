// SPDX-License-Identifier: Apache-2.0
#ifndef SOON_LOAD_REPLY_HEAD_H
#define SOON_LOAD_REPLY_HEAD_H

#include "reply.h"

/*
 * Parses a whole head, up to and with its empty line: it ends with CR LF CR LF.
 * Returns NULL, or what is the matter, as a static text.
 */
const char *reply_head_parse(
	const char *text, size_t bytes, bool is_for_head_request, struct reply_head *ret_head);

#endif
