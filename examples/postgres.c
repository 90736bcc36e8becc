// SPDX-License-Identifier: Apache-2.0
/*
 * postgres.c: a foreign library in tasks: libpq, which talks to PostgreSQL, waits where soon waits.
 * Statements have deadlines, a cancel reaches the server, and a few connections serve many tasks.
 *
 *	example_postgres HOST:PORT|/DIRECTORY [SQL]
 *
 * HOST is a name or an address; /DIRECTORY holds a unix socket. Everything else is from PGUSER,
 * PGDATABASE, PGPASSWORD, PGPORT and so on, as for each program with libpq. With SQL it runs that
 * statement, without it shows what there is. See docs/guide/files-pipes-and-foreign-libraries.md.
 */
#include <soon/soon.h>

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNS_MAX 4

/* ---- one connection ---------------------------------------------------------------------- */

/* What libpq says of a failure: its first line, as the failure of this task. */
static int fail_as(int rc, const char *text)
{
	return soon_fail(rc, "%.*s", (int)strcspn(text, "\n"), text);
}

static int lost(PGconn *db)
{
	return fail_as(-ECONNRESET, PQerrorMessage(db));
}

struct start {
	const char *host; /* what a certificate is checked for; or the directory */
	const char *hostaddr, *port;
	PGconn *db;
	PostgresPollingStatusType next;
};

/*
 * The steps of libpq that are said not to block do not wait for the network; but they read files,
 * ask for the user's name, ask Kerberos, hash a password for milliseconds. So threads take them.
 */
static int begin(struct start *start)
{
	const char *const names[] = { "host", "hostaddr", "port", NULL };
	const char *const values[] = { start->host, start->hostaddr, start->port, NULL };

	start->db = PQconnectStartParams(names, values, 0);
	start->next = PQstatus(start->db) == CONNECTION_BAD
		? PGRES_POLLING_FAILED
		: PGRES_POLLING_WRITING; /* before the first step, says the manual */
	return start->db != NULL ? 0 : -ENOMEM;
}

static int step(struct start *start)
{
	start->next = PQconnectPoll(start->db);
	return 0;
}

/* The socket is asked for each time: libpq takes another one when it tries another way. */
static int shake_hands(struct start *start)
{
	int rc = 0;

	while (rc >= 0 && start->next != PGRES_POLLING_OK && start->next != PGRES_POLLING_FAILED) {
		rc = soon_poll_fd(PQsocket(start->db),
			start->next == PGRES_POLLING_READING ? POLLIN : POLLOUT);
		if (rc >= 0)
			rc = soon_offload(step, start);
	}
	if (rc < 0)
		return rc;
	if (start->next == PGRES_POLLING_FAILED)
		return fail_as(-ECONNREFUSED, PQerrorMessage(start->db));
	return PQsetnonblocking(start->db, 1) == 0 ? 0 : -ENOMEM;
}

static int connect_as(struct start *start, PGconn **ret)
{
	int rc = soon_offload(begin, start);

	if (rc == 0)
		rc = shake_hands(start);
	if (rc == 0)
		*ret = start->db;
	else
		PQfinish(start->db);
	return rc;
}

/* "[::1]:5432" to "::1" and "5432". */
static void split(char *text, char **ret_host, char **ret_port)
{
	char *colon = strrchr(text, ':');

	*colon = '\0';
	*ret_port = colon + 1;
	*ret_host = text[0] == '[' ? text + 1 : text;
	if (text[0] == '[')
		colon[-1] = '\0';
}

/*
 * libpq would ask for a name by getaddrinfo(3), which blocks, also in the steps. It is given
 * addresses instead, and the name only to look for in the server's certificate.
 */
static int connect_to(const char *where, PGconn **ret)
{
	char name[256], text[SOON_ADDR_TEXT_BYTES];
	soon_addr addrs[4];
	struct start start = { .host = where };
	char *host, *hostaddr, *port;
	int count, rc = -ECONNREFUSED;

	if (where[0] == '/')
		return connect_as(&start, ret);
	count = soon_resolve(where, NULL, addrs, 4);
	if (count < 0)
		return count;
	(void)snprintf(name, sizeof name, "%s", where);
	split(name, &host, &port);
	for (int i = 0; i < count && rc == -ECONNREFUSED; i++) {
		(void)soon_addr_format(&addrs[i], text);
		split(text, &hostaddr, &port);
		start = (struct start){ .host = host, .hostaddr = hostaddr, .port = port };
		rc = connect_as(&start, ret);
	}
	return rc;
}

/* ---- one statement ----------------------------------------------------------------------- */

/* Reads meanwhile: a server that waits for us to read does not take the rest. */
static int send_all(PGconn *db)
{
	int left;

	while ((left = PQflush(db)) > 0) {
		int ready = soon_poll_fd(PQsocket(db), POLLIN | POLLOUT);

		if (ready < 0)
			return ready;
		if ((ready & POLLIN) != 0 && PQconsumeInput(db) == 0)
			return lost(db);
	}
	return left == 0 ? 0 : lost(db);
}

/* The last result of a statement; libpq wants to be asked until it says that there is none. */
static int take_result(PGconn *db, PGresult **ret)
{
	PGresult *last = NULL, *next = NULL;
	int rc;

	do {
		for (rc = 0; rc >= 0 && PQisBusy(db) != 0;) {
			rc = soon_poll_fd(PQsocket(db), POLLIN);
			if (rc >= 0 && PQconsumeInput(db) == 0)
				rc = lost(db);
		}
		next = rc >= 0 ? PQgetResult(db) : NULL;
		if (next != NULL) {
			PQclear(last);
			last = next;
		}
		if (PQresultStatus(next) == PGRES_COPY_IN || PQresultStatus(next) == PGRES_COPY_OUT)
			rc = soon_fail(-EOPNOTSUPP, "COPY is not done here");
	} while (rc >= 0 && next != NULL);
	if (rc < 0)
		PQclear(last);
	else
		*ret = last;
	return rc < 0 ? rc : 0;
}

static int send_cancel(PGcancel *cancel)
{
	char why[256];

	return PQcancel(cancel, why, sizeof why) == 1 ? 0 : -EIO;
}

/*
 * The server would work on for nobody. PQcancel() makes a connection of its own and blocks: a
 * thread does it, which is left behind if that takes too long.
 */
static int stop_statement(PGconn *db)
{
	PGcancel *cancel = PQgetCancel(db);
	PGresult *result = NULL;
	int rc = cancel != NULL ? send_all(db) : -ENOTCONN;

	if (rc == 0)
		rc = soon_offload_detach(send_cancel, cancel, PQfreeCancel);
	if (rc != -ECANCELED)
		PQfreeCancel(cancel);
	if (rc == 0)
		rc = take_result(db, &result);
	PQclear(result);
	return rc;
}

/* Runs one statement, with `arg` for $1 unless it is NULL. Cut short, it may have been done. */
static int query(PGconn *db, const char *sql, const char *arg, PGresult **ret)
{
	PGresult *result = NULL;
	int rc = PQsendQueryParams(db, sql, arg != NULL, NULL, &arg, NULL, NULL, 0) == 1
		? send_all(db)
		: lost(db);

	if (rc == 0)
		rc = take_result(db, &result);
	if (rc == -ECANCELED && soon_shielded(SOON_S(2), stop_statement(db)) < 0)
		return soon_fail(-ECANCELED, "the server may still run: %s", sql);
	if (rc < 0)
		return rc;
	if (PQresultStatus(result) == PGRES_TUPLES_OK ||
		PQresultStatus(result) == PGRES_COMMAND_OK) {
		*ret = result;
		return 0;
	}
	rc = fail_as(PQstatus(db) == CONNECTION_BAD ? -ECONNRESET : -EREMOTEIO, PQerrorMessage(db));
	PQclear(result);
	return rc;
}

/* ---- a few connections for many tasks ---------------------------------------------------- */

/* Of one core: what happens between two waits of a task, no other task sees half of. */
struct pool {
	const char *where;
	soon_sem places; /* connections that may still be taken */
	PGconn *idle[CONNS_MAX];
	unsigned idle_count;
	unsigned made; /* so far */
};

static int pool_take(struct pool *pool, PGconn **ret)
{
	int rc = soon_sem_acquire(&pool->places, 1);

	if (rc < 0)
		return rc;
	if (pool->idle_count > 0) {
		*ret = pool->idle[--pool->idle_count];
		return 0;
	}
	rc = (int)soon_within(SOON_S(5), connect_to(pool->where, ret));
	pool->made += rc == 0;
	if (rc < 0)
		(void)soon_sem_release(&pool->places, 1); /* it was ours to give */
	return rc;
}

/* One that is broken, in a transaction, or in the middle of a statement is not used again. */
static void pool_give(struct pool *pool, PGconn *db)
{
	if (PQtransactionStatus(db) == PQTRANS_IDLE)
		pool->idle[pool->idle_count++] = db;
	else
		PQfinish(db);
	(void)soon_sem_release(&pool->places, 1); /* it was ours to give */
}

static int pool_query(struct pool *pool, const char *sql, const char *arg, PGresult **ret)
{
	PGconn *db = NULL;
	int rc = pool_take(pool, &db);

	if (rc == 0) {
		rc = query(db, sql, arg, ret);
		pool_give(pool, db);
	}
	return rc;
}

static void pool_close(struct pool *pool)
{
	while (pool->idle_count > 0)
		PQfinish(pool->idle[--pool->idle_count]);
}

/* ---- what there is ----------------------------------------------------------------------- */

/* The first field of the answer as a number. */
static int ask_number(struct pool *pool, const char *sql, const char *arg, long *ret)
{
	PGresult *result = NULL;
	int rc = pool_query(pool, sql, arg, &result);

	if (rc == 0) {
		*ret = strtol(PQgetvalue(result, 0, 0), NULL, 10);
		PQclear(result);
	}
	return rc;
}

struct job {
	struct pool *pool;
	char number[12];
	long square;
};

static int square(struct job *job)
{
	return ask_number(job->pool, "SELECT $1::int * $1::int FROM pg_sleep(0.01)", job->number,
		&job->square);
}

static int show_many(struct pool *pool)
{
	struct job jobs[20];
	long sum = 0;
	int rc = 0;
	SOON_GROUP(g);

	for (int i = 0; rc == 0 && i < 20; i++) {
		jobs[i].pool = pool;
		(void)snprintf(jobs[i].number, sizeof jobs[i].number, "%d", i + 1);
		rc = soon_spawn(&g, square, &jobs[i]);
	}
	rc = (int)soon_group_close(&g, rc);
	for (int i = 0; rc == 0 && i < 20; i++)
		sum += jobs[i].square;
	if (rc == 0)
		printf("20 tasks: sum %ld by %u connections\n", sum, pool->made);
	return rc;
}

/* Nobody waits for the statement any more, here or at the server; the connection is as new. */
static int show_deadline(struct pool *pool)
{
	long ignored, running = -1;
	unsigned made = pool->made;
	ssize_t rc = soon_within(
		SOON_MS(200), ask_number(pool, "SELECT 1 FROM pg_sleep(60)", NULL, &ignored));

	printf("deadline: %s\n", rc == -ETIMEDOUT ? "ETIMEDOUT" : "?");
	rc = ask_number(pool,
		"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
		"AND pid <> pg_backend_pid() "
		"AND application_name = current_setting('application_name')",
		NULL, &running);
	if (rc == 0)
		printf("still running: %ld, new connections: %u\n", running, pool->made - made);
	return (int)rc;
}

static int show_error(struct pool *pool)
{
	long ignored;
	int rc = ask_number(pool, "SELECT 1 / 0", NULL, &ignored);

	if (rc != -EREMOTEIO)
		return rc;
	printf("error: %s\n", soon_fail_message());
	return 0;
}

/* More than the buffers of both sides hold, there and back. */
static int show_large(struct pool *pool)
{
	enum { BYTES = 4000000 };
	char *text = malloc(BYTES + 1);
	PGresult *result = NULL;
	int rc;

	if (text == NULL)
		return -ENOMEM;
	memset(text, 'x', BYTES);
	text[BYTES] = '\0';
	rc = pool_query(pool, "SELECT $1::text", text, &result);
	if (rc == 0) {
		printf("large: %s\n", strcmp(PQgetvalue(result, 0, 0), text) == 0 ? "same" : "?");
		PQclear(result);
	}
	free(text);
	return rc;
}

static int show_rows(struct pool *pool, const char *sql)
{
	PGresult *result = NULL;
	int rc = pool_query(pool, sql, NULL, &result);

	if (rc < 0)
		return rc;
	for (int row = 0; row < PQntuples(result); row++)
		for (int column = 0; column < PQnfields(result); column++)
			printf("%s%s", PQgetvalue(result, row, column),
				column + 1 < PQnfields(result) ? "\t" : "\n");
	PQclear(result);
	return 0;
}

struct arguments {
	const char *where, *sql;
};

static int app(struct arguments *arguments)
{
	struct pool pool = { .where = arguments->where };
	int rc;

	soon_sem_init(&pool.places, CONNS_MAX);
	if (arguments->sql != NULL)
		rc = show_rows(&pool, arguments->sql);
	else if ((rc = show_many(&pool)) == 0 && (rc = show_deadline(&pool)) == 0 &&
		(rc = show_error(&pool)) == 0)
		rc = show_large(&pool);
	pool_close(&pool);
	if (rc < 0)
		(void)fprintf(stderr, "%s: %s (%d)\n", arguments->where,
			soon_fail_message() != NULL ? soon_fail_message() : "failed", rc);
	return rc;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .where = argc > 1 ? argv[1] : "localhost:5432",
		.sql = argc > 2 ? argv[2] : NULL };

	return soon_run(app, &arguments) < 0;
}
