// SPDX-License-Identifier: Apache-2.0
/* warning.h: what makes figures say something else than they seem to. */
#ifndef SOON_REPORT_WARNING_H
#define SOON_REPORT_WARNING_H

#include "subject.h"

#define WARNING_BYTES 640

/* Is told each, most serious first: what is the matter, in a few words, and what it means. */
typedef void warning_tell(void *user, const char *title, const char *text);

/* Errors: -ENOMEM. */
int warnings_find(const struct report *report, const struct subjects *subjects, warning_tell *tell,
	void *user);

#endif
