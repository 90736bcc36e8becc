// SPDX-License-Identifier: Apache-2.0
/*
 * The requests, built once: a target is one request as it goes over the wire, and what its reply
 * has to be. There is one, or one for each line of a list.
 */
#ifndef SOON_LOAD_TARGET_H
#define SOON_LOAD_TARGET_H

#include "url.h"

#define TARGETS_MAX        100000
#define TARGET_HEADERS_MAX 64u
#define TARGET_WRONG_BYTES 192
#define STATUS_RANGES_MAX  8

/* What requests are built from; texts are lent. */
struct request_opts {
	const char *method;                      /* NULL: GET, or POST with a body */
	const char *headers[TARGET_HEADERS_MAX]; /* "Name: value" */
	unsigned header_count;
	soon_slice body;
	bool has_body;
};

struct target {
	char *request; /* its head, then its body */
	size_t bytes;
	char *last; /* the same with "Connection: close" */
	size_t last_bytes;
	bool is_head;    /* its reply has no body */
	char *name;      /* "GET /path", for messages */
	soon_slice body; /* of the reply, when `has_body` */
	bool has_body;
	bool is_body_ours; /* and to be freed with the target */
};

struct targets {
	struct target *all;
	size_t count;
};

/* Which statuses are right. Zero means 200-299. */
struct statuses {
	struct {
		uint16_t first;
		uint16_t last;
	} ranges[STATUS_RANGES_MAX];
	unsigned count;
};

/* Reads "200,204,300-399". Returns 0 or -EINVAL. */
int statuses_parse(const char *text, struct statuses *ret_statuses);
bool statuses_have(const struct statuses *statuses, unsigned status);

/* Whether "Name: value" can stand in a request, and does not contradict what is built. */
const char *header_wrong(const char *header);

/* Adds the target of `url`. Returns 0, -ENOMEM, or -EINVAL with the reason. */
int targets_add(struct targets *targets, const struct url *url, const struct request_opts *opts,
	char ret_wrong[TARGET_WRONG_BYTES]);

/*
 * Adds one for each line of a list: "[METHOD ]/path" or "[METHOD ]URL" of the same server as `url`;
 * empty lines and those that begin with '#' are passed over. `list` is a text, which is cut up.
 */
int targets_add_list(struct targets *targets, const struct url *url,
	const struct request_opts *opts, char *list, char ret_wrong[TARGET_WRONG_BYTES]);

void targets_free(struct targets *targets);

#endif
