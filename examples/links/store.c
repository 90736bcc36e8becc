// SPDX-License-Identifier: Apache-2.0
/*
 * One statement at a time, from its start to its end: of several on one connection, SQLite commits
 * none before all are done. WAL with synchronous=FULL: what is committed survives a power cut. So
 * a link that a client was told about is there.
 */
#include "store.h"

#include <string.h>
#include <sys/random.h>

static int failed(struct store *store, const char *doing)
{
	soon_report_file(SOON_REPORT_WARNING, -EIO, "%s: %s", doing, sqlite3_errmsg(store->db));
	return -EIO;
}

int store_open(struct store *store)
{
	static const char setup[] =
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;"
		"CREATE TABLE IF NOT EXISTS links ("
		"code TEXT PRIMARY KEY, url TEXT NOT NULL, clicks INTEGER NOT NULL DEFAULT 0)";

	if (sqlite3_open(store->path, &store->db) != SQLITE_OK ||
		sqlite3_exec(store->db, setup, NULL, NULL, NULL) != SQLITE_OK)
		return failed(store, store->path);
	return 0;
}

int store_query(struct query *query)
{
	sqlite3_mutex *lock = sqlite3_db_mutex(query->store->db);
	sqlite3_stmt *statement = NULL; /* and stays so if the text is wrong, which step tells */
	int rc;

	query->rows = json_array();
	sqlite3_mutex_enter(lock);
	(void)sqlite3_prepare_v2(query->store->db, query->sql, -1, &statement, NULL);
	(void)sqlite3_bind_text(statement, 1, query->code, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(statement, 2, query->url, -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		(void)json_array_append_new(query->rows,
			json_pack("{s:s, s:s, s:I}", "code", sqlite3_column_text(statement, 0),
				"url", sqlite3_column_text(statement, 1), "clicks",
				(json_int_t)sqlite3_column_int64(statement, 2)));
	(void)sqlite3_finalize(statement);
	rc = rc == SQLITE_DONE ? 0 : failed(query->store, query->sql);
	sqlite3_mutex_leave(lock);
	return rc;
}

/* http or https, a host, and nothing that could end a header line. */
static bool is_url(const char *url)
{
	size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : 7;

	if (strlen(url) > URL_BYTES_MAX || (scheme == 7 && strncmp(url, "http://", 7) != 0))
		return false;
	for (const char *c = url; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	return strcspn(url + scheme, "/?#:@") > 0;
}

static int insert(struct query *query)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	char code[8] = "";
	int rc;

	query->code = code;
	query->sql = "INSERT INTO links (code, url) VALUES (?1, ?2) ON CONFLICT DO NOTHING "
		     "RETURNING code, url, clicks";
	do {
		json_decref(query->rows);
		if (getrandom(code, sizeof code - 1, 0) != (ssize_t)sizeof code - 1)
			return -EIO;
		for (size_t i = 0; i < sizeof code - 1; i++)
			code[i] = letters[code[i] & 63];
		rc = store_query(query);
	} while (rc == 0 && json_array_size(query->rows) == 0); /* the code was taken */
	return rc;
}

/* Parses here, not in the handler: jansson recurses, and its limit is beyond a task's stack. */
int store_create(struct query *query)
{
	json_t *json = json_loadb(query->json.ptr, query->json.len, 0, NULL);
	int rc;

	if (!query->url)
		query->url = json_string_value(json_object_get(json, "url"));
	rc = !query->url ? 400 : !is_url(query->url) ? 422 : insert(query);
	json_decref(json);
	return rc;
}
