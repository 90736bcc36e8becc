// SPDX-License-Identifier: Apache-2.0
/*
 * tls_watch.c: new certificates are taken when their files change.
 *
 * What is watched are folders, not files: a new file is moved over the old one, a link gets another
 * target, and where Kubernetes mounts secrets a link beside them, ..data, is swapped for all at
 * once. So the folder of each file is watched, that of what it leads to, and the folder above each,
 * which may be swapped, too. An event says no more than that it is time to look: whether files have
 * changed is seen by their stamps. After a change the folders may be others, so each turn watches
 * anew, and looks after it watches: no gap is left.
 *
 * Where no event comes (network file systems, a folder that is not there for the moment, no inotify
 * left), a look now and then does it.
 */
#include <soon/mem.h>
#include <soon/offload.h>
#include <soon/scope.h>
#include <soon/watch.h>

#include "hash.h"
#include "tls.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_WATCHED  SOON_S(60)
#define LOOK_BLIND    SOON_S(1)
#define SETTLE        SOON_MS(200) /* certificate and key come one after the other */
#define SETTLE_ROUNDS 25

#define KINDS (SOON_WATCH_CHANGES | SOON_WATCH_ATTRIBUTES)

/* Of a file and of what it leads to: the folder, and the one above. */
#define FOLDERS_MAX ((2 * SOON_TLS_CERTS_MAX + 1) * 4)

/* ---- stamps ------------------------------------------------------------------------------ */

static uint64_t file_mix(uint64_t hash, const char *file)
{
	struct stat st;

	if (file == NULL)
		return hash;
	if (stat(file, &st) < 0)
		return soon__hash(hash, "none", 4);
	hash = soon__hash(hash, &st.st_dev, sizeof st.st_dev);
	hash = soon__hash(hash, &st.st_ino, sizeof st.st_ino);
	hash = soon__hash(hash, &st.st_size, sizeof st.st_size);
	hash = soon__hash(hash, &st.st_mtim, sizeof st.st_mtim);
	return soon__hash(hash, &st.st_ctim, sizeof st.st_ctim);
}

uint64_t soon__tls_stamp(const soon_tls *tls)
{
	uint64_t hash = file_mix(SOON__HASH_FIRST, tls->opts.ca_file);

	for (size_t i = 0; i < tls->opts.certs_count; i++) {
		hash = file_mix(hash, tls->certs[i].chain_file);
		hash = file_mix(hash, tls->certs[i].key_file);
	}
	return hash;
}

/* ---- folders ----------------------------------------------------------------------------- */

/* What a turn watches. */
struct folders {
	const soon_tls *tls;
	bool is_short; /* there was no memory for all */
	unsigned count;
	char *paths[FOLDERS_MAX];
	char real[PATH_MAX];
};

/* Adds the folder that `path` is in; returns it, NULL if there is none. */
static const char *folder_add(struct folders *f, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) + (slash == path) : 1;
	char *folder;

	if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
		return NULL;
	folder = soon_malloc(len + 1);
	if (folder == NULL) {
		f->is_short = true;
		return NULL;
	}
	memcpy(folder, slash != NULL ? path : ".", len);
	folder[len] = '\0';
	for (unsigned i = 0; i < f->count; i++)
		if (strcmp(f->paths[i], folder) == 0) {
			soon_free(folder);
			return f->paths[i];
		}
	SOON_ASSERT(f->count < FOLDERS_MAX);
	f->paths[f->count++] = folder;
	return folder;
}

static void folders_add(struct folders *f, const char *file)
{
	const char *folder = folder_add(f, file);

	if (folder != NULL)
		(void)folder_add(f, folder);
}

static void file_add(struct folders *f, const char *file)
{
	if (file == NULL)
		return;
	folders_add(f, file);
	if (realpath(file, f->real) != NULL) /* else it leads nowhere */
		folders_add(f, f->real);
}

/* On a pool thread: it walks paths. */
static int folders_find(struct folders *f)
{
	const soon_tls *tls = f->tls;

	file_add(f, tls->opts.ca_file);
	for (size_t i = 0; i < tls->opts.certs_count; i++) {
		file_add(f, tls->certs[i].chain_file);
		file_add(f, tls->certs[i].key_file);
	}
	return 0;
}

/* ---- turns ------------------------------------------------------------------------------- */

struct turn {
	soon_tls *tls;
	soon_watch *watch; /* NULL: nothing is watched */
	bool is_blind;     /* something is not watched */
	bool is_blind_told;
	uint64_t stamp;
	uint64_t told; /* that of the files whose fault was reported */
};

static bool is_limit(int rc)
{
	return rc == -ENOSPC || rc == -EMFILE || rc == -ENFILE;
}

/* Folders that are not there, or not ours to read, are no news: a fault of the files will be. */
static int folders_add_all(struct turn *turn, const struct folders *f) SOON_SUSPENDS
{
	int rc = soon_watch_open(&turn->watch);

	for (unsigned i = 0; i < f->count && rc >= 0; i++) {
		rc = soon_watch_add(turn->watch, f->paths[i], KINDS);
		if (rc < 0 && rc != -ECANCELED && !is_limit(rc)) {
			turn->is_blind = true;
			rc = 0;
		}
	}
	return rc < 0 ? rc : 0;
}

static int folders_watch(struct turn *turn) SOON_SUSPENDS
{
	struct folders *f = soon_zalloc(sizeof *f);
	int rc = -ENOMEM;

	turn->is_blind = false;
	if (f != NULL) {
		f->tls = turn->tls;
		rc = soon_offload(folders_find, f);
		if (rc == 0)
			rc = folders_add_all(turn, f);
		turn->is_blind |= f->is_short;
		for (unsigned i = 0; i < f->count; i++)
			soon_free(f->paths[i]);
		soon_free(f);
	}
	if (rc == -ECANCELED)
		return rc;
	turn->is_blind |= rc < 0;
	if (is_limit(rc) && !turn->is_blind_told) {
		turn->is_blind_told = true;
		soon_report_file(SOON_REPORT_WARNING, rc,
			"tls: certificates are looked at every second, not watched: %s",
			soon_fail_message() != NULL ? soon_fail_message() : "no descriptor");
	}
	return 0;
}

static int stamp_take(struct turn *turn)
{
	turn->stamp = soon__tls_stamp(turn->tls);
	return 0;
}

/* The stamp; after a change, when it is again what it was a moment ago: files come one by one. */
static int stamp_settle(struct turn *turn) SOON_SUSPENDS
{
	uint64_t before = soon__tls_set_stamp(turn->tls);
	int rc = soon_offload(stamp_take, turn);

	for (int i = 0; i < SETTLE_ROUNDS && rc == 0 && turn->stamp != before; i++) {
		before = turn->stamp;
		rc = soon_sleep(SETTLE);
		if (rc == 0)
			rc = soon_offload(stamp_take, turn);
	}
	return rc;
}

/* Files with a fault are read at each look, for it need not be theirs, but told of once. */
static int take(struct turn *turn) SOON_SUSPENDS
{
	int rc;

	if (turn->stamp == soon__tls_set_stamp(turn->tls))
		return 0;
	rc = soon_tls_reload(turn->tls);
	if (rc == 0 || rc == -ECANCELED)
		return rc;
	if (turn->stamp != turn->told)
		soon_report_file(SOON_REPORT_WARNING, rc,
			"%s: the certificates in use stay until the files change again",
			soon_fail_message() != NULL ? soon_fail_message() : "tls: a reload failed");
	turn->told = turn->stamp;
	return 0;
}

/* Until something happens, or it is time for a look. */
static int event_wait(const struct turn *turn) SOON_SUSPENDS
{
	soon_ns most = turn->is_blind ? LOOK_BLIND : LOOK_WATCHED;
	soon_watch_event event;
	int rc;

	if (turn->watch == NULL)
		return soon_sleep(most);
	rc = (int)soon_within(most, soon_watch_next(turn->watch, &event));
	if (rc > 0)
		return soon_sleep(SETTLE); /* folders may be busy with other files */
	return rc == -ETIMEDOUT ? 0 : rc;
}

static int turn_run(struct turn *turn) SOON_SUSPENDS
{
	int rc = folders_watch(turn);

	if (rc == 0)
		rc = stamp_settle(turn);
	if (rc == 0)
		rc = take(turn);
	if (rc == 0)
		rc = event_wait(turn);
	soon_watch_close(turn->watch);
	turn->watch = NULL;
	return rc;
}

int soon_tls_watch(soon_tls *tls)
{
	struct turn turn = { .tls = tls };
	int rc = 0;

	SOON_ASSERT(tls != NULL);
	soon__tls_hold(tls);
	SOON_IDLE {
		while (rc == 0)
			rc = turn_run(&turn);
	}
	soon_tls_free(tls);
	return rc;
}
