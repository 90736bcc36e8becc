// SPDX-License-Identifier: Apache-2.0
/* tls_watch_test.c: new certificates are taken when their files change, in all ways in use. */
#include "support/user_limit.h"
#include "tls_kit.h"

#include <stdio.h>
#include <sys/stat.h>

#define TLS_TEST(suite, name)                                                                      \
	NET_TEST(suite, name, .init = tls_files_make, .fini = tls_files_remove, .timeout = 60)

#define PATIENCE SOON_S(20)

/* ---- what is waited for ------------------------------------------------------------------ */

/* Until `reloads` have happened. */
static void reloads_wait(soon_tls *tls, uint64_t reloads)
{
	soon_tls_stats stats;
	soon_ns until = soon_now() + PATIENCE;

	do {
		cr_assert_eq(soon_sleep(SOON_MS(5)), 0);
		soon_tls_stats_get(tls, &stats);
	} while (stats.reloads < reloads && soon_now() < until);
	cr_assert_eq(stats.reloads, reloads);
}

static unsigned warnings;
static char last_warning[SOON_REPORT_TEXT_BYTES];

static int warning_keep(const soon_report *report, void *unused)
{
	(void)unused;
	(void)snprintf(last_warning, sizeof last_warning, "%s", report->text);
	warnings++;
	return 0;
}

/* Until there are `count` warnings; `text` is in the last. */
static void warnings_wait(unsigned count, const char *text)
{
	soon_ns until = soon_now() + PATIENCE;

	while (warnings < count && soon_now() < until)
		cr_assert_eq(soon_sleep(SOON_MS(5)), 0);
	cr_assert_eq(warnings, count, "%s", last_warning);
	cr_assert_not_null(strstr(last_warning, text), "%s", last_warning);
}

/* A server whose files are watched, and a client. */
struct watched {
	soon_tls *server, *client;
	soon_group *group;
};

#define WATCHED(w, cert)                                                                           \
	struct watched w;                                                                          \
	SOON_GROUP(w##_group);                                                                     \
	watched_begin(&(w), &w##_group, cert)

static void watched_begin(struct watched *w, soon_group *group, const char *cert)
{
	soon_on_report(warning_keep, NULL);
	w->server = tls_server_of((const char *const[]){ cert, NULL }, (soon_tls_opts){ 0 });
	w->client = tls_client_of((soon_tls_opts){ 0 });
	w->group = group;
	cr_assert_eq(soon_spawn(group, soon_tls_watch, w->server), 0);
}

/* A drain does not wait for the watch, which has nothing to finish. */
static void watched_end(struct watched *w)
{
	soon_group_drain(w->group, SOON_NEVER);
	cr_expect_eq(soon_group_close(w->group, 0), 0);
	soon_tls_free(w->server);
	soon_tls_free(w->client);
}

/* New connections are shown the certificate of `host`. */
static void expect_host(const struct watched *w, const char *host)
{
	struct tls_shake shake;

	tls_shake(&shake, w->client, w->server, host);
	cr_expect_eq(shake.client_rc, 0, "%s: %s", host, shake.client_why);
	tls_shake_close(&shake);
}

/* ---- what is done to files --------------------------------------------------------------- */

static void file_write(const char *file, const char *text, size_t len)
{
	char path[TLS_PATH_BYTES];
	FILE *f = fopen(tls_path(file, path), "w");

	cr_assert_not_null(f, "%s", path);
	cr_assert_eq(fwrite(text, 1, len, f), len);
	cr_assert_eq(fclose(f), 0);
}

static size_t file_read(const char *file, char *ret_text, size_t size)
{
	char path[TLS_PATH_BYTES];
	FILE *f = fopen(tls_path(file, path), "r");
	size_t len;

	cr_assert_not_null(f, "%s", path);
	len = fread(ret_text, 1, size, f);
	cr_assert_lt(len, size);
	cr_assert_eq(fclose(f), 0);
	return len;
}

static void file_move(const char *from, const char *to)
{
	char from_path[TLS_PATH_BYTES], to_path[TLS_PATH_BYTES];

	cr_assert_eq(rename(tls_path(from, from_path), tls_path(to, to_path)), 0);
}

static void file_remove(const char *file)
{
	char path[TLS_PATH_BYTES];

	cr_assert_eq(unlink(tls_path(file, path)), 0);
}

static void cert_make(const char *file, const char *names)
{
	tls_cert_make(&(struct tls_maker){ .file = file, .names = names });
}

/* A folder with a pair, good.pem and good.key. */
static void folder_make(const char *folder, const char *names)
{
	char path[TLS_PATH_BYTES];

	cr_assert_eq(mkdir(tls_path(folder, path), 0700), 0);
	(void)snprintf(path, sizeof path, "%s/good", folder);
	cert_make(path, names);
}

static void folder_remove(const char *folder)
{
	char path[TLS_PATH_BYTES], name[64];

	(void)snprintf(name, sizeof name, "%s/good.pem", folder);
	file_remove(name);
	(void)snprintf(name, sizeof name, "%s/good.key", folder);
	file_remove(name);
	cr_assert_eq(rmdir(tls_path(folder, path)), 0);
}

static void link_swap(const char *target, const char *link)
{
	char path[TLS_PATH_BYTES];

	cr_assert_eq(symlink(target, tls_path("link_tmp", path)), 0);
	file_move("link_tmp", link);
}

/* ---- pairs that fit ---------------------------------------------------------------------- */

TLS_TEST(tls_watch, files_that_are_written_anew)
{
	struct tls_shake old;
	char byte;

	WATCHED(w, "good");
	tls_shake(&old, w.client, w.server, "localhost");
	cr_assert_eq(old.client_rc, 0);
	cert_make("good", "DNS:one.test");
	reloads_wait(w.server, 1);
	expect_host(&w, "one.test");
	cert_make("good", "DNS:two.test");
	reloads_wait(w.server, 2);
	expect_host(&w, "two.test");

	/* Connections of before do not mind. */
	cr_expect_eq(soon_stream_write(old.client, "x", 1), 1);
	cr_expect_eq(soon_stream_flush(old.client), 0);
	cr_expect_eq(soon_stream_read(old.server, &byte, 1), 1);
	tls_shake_close(&old);
	watched_end(&w);
	cr_expect_eq(warnings, 0, "%s", last_warning);
}

/* Links as certbot makes them: the next pair lies beside the last, then each link is another. */
TLS_TEST(tls_watch, links_that_lead_to_the_next_pair)
{
	cert_make("first", "DNS:one.test");
	link_swap("first.pem", "live.pem");
	link_swap("first.key", "live.key");
	WATCHED(w, "live");
	expect_host(&w, "one.test");
	cert_make("second", "DNS:two.test");
	link_swap("second.pem", "live.pem");
	link_swap("second.key", "live.key");
	reloads_wait(w.server, 1);
	expect_host(&w, "two.test");
	watched_end(&w);
}

/* As Kubernetes mounts files: good.pem -> ..data/good.pem, ..data -> the folder of a version. */
TLS_TEST(tls_watch, a_link_beside_the_files_that_is_swapped)
{
	folder_make("..v1", "DNS:one.test");
	folder_make("..v2", "DNS:two.test");
	link_swap("..v1", "..data");
	link_swap("..data/good.pem", "good.pem");
	link_swap("..data/good.key", "good.key");
	WATCHED(w, "good");
	expect_host(&w, "one.test");
	link_swap("..v2", "..data");
	reloads_wait(w.server, 1);
	expect_host(&w, "two.test");
	folder_remove("..v1");
	link_swap("..v2", "..data"); /* the same files: nothing to do */
	folder_make("..v3", "DNS:three.test");
	link_swap("..v3", "..data");
	reloads_wait(w.server, 2);
	expect_host(&w, "three.test");
	watched_end(&w);
	folder_remove("..v2");
	folder_remove("..v3");
}

/* ---- pairs that do not ------------------------------------------------------------------- */

TLS_TEST(tls_watch, a_key_that_is_half_written_is_told_of_once)
{
	char key[4096];
	size_t len;

	WATCHED(w, "good");
	expect_host(&w, "localhost");
	len = file_read("good.key", key, sizeof key);
	file_write("good.key", key, len / 2);
	warnings_wait(1, "good.key");
	warnings_wait(1, "stay until the files change again");
	expect_host(&w, "localhost");

	/* Whatever else happens in the folder, it is not told again. */
	for (int i = 0; i < 3; i++) {
		file_write("another", key, len);
		cr_assert_eq(soon_sleep(SOON_MS(250)), 0); /* a look; without one nothing is seen */
	}
	warnings_wait(1, "good.key");
	file_write("good.key", key, len);
	reloads_wait(w.server, 1);
	expect_host(&w, "localhost");
	watched_end(&w);
	cr_expect_eq(warnings, 1, "%s", last_warning);
}

TLS_TEST(tls_watch, a_key_that_is_moved_into_place_before_its_certificate)
{
	cert_make("next", "DNS:next.test");
	WATCHED(w, "good");
	file_move("next.key", "good.key");
	warnings_wait(1, "the certificate is not that of the key");
	expect_host(&w, "localhost");
	file_move("next.pem", "good.pem");
	reloads_wait(w.server, 1);
	expect_host(&w, "next.test");
	watched_end(&w);
	cr_expect_eq(warnings, 1, "%s", last_warning);
}

/* ---- folders ----------------------------------------------------------------------------- */

TLS_TEST(tls_watch, a_folder_that_is_removed_and_made_again)
{
	folder_make("live", "DNS:one.test");
	WATCHED(w, "live/good");
	folder_remove("live");
	warnings_wait(1, "No such file");
	expect_host(&w, "one.test");
	folder_make("live", "DNS:two.test");
	reloads_wait(w.server, 1);
	expect_host(&w, "two.test");
	watched_end(&w);
	folder_remove("live");
}

TLS_TEST(tls_watch, a_folder_that_is_swapped)
{
	folder_make("live", "DNS:one.test");
	folder_make("next", "DNS:two.test");
	WATCHED(w, "live/good");
	expect_host(&w, "one.test");
	file_move("live", "last");
	file_move("next", "live");
	reloads_wait(w.server, 1);
	expect_host(&w, "two.test");
	watched_end(&w);
	folder_remove("live");
	folder_remove("last");
}

/* ---- without inotify --------------------------------------------------------------------- */

static int expect_looks(const char *limit)
{
	WATCHED(w, "good");
	warnings_wait(1, limit);
	cert_make("good", "DNS:one.test");
	reloads_wait(w.server, 1);
	expect_host(&w, "one.test");
	watched_end(&w);
	cr_expect_eq(warnings, 1, "%s", last_warning);
	return 0;
}

SOON_TEST_PLAIN(tls_watch, looks_where_no_watch_is_left)
{
	if (!limit_to_none("max_inotify_watches"))
		cr_skip("no user namespaces here");
	tls_files_make();
	cr_assert_eq(soon_run(expect_looks, "fs.inotify.max_user_watches"), 0);
	tls_files_remove();
}

SOON_TEST_PLAIN(tls_watch, looks_where_no_inotify_is_left)
{
	if (!limit_to_none("max_inotify_instances"))
		cr_skip("no user namespaces here");
	tls_files_make();
	cr_assert_eq(soon_run(expect_looks, "fs.inotify.max_user_instances"), 0);
	tls_files_remove();
}

/* ---- cancels ----------------------------------------------------------------------------- */

/* At every stage of a turn: what it had open is closed, which the end of the test sees to. */
TLS_TEST(tls_watch, may_be_cancelled_at_any_time)
{
	soon_tls *server = tls_good_server();

	for (int i = 0; i < 40; i++) {
		SOON_GROUP(g);
		cr_assert_eq(soon_spawn(&g, soon_tls_watch, server), 0);
		if (i % 2 != 0)
			cert_make("good", "DNS:localhost");
		for (int j = 0; j < i; j++)
			cr_assert_eq(soon_yield(), 0);
		soon_group_cancel(&g, "test");
		cr_expect_eq(soon_group_close(&g, 0), 0);
	}
	soon_tls_free(server);
}
