// SPDX-License-Identifier: Apache-2.0
/* errtext.h: what an errno means, in a form that every thread and task may ask for. */
#ifndef NET_ERRTEXT_H
#define NET_ERRTEXT_H

#include <string.h>

/* Returns a static text for a negative errno. */
static inline const char *soon__error_text(int rc)
{
	const char *text = strerrordesc_np(-rc);

	return text != NULL ? text : "unknown error";
}

#endif
