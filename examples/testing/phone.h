// SPDX-License-Identifier: Apache-2.0
/* phone.h: a service that answers each line, a name, with a number. Small, to show how to test. */
#ifndef PHONE_H
#define PHONE_H

#include <soon/soon.h>

struct phone {
	unsigned answered, busy; /* lines */
};

/* One connection. Ends when the client does, or when it says nothing for 30 s. */
struct call {
	soon_stream *conn;
	struct phone *phone;
};
int phone_serve(struct call *call);

/* Finds a number, in directory.c; -ENOENT if there is none. Takes its time. */
int directory_find(const char *name, char *ret_number, size_t bytes);

#endif
