// SPDX-License-Identifier: Apache-2.0
/*
 * store.h: the links in SQLite. Its functions block, so each is called through soon_offload(), on a
 * thread, while the core serves others. They return 0 or -EIO; what SQLite said goes to the log.
 */
#ifndef LINKS_STORE_H
#define LINKS_STORE_H

#include <soon/soon.h>

#include <jansson.h>
#include <sqlite3.h>

#define URL_BYTES_MAX 2048

struct store {
	const char *path;
	sqlite3 *db;
};

/* One statement; its `rows` are objects with code, url and clicks, and the caller's to release. */
struct query {
	struct store *store;
	const char *sql;
	const char *code, *url; /* ?1 and ?2 of the statement, NULL without */
	json_t *rows;
	soon_slice json; /* for store_create, where the URL is not known: {"url": "https://..."} */
};

int store_open(struct store *store);
int store_query(struct query *query);
int store_create(struct query *query); /* or an HTTP status: what is wrong with the request */

#endif
