// SPDX-License-Identifier: Apache-2.0
/*
 * result_write.c: a result as a file.
 *
 * Each part and each entry has a line of its own, so that a file can be looked at, and two of them
 * compared, by the tools for lines.
 */
#include "result.h"
#include "result_names.h"
#include "walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_environment(
	struct walk *walk, json_t *into, const struct result_environment *environment)
{
	json_t *load;

	walk_put_text(walk, into, "kernel", environment->kernel);
	walk_put_text(walk, into, "cpu_model", environment->cpu_model);
	walk_put_count(walk, into, "cpu_count", environment->cpu_count);
	walk_put_amount(walk, into, "quota_cpus", environment->quota_cpus);
	walk_put_text(walk, into, "clock", environment->clock);
	walk_put_text(walk, into, "compiler", environment->compiler);
	walk_put_text(walk, into, "soon_version", environment->soon_version);
	walk_put_text(walk, into, "io", environment->io);
	load = walk_put_array(walk, into, "load_average");
	for (unsigned i = 0; i < 3; i++)
		walk_put_amount(walk, load, NULL, environment->load_average[i]);
	walk_put_text(walk, into, "command", environment->command);
	walk_put_text(walk, into, "started", environment->started);
}

static void put_samples(struct walk *walk, json_t *into, const struct result_samples *samples)
{
	json_t *runs;

	walk_put_text(walk, into, "name", samples->name);
	walk_put_text(walk, into, "unit", samples->unit);
	walk_put_text(walk, into, "better", result_better_names[samples->better]);
	if (samples->is_count)
		walk_put_bool(walk, into, "counted", true);
	runs = walk_put_array(walk, into, "runs");
	for (size_t i = 0; i < samples->run_count; i++) {
		json_t *values = walk_put_array(walk, runs, NULL);

		for (size_t k = 0; k < samples->runs[i].count; k++)
			walk_put_amount(walk, values, NULL, samples->runs[i].values[k]);
	}
}

static void put_counter(struct walk *walk, json_t *into, const struct result_counter *counter)
{
	walk_put_text(walk, into, "name", counter->name);
	walk_put_text(walk, into, "unit", counter->unit);
	walk_put_number(walk, into, "value", counter->value);
}

static void put_hist(struct walk *walk, json_t *into, const soon_hist *hist)
{
	soon_hist_opts opts;
	soon_hist_totals totals;
	soon_hist_bucket bucket;
	json_t *buckets;
	uint32_t position = 0;

	soon_hist_opts_get(hist, &opts);
	soon_hist_totals_get(hist, &totals);
	walk_put_count(walk, into, "precision", opts.precision);
	walk_put_count(walk, into, "value_max", opts.value_max);
	walk_put_count(walk, into, "clipped", totals.clipped);
	walk_put_count(walk, into, "least", totals.least);
	walk_put_count(walk, into, "greatest", totals.greatest);
	walk_put_amount(walk, into, "sum", totals.sum);
	buckets = walk_put_array(walk, into, "buckets");
	while (soon_hist_next(hist, &position, &bucket)) {
		json_t *pair = walk_put_array(walk, buckets, NULL);

		walk_put_count(walk, pair, NULL, bucket.index);
		walk_put_count(walk, pair, NULL, bucket.count);
	}
}

static void put_interval(struct walk *walk, json_t *into, const struct result_interval *interval)
{
	walk_put_amount(walk, into, "start_s", interval->start_s);
	walk_put_amount(walk, into, "length_s", interval->length_s);
	walk_put_count(walk, into, "completed", interval->completed);
	walk_put_count(walk, into, "errors", interval->errors);
	walk_put_count(walk, into, "p50_ns", interval->p50_ns);
	walk_put_count(walk, into, "p90_ns", interval->p90_ns);
	walk_put_count(walk, into, "p99_ns", interval->p99_ns);
	walk_put_count(walk, into, "max_ns", interval->max_ns);
	walk_put_count(walk, into, "scheduled", interval->scheduled);
	walk_put_count(walk, into, "sent", interval->sent);
}

static void put_load(struct walk *walk, json_t *into, const struct result_load *load)
{
	json_t *list;

	walk_put_amount(walk, into, "length_s", load->length_s);
	walk_put_count(walk, into, "scheduled", load->scheduled);
	walk_put_count(walk, into, "sent", load->sent);
	walk_put_count(walk, into, "completed", load->completed);
	walk_put_count(walk, into, "bytes_sent", load->bytes_sent);
	walk_put_count(walk, into, "bytes_received", load->bytes_received);
	list = walk_put_array(walk, into, "phases");
	for (size_t i = 0; i < load->phase_count; i++) {
		json_t *phase = walk_put_object(walk, list, NULL);

		walk_put_text(walk, phase, "name", load->phases[i].name);
		put_hist(walk, walk_put_object(walk, phase, "ns"), load->phases[i].hist);
	}
	list = walk_put_array(walk, into, "errors");
	for (size_t i = 0; i < load->error_count; i++) {
		json_t *errors = walk_put_object(walk, list, NULL);

		walk_put_text(walk, errors, "kind", load->errors[i].kind);
		walk_put_count(walk, errors, "count", load->errors[i].count);
		walk_put_text(walk, errors, "example", load->errors[i].example);
	}
	list = walk_put_array(walk, into, "intervals");
	for (size_t i = 0; i < load->interval_count; i++)
		put_interval(walk, walk_put_object(walk, list, NULL), &load->intervals[i]);
}

static void put_entry(struct walk *walk, json_t *into, const struct result_entry *entry)
{
	json_t *list;

	walk_put_text(walk, into, "name", entry->name);
	walk_put_text(walk, into, "group", entry->group);
	if (entry->has_param) {
		walk_put_integer(walk, into, "param", entry->param);
		walk_put_text(walk, into, "param_name", entry->param_name);
	}
	walk_put_text(walk, into, "state", result_state_names[entry->state]);
	walk_put_text(walk, into, "message", entry->message);
	walk_put_count(walk, into, "threads", entry->threads);
	walk_put_count(walk, into, "turns", entry->turns);
	list = walk_put_array(walk, into, "samples");
	for (size_t i = 0; i < entry->sample_count; i++)
		put_samples(walk, walk_put_object(walk, list, NULL), &entry->samples[i]);
	list = walk_put_array(walk, into, "counters");
	for (size_t i = 0; i < entry->counter_count; i++)
		put_counter(walk, walk_put_object(walk, list, NULL), &entry->counters[i]);
	if (entry->load != NULL)
		put_load(walk, walk_put_object(walk, into, "load"), entry->load);
}

/* The whole as a tree, owned by the caller. A walk with an error gives one that is not whole. */
static json_t *whole(struct walk *walk, const struct result *result)
{
	json_t *into = json_object();
	json_t *entries;

	walk_put_text(walk, into, "schema", RESULT_SCHEMA);
	walk_put_count(walk, into, "version", RESULT_VERSION);
	walk_put_text(walk, into, "kind", result_kind_names[result->kind]);
	walk_put_text(walk, into, "name", result->name);
	walk_put_text(walk, into, "session", result->session);
	walk_put_bool(walk, into, "partial", result->is_partial);
	walk_put_text(walk, into, "partial_reason", result->partial_reason);
	put_environment(walk, walk_put_object(walk, into, "environment"), &result->environment);
	entries = walk_put_array(walk, into, "entries");
	for (size_t i = 0; i < result->entry_count; i++) {
		size_t up = walk_down(walk, "entries");

		(void)walk_down_index(walk, i);
		put_entry(walk, walk_put_object(walk, entries, NULL), result->entries[i]);
		walk_up(walk, up);
	}
	return into;
}

static int print(FILE *file, const json_t *value)
{
	return json_dumpf(value, file, JSON_COMPACT | JSON_ENCODE_ANY) == 0 ? 0 : -EIO;
}

static int print_entries(FILE *file, const json_t *entries)
{
	int rc = 0;

	(void)fputs("[", file);
	for (size_t i = 0; rc == 0 && i < json_array_size(entries); i++) {
		(void)fputs(i > 0 ? ",\n" : "\n", file);
		rc = print(file, json_array_get(entries, i));
	}
	(void)fputs("\n]", file);
	return rc;
}

static int print_whole(FILE *file, json_t *tree)
{
	const char *key;
	json_t *value;
	int rc = 0;
	bool is_first = true;

	json_object_foreach(tree, key, value)
	{
		(void)fprintf(file, "%s\"%s\": ", is_first ? "{\n" : ",\n", key);
		rc = strcmp(key, "entries") == 0 ? print_entries(file, value) : print(file, value);
		if (rc < 0)
			return rc;
		is_first = false;
	}
	(void)fputs("\n}\n", file);
	if (fflush(file) != 0 || ferror(file) != 0)
		return errno != 0 ? -errno : -EIO;
	return 0;
}

static int tell(struct result_error *error, const char *path, int rc)
{
	(void)snprintf(error->text, sizeof(error->text), "%s: cannot be written: %s", path,
		strerrordesc_np(-rc));
	return rc;
}

/* Pipes, terminals and devices. */
static int write_plain(FILE *file, const char *path, json_t *tree, struct result_error *error)
{
	int rc;

	if (file == NULL)
		return tell(error, path, -errno);
	errno = 0;
	rc = print_whole(file, tree);
	if (file != stdout && fclose(file) != 0 && rc == 0)
		rc = -errno;
	return rc < 0 ? tell(error, path, rc) : 0;
}

/* The mode that open(2) would have given. */
static mode_t usual_mode(void)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	return 0666 & ~mask;
}

static int fill(int fd, json_t *tree)
{
	FILE *file = fdopen(fd, "w");
	int rc;

	if (file == NULL) {
		rc = -errno;
		(void)close(fd);
		return rc;
	}
	errno = 0;
	rc = print_whole(file, tree);
	if (rc == 0 && fchmod(fd, usual_mode()) != 0)
		rc = -errno;
	if (fclose(file) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

static int write_beside(const char *path, json_t *tree, struct result_error *error)
{
	size_t size = strlen(path) + sizeof(".XXXXXX");
	char *beside = malloc(size);
	int fd, rc;

	if (beside == NULL)
		return tell(error, path, -ENOMEM);
	(void)snprintf(beside, size, "%s.XXXXXX", path);
	fd = mkostemp(beside, O_CLOEXEC);
	rc = fd < 0 ? -errno : fill(fd, tree);
	if (rc == 0 && rename(beside, path) != 0)
		rc = -errno;
	if (rc < 0 && fd >= 0)
		(void)unlink(beside);
	free(beside);
	return rc < 0 ? tell(error, path, rc) : 0;
}

int result_write(const struct result *result, const char *path, struct result_error *ret_error)
{
	struct walk walk;
	struct stat status;
	json_t *tree;
	int rc;

	walk_init(&walk, path, ret_error);
	tree = whole(&walk, result);
	if (walk.rc < 0)
		rc = walk.rc;
	else if (strcmp(path, "-") == 0)
		rc = write_plain(stdout, path, tree, ret_error);
	else if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		rc = write_plain(fopen(path, "we"), path, tree, ret_error);
	else
		rc = write_beside(path, tree, ret_error);
	json_decref(tree);
	return rc;
}
