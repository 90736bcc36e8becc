// SPDX-License-Identifier: Apache-2.0
/*
 * result_read.c: a result from a file, each part of which may be anything.
 *
 * Keys that are not known are left alone: fields may be added without a new version. What a version
 * says otherwise than this one gets a new number.
 */
#include "result.h"
#include "result_names.h"
#include "walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A walk, and the result that it fills. */
struct reader {
	struct walk walk;
	struct result *result;
};

/* An array with an element for each of `list`; NULL, without an error, for an empty one. */
static void *make_array(struct reader *reader, json_t *list, size_t size)
{
	size_t count = json_array_size(list);
	void *array;

	if (count == 0)
		return NULL;
	array = result_alloc(reader->result, count, size);
	if (array == NULL)
		walk_fail(&reader->walk, -ENOMEM, NULL, "no memory");
	return array;
}

/* A text that outlives the tree. */
static const char *text(struct reader *reader, json_t *object, const char *key)
{
	const char *value = walk_text(&reader->walk, object, key);
	const char *copy;

	if (*value == '\0')
		return "";
	copy = result_text(reader->result, "%s", value);
	if (copy != NULL)
		return copy;
	walk_fail(&reader->walk, -ENOMEM, key, "no memory");
	return "";
}

/* An element of an array of numbers that are not negative. */
static double number_at(struct walk *walk, json_t *array, size_t index)
{
	size_t up = walk_down_index(walk, index);
	double value = json_number_value(walk_element(walk, array, index, JSON_REAL));

	if (value < 0)
		walk_fail(walk, -EBADMSG, NULL, "is negative");
	walk_up(walk, up);
	return value;
}

static void read_environment(struct reader *reader, json_t *from)
{
	struct walk *walk = &reader->walk;
	struct result_environment *environment = &reader->result->environment;
	size_t up = walk_down(walk, "environment");
	json_t *load;

	environment->kernel = text(reader, from, "kernel");
	environment->cpu_model = text(reader, from, "cpu_model");
	environment->cpu_count = walk_count(walk, from, "cpu_count");
	environment->quota_cpus = walk_amount(walk, from, "quota_cpus");
	environment->clock = text(reader, from, "clock");
	environment->compiler = text(reader, from, "compiler");
	environment->soon_version = text(reader, from, "soon_version");
	environment->io = text(reader, from, "io");
	environment->command = text(reader, from, "command");
	environment->started = text(reader, from, "started");
	load = walk_array(walk, from, "load_average");
	(void)walk_down(walk, "load_average");
	for (size_t i = 0; i < 3; i++)
		environment->load_average[i] = number_at(walk, load, i);
	walk_up(walk, up);
}

static void read_runs(struct reader *reader, json_t *list, struct result_samples *samples)
{
	struct walk *walk = &reader->walk;
	size_t up = walk_down(walk, "runs");
	struct result_run *runs = make_array(reader, list, sizeof(*runs));

	for (size_t i = 0; walk->rc == 0 && i < json_array_size(list); i++) {
		size_t up_run = walk_down_index(walk, i);
		json_t *from = walk_element(walk, list, i, JSON_ARRAY);
		double *values = make_array(reader, from, sizeof(*values));

		for (size_t k = 0; walk->rc == 0 && k < json_array_size(from); k++)
			values[k] = number_at(walk, from, k);
		runs[i] = (struct result_run){ values, json_array_size(from) };
		walk_up(walk, up_run);
	}
	samples->runs = runs;
	samples->run_count = walk->rc == 0 ? json_array_size(list) : 0;
	walk_up(walk, up);
}

static void read_samples(struct reader *reader, json_t *list, struct result_entry *entry)
{
	struct walk *walk = &reader->walk;
	struct walk_list each = walk_list(walk, "samples", list);
	struct result_samples *samples = make_array(reader, list, sizeof(*samples));
	json_t *from;

	while ((from = walk_next(walk, &each)) != NULL) {
		samples[each.index].name = text(reader, from, "name");
		samples[each.index].unit = text(reader, from, "unit");
		samples[each.index].better = walk_choice(walk, from, "better", result_better_names);
		if (json_object_get(from, "counted") != NULL)
			samples[each.index].is_count = walk_bool(walk, from, "counted");
		read_runs(reader, walk_array(walk, from, "runs"), &samples[each.index]);
		entry->samples = samples;
		if (walk->rc == 0 && result_samples_find(entry, samples[each.index].name) != NULL)
			walk_fail(walk, -EBADMSG, "name", "is that of another figure, too");
		entry->sample_count = each.index + 1;
	}
}

static void read_counters(struct reader *reader, json_t *list, struct result_entry *entry)
{
	struct walk *walk = &reader->walk;
	struct walk_list each = walk_list(walk, "counters", list);
	struct result_counter *counters = make_array(reader, list, sizeof(*counters));
	json_t *from;

	while ((from = walk_next(walk, &each)) != NULL) {
		counters[each.index].name = text(reader, from, "name");
		counters[each.index].unit = text(reader, from, "unit");
		counters[each.index].value = walk_number(walk, from, "value");
	}
	entry->counters = counters;
	entry->counter_count = json_array_size(list);
}

/* The index and the count of one bucket. */
static void read_bucket(struct walk *walk, json_t *list, size_t index, soon_hist_bucket *bucket)
{
	size_t up = walk_down_index(walk, index);
	json_t *pair = walk_element(walk, list, index, JSON_ARRAY);
	int64_t place = json_integer_value(walk_element(walk, pair, 0, JSON_INTEGER));
	int64_t count = json_integer_value(walk_element(walk, pair, 1, JSON_INTEGER));

	if (place < 0 || place > UINT32_MAX || count < 0)
		walk_fail(walk, -EBADMSG, NULL, "is no bucket");
	bucket->index = (uint32_t)place;
	bucket->count = (uint64_t)count;
	walk_up(walk, up);
}

static void restore_hist(struct reader *reader, json_t *from, soon_hist *hist)
{
	struct walk *walk = &reader->walk;
	json_t *list = walk_array(walk, from, "buckets");
	soon_hist_bucket *buckets = make_array(reader, list, sizeof(*buckets));
	soon_hist_totals totals = {
		.clipped = walk_count(walk, from, "clipped"),
		.least = walk_count(walk, from, "least"),
		.greatest = walk_count(walk, from, "greatest"),
		.sum = walk_amount(walk, from, "sum"),
	};
	size_t up = walk_down(walk, "buckets");

	for (size_t i = 0; walk->rc == 0 && i < json_array_size(list); i++)
		read_bucket(walk, list, i, &buckets[i]);
	walk_up(walk, up);
	if (walk->rc == 0 && soon_hist_restore(hist, buckets, json_array_size(list), &totals) < 0)
		walk_fail(walk, -EBADMSG, NULL, "contradicts itself, it is no histogram");
}

static soon_hist *read_hist(struct reader *reader, json_t *from)
{
	struct walk *walk = &reader->walk;
	size_t up = walk_down(walk, "ns");
	uint64_t precision = walk_count(walk, from, "precision");
	soon_hist_opts opts = { .value_max = walk_count(walk, from, "value_max") };
	soon_hist *hist = NULL;
	int rc;

	/* 0 would be the default. */
	if (precision < SOON_HIST_PRECISION_MIN || precision > SOON_HIST_PRECISION_MAX)
		walk_fail(walk, -EBADMSG, "precision", "is out of its range");
	if (opts.value_max == 0)
		walk_fail(walk, -EBADMSG, "value_max", "is 0");
	opts.precision = (unsigned)precision;
	rc = walk->rc < 0 ? walk->rc : soon_hist_create(&opts, &hist);
	if (rc < 0)
		walk_fail(walk, rc, NULL, "no histogram can be made: %s", strerrordesc_np(-rc));
	else
		restore_hist(reader, from, hist);
	walk_up(walk, up);
	return hist;
}

/* Each histogram is the result's from the moment that it is made. */
static void read_phases(struct reader *reader, json_t *list, struct result_load *load)
{
	struct walk *walk = &reader->walk;
	struct walk_list each = walk_list(walk, "phases", list);
	struct result_phase *phases = make_array(reader, list, sizeof(*phases));
	json_t *from;

	load->phases = phases;
	while ((from = walk_next(walk, &each)) != NULL) {
		phases[each.index].name = text(reader, from, "name");
		phases[each.index].hist = read_hist(reader, walk_object(walk, from, "ns"));
		load->phase_count = each.index + 1;
	}
}

static void read_errors(struct reader *reader, json_t *list, struct result_load *load)
{
	struct walk *walk = &reader->walk;
	struct walk_list each = walk_list(walk, "errors", list);
	struct result_errors *errors = make_array(reader, list, sizeof(*errors));
	json_t *from;

	while ((from = walk_next(walk, &each)) != NULL) {
		errors[each.index].kind = text(reader, from, "kind");
		errors[each.index].count = walk_count(walk, from, "count");
		errors[each.index].example = text(reader, from, "example");
	}
	load->errors = errors;
	load->error_count = json_array_size(list);
}

static void read_intervals(struct reader *reader, json_t *list, struct result_load *load)
{
	struct walk *walk = &reader->walk;
	struct walk_list each = walk_list(walk, "intervals", list);
	struct result_interval *intervals = make_array(reader, list, sizeof(*intervals));
	json_t *from;

	while ((from = walk_next(walk, &each)) != NULL) {
		intervals[each.index] = (struct result_interval){
			.start_s = walk_amount(walk, from, "start_s"),
			.length_s = walk_amount(walk, from, "length_s"),
			.completed = walk_count(walk, from, "completed"),
			.errors = walk_count(walk, from, "errors"),
			.p50_ns = walk_count(walk, from, "p50_ns"),
			.p90_ns = walk_count(walk, from, "p90_ns"),
			.p99_ns = walk_count(walk, from, "p99_ns"),
			.max_ns = walk_count(walk, from, "max_ns"),
			.scheduled = walk_count(walk, from, "scheduled"),
			.sent = walk_count(walk, from, "sent"),
		};
	}
	load->intervals = intervals;
	load->interval_count = json_array_size(list);
}

static void read_load(struct reader *reader, json_t *from, struct result_entry *entry)
{
	struct walk *walk = &reader->walk;
	struct result_load *load = result_alloc(reader->result, 1, sizeof(*load));
	size_t up = walk_down(walk, "load");

	if (load == NULL) {
		walk_fail(walk, -ENOMEM, NULL, "no memory");
		return;
	}
	entry->load = load;
	load->length_s = walk_amount(walk, from, "length_s");
	load->scheduled = walk_count(walk, from, "scheduled");
	load->sent = walk_count(walk, from, "sent");
	load->completed = walk_count(walk, from, "completed");
	load->bytes_sent = walk_count(walk, from, "bytes_sent");
	load->bytes_received = walk_count(walk, from, "bytes_received");
	read_phases(reader, walk_array(walk, from, "phases"), load);
	read_errors(reader, walk_array(walk, from, "errors"), load);
	read_intervals(reader, walk_array(walk, from, "intervals"), load);
	walk_up(walk, up);
}

static void read_entry(struct reader *reader, json_t *from)
{
	struct walk *walk = &reader->walk;
	const char *name = walk_text(walk, from, "name");
	struct result_entry *entry;

	if (*name == '\0')
		walk_fail(walk, -EBADMSG, "name", "is empty");
	if (result_entry_find(reader->result, name) != NULL)
		walk_fail(walk, -EBADMSG, "name", "is '%.60s', as that of another entry", name);
	if (walk->rc < 0)
		return;
	entry = result_entry_add(reader->result, name);
	if (entry == NULL) {
		walk_fail(walk, -ENOMEM, NULL, "no memory");
		return;
	}
	entry->group = text(reader, from, "group");
	entry->has_param = json_object_get(from, "param") != NULL;
	if (entry->has_param) {
		entry->param = walk_integer(walk, from, "param");
		entry->param_name = text(reader, from, "param_name");
	}
	entry->state = walk_choice(walk, from, "state", result_state_names);
	entry->message = text(reader, from, "message");
	entry->threads = walk_count(walk, from, "threads");
	entry->turns = walk_count(walk, from, "turns");
	read_samples(reader, walk_array(walk, from, "samples"), entry);
	read_counters(reader, walk_array(walk, from, "counters"), entry);
	if (json_object_get(from, "load") != NULL)
		read_load(reader, walk_object(walk, from, "load"), entry);
}

static void read_version(struct walk *walk, json_t *tree)
{
	int64_t version;

	if (strcmp(walk_text(walk, tree, "schema"), RESULT_SCHEMA) != 0)
		walk_fail(walk, -EBADMSG, "schema", "is not " RESULT_SCHEMA);
	version = walk_integer(walk, tree, "version");
	if (version > RESULT_VERSION)
		walk_fail(walk, -EPROTONOSUPPORT, "version",
			"is %lld: that file was written by a newer soon than " HARNESS_VERSION
			", whose programs read up to version %d; take the newer ones",
			(long long)version, RESULT_VERSION);
	else if (version < 1)
		walk_fail(
			walk, -EBADMSG, "version", "is %lld, which never was", (long long)version);
}

static void read_whole(struct reader *reader, json_t *tree)
{
	struct walk *walk = &reader->walk;
	struct result *result = reader->result;
	struct walk_list each;
	json_t *from;

	if (!json_is_object(tree))
		walk_fail(walk, -EBADMSG, NULL, "is no object");
	read_version(walk, tree);
	result->kind = walk_choice(walk, tree, "kind", result_kind_names);
	result->name = text(reader, tree, "name");
	result->session = text(reader, tree, "session");
	result->is_partial = walk_bool(walk, tree, "partial");
	result->partial_reason = text(reader, tree, "partial_reason");
	read_environment(reader, walk_object(walk, tree, "environment"));
	each = walk_list(walk, "entries", walk_array(walk, tree, "entries"));
	while ((from = walk_next(walk, &each)) != NULL)
		read_entry(reader, from);
}

static json_t *parse(struct walk *walk, FILE *file)
{
	json_error_t error;
	json_t *tree = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
	enum json_error_code code = tree == NULL ? json_error_code(&error) : json_error_unknown;

	if (tree != NULL)
		return tree;
	if (code == json_error_premature_end_of_input)
		walk_fail(walk, -EBADMSG, NULL,
			"the file is cut off at line %d: what wrote it was interrupted, or a copy "
			"of it",
			error.line);
	else if (code == json_error_out_of_memory)
		walk_fail(walk, -ENOMEM, NULL, "no memory");
	else
		walk_fail(walk, -EBADMSG, NULL, "line %d, column %d: %s", error.line, error.column,
			error.text);
	return NULL;
}

static json_t *load(struct walk *walk, const char *path)
{
	bool is_input = strcmp(path, "-") == 0;
	FILE *file = is_input ? stdin : fopen(path, "re");
	json_t *tree = NULL;
	struct stat status;

	if (file == NULL || fstat(fileno(file), &status) != 0)
		walk_fail(walk, -errno, NULL, "%s", strerrordesc_np(errno));
	else if (S_ISDIR(status.st_mode))
		walk_fail(walk, -EISDIR, NULL, "%s", strerrordesc_np(EISDIR));
	else if (status.st_size > RESULT_BYTES_MAX)
		walk_fail(walk, -EFBIG, NULL, "is %lld MiB, more than the %lld MiB of a result",
			(long long)(status.st_size >> 20), (long long)(RESULT_BYTES_MAX >> 20));
	else
		tree = parse(walk, file);
	if (file != NULL && !is_input)
		(void)fclose(file);
	return tree;
}

int result_read(const char *path, struct result **ret_result, struct result_error *ret_error)
{
	struct reader reader;
	json_t *tree;

	walk_init(&reader.walk, path, ret_error);
	reader.result = result_create(RESULT_BENCH);
	if (reader.result == NULL)
		walk_fail(&reader.walk, -ENOMEM, NULL, "no memory");
	tree = reader.result != NULL ? load(&reader.walk, path) : NULL;
	if (tree != NULL)
		read_whole(&reader, tree);
	json_decref(tree);
	if (reader.walk.rc < 0) {
		result_free(reader.result);
		return reader.walk.rc;
	}
	*ret_result = reader.result;
	return 0;
}
