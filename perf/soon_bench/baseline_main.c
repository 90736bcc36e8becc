// SPDX-License-Identifier: Apache-2.0
/*
 * soon-bench baseline save NAME FILE | list | remove NAME
 *
 * A baseline is a copy of a result under a name, in $XDG_STATE_HOME/soon-bench, or where that is
 * not set, in .soon-bench of the folder that the program runs in: figures belong to a machine and
 * to a project.
 */
#include "soon_bench.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define SUFFIX     ".json"

static const char *folder(void)
{
	static char path[PATH_BYTES];
	const char *state = getenv("XDG_STATE_HOME");

	if (state == NULL || *state == '\0')
		return ".soon-bench";
	(void)snprintf(path, sizeof(path), "%s/soon-bench", state);
	return path;
}

static bool is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";
	size_t length = strlen(name);

	return length > 0 && length <= 100 && name[0] != '.' && strspn(name, allowed) == length;
}

/* Prints why there is no such path. Returns: NULL then. */
static const char *path_of(const char *name)
{
	static char path[PATH_BYTES + 128];

	if (!is_name(name)) {
		(void)fprintf(stderr,
			"soon-bench: '%s' is no name of a baseline: letters, digits, '_', '-' and "
			"'.', not in front\n",
			name);
		return NULL;
	}
	(void)snprintf(path, sizeof(path), "%s/%s" SUFFIX, folder(), name);
	return path;
}

struct result *open_result(const char *path)
{
	struct result_error error;
	struct result *result = NULL;
	const char *file = *path == '@' ? path_of(path + 1) : path;
	int rc = file != NULL ? result_read(file, &result, &error) : 0;

	if (rc < 0)
		(void)fprintf(stderr, "soon-bench: %s\n", error.text);
	if (rc == -ENOENT && *path == '@')
		(void)fputs("soon-bench: soon-bench baseline list shows which there are\n", stderr);
	return result;
}

/* Makes a folder, and those that it lies in. */
static int make_folders(const char *path)
{
	static char part[PATH_BYTES];

	for (const char *c = path + 1;; c++) {
		if (*c != '/' && *c != '\0')
			continue;
		(void)snprintf(part, sizeof(part), "%.*s", (int)(c - path), path);
		if (mkdir(part, 0777) != 0 && errno != EEXIST)
			return -errno;
		if (*c == '\0')
			return 0;
	}
}

static int save(const char *name, const char *file)
{
	const char *path = path_of(name);
	struct result *result;
	int status, rc;

	if (path == NULL)
		return EXIT_USAGE;
	result = open_result(file);
	if (result == NULL)
		return EXIT_FILE;
	rc = make_folders(folder());
	if (rc < 0) {
		(void)fprintf(stderr, "soon-bench: %s: %s\n", folder(), strerror(-rc));
		status = EXIT_FILE;
	} else {
		status = save_result(result, path);
	}
	result_free(result);
	return status;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_baseline(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > strlen(SUFFIX) &&
		strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
}

/* One line each; of one that cannot be read, why. */
static int list(void)
{
	static char path[PATH_BYTES + 512];
	struct dirent **entries = NULL;
	int count = scandir(folder(), &entries, is_baseline, by_name);
	int status = EXIT_FINE;

	if (count < 0 && errno != ENOENT) {
		(void)fprintf(stderr, "soon-bench: %s: %s\n", folder(), strerror(errno));
		return EXIT_FILE;
	}
	for (int i = 0; i < count; i++) {
		struct result_error error;
		struct result *result = NULL;
		size_t length = strlen(entries[i]->d_name) - strlen(SUFFIX);

		(void)snprintf(path, sizeof(path), "%s/%s", folder(), entries[i]->d_name);
		if (result_read(path, &result, &error) < 0) {
			(void)fprintf(stderr, "soon-bench: %s\n", error.text);
			status = EXIT_FILE;
		} else {
			(void)printf("%-24.*s %s  %zu entries  %s\n", (int)length,
				entries[i]->d_name, result->environment.started,
				result->entry_count, result->environment.command);
		}
		result_free(result);
		free(entries[i]);
	}
	free(entries);
	return status;
}

static int take_away(const char *name)
{
	const char *path = path_of(name);

	if (path == NULL)
		return EXIT_USAGE;
	if (unlink(path) == 0)
		return EXIT_FINE;
	(void)fprintf(stderr, "soon-bench: %s: %s\n", path, strerror(errno));
	return EXIT_FILE;
}

struct arguments {
	const char *words[3];
	unsigned count;
};

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	const char *const *words = arguments->words;
	unsigned count;

	switch (key) {
	case ARGP_KEY_ARG:
		if (arguments->count == 3)
			argp_error(state, "'%s' is one argument too many", arg);
		arguments->words[arguments->count++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "save, list or remove?");
		return EINVAL;
	case ARGP_KEY_SUCCESS:
		count = arguments->count;
		if ((strcmp(words[0], "save") == 0 && count == 3) ||
			(strcmp(words[0], "list") == 0 && count == 1) ||
			(strcmp(words[0], "remove") == 0 && count == 2))
			return 0;
		argp_error(state, "it is: save NAME FILE, list, or remove NAME");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int baseline_main(int argc, char **argv)
{
	static const char about[] =
		"Keeps results by name, for soon-bench compare @NAME.\v"
		"They are in $XDG_STATE_HOME/soon-bench, or in ./.soon-bench where that is "
		"not set. "
		"Exit status: 0, 2 wrong usage, 3 a file cannot be read or written.";
	static const struct argp argp = { NULL, take, "save NAME FILE\nlist\nremove NAME", about,
		NULL, NULL, NULL };
	struct arguments arguments = { 0 };

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
		return EXIT_USAGE;
	switch (arguments.words[0][0]) {
	case 's':
		return save(arguments.words[1], arguments.words[2]);
	case 'l':
		return list();
	default:
		return take_away(arguments.words[1]);
	}
}
