// SPDX-License-Identifier: Apache-2.0
/* What the command line says and the plan has in another form. */
#ifndef SOON_LOAD_SETTINGS_H
#define SOON_LOAD_SETTINGS_H

#include "plan.h"

struct settings {
	struct plan *plan;
	struct request_opts request;
	const char *header_file;
	const char *body;
	const char *body_file;
	const char *urls_file;
	const char *expect_body;
	const char *expect_file;
	bool has_warmup;
};

/* Reads the files, builds the requests, and sees to it that all fits together; as options_parse. */
void settings_apply(struct settings *settings);

#endif
