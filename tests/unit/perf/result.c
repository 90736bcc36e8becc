// SPDX-License-Identifier: Apache-2.0
/* result.c: what is written is read again, and nothing else is believed. */
#include "harness/result.h"

#include "support/harness.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/soon-result-XXXXXX";
static char path[64];
static struct result_error error;

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/result.json", folder);
}

/* Also a test that nothing was left beside the file. */
static void tear_down(void)
{
	(void)unlink(path);
	cr_expect_eq(rmdir(folder), 0, "%s: %s", folder, strerror(errno));
}

static void write_text(const char *text, size_t length)
{
	FILE *file = fopen(path, "we");

	cr_assert_not_null(file);
	cr_assert_eq(fwrite(text, 1, length, file), length);
	cr_assert_eq(fclose(file), 0);
}

static char *read_text(size_t *ret_length)
{
	static char text[1 << 20];
	FILE *file = fopen(path, "re");

	cr_assert_not_null(file);
	*ret_length = fread(text, 1, sizeof(text) - 1, file);
	text[*ret_length] = '\0';
	cr_assert_eq(fclose(file), 0);
	return text;
}

static const double first_run[] = { 1.5, 0.1, 1e-300, 123456789.123456789 };
static const double second_run[] = { 0 };
static const struct result_run runs[] = { { first_run, 4 }, { second_run, 1 }, { NULL, 0 } };
static const struct result_samples samples[] = {
	{ "wall", "ns", RESULT_BETTER_LESS, runs, 3, false },
	{ "rate", "1/s", RESULT_BETTER_MORE, runs, 1, false },
	{ "allocations", "", RESULT_BETTER_LESS, runs, 1, true },
};
static const struct result_counter counters[] = { { "bytes", "B", 64 }, { "change", "", -0.5 } };

static struct result *make_bench(void)
{
	char *const argv[] = { (char[]){ "bench" }, (char[]){ "--filter=a b" },
		(char[]){ "it's" } };
	struct result *result = result_create(RESULT_BENCH);
	struct result_entry *entry;

	cr_assert_not_null(result);
	cr_assert_eq(result_environment_read(result, 3, argv), 0);
	result->name = "before \xc3\xa4 \"quoted\"\n";
	result->session = "1234";
	entry = result_entry_add(result, "copy/-64");
	cr_assert_not_null(entry);
	entry->group = "copy";
	entry->has_param = true;
	entry->param = -64;
	entry->param_name = "bytes";
	entry->threads = 4;
	entry->turns = UINT64_C(1) << 60;
	entry->samples = samples;
	entry->sample_count = 3;
	entry->counters = counters;
	entry->counter_count = 2;
	entry = result_entry_add(result, "other");
	cr_assert_not_null(entry);
	entry->state = RESULT_SKIPPED;
	entry->message = "not here";
	return result;
}

static struct result *make_load(void)
{
	static const struct result_errors errors[] = { { "timeout", 3, "after 1 s" },
		{ "reset", 1, "" } };
	static const struct result_interval intervals[] = { { 0, 1, 10, 0, 1, 2, 3, 4, 13, 12 },
		{ 1, 0.5, 0, 4, 0, 0, 0, 0, 7, 3 } };
	struct result *result = result_create(RESULT_LOAD);
	struct result_entry *entry;
	struct result_load *load;
	struct result_phase *phases;

	cr_assert_not_null(result);
	entry = result_entry_add(result, "http://127.0.0.1/");
	load = result_alloc(result, 1, sizeof(*load));
	phases = result_alloc(result, 2, sizeof(*phases));
	cr_assert(entry != NULL && load != NULL && phases != NULL);
	phases[0].name = "connect";
	phases[1].name = "total";
	cr_assert_eq(soon_hist_create(NULL, &phases[0].hist), 0);
	cr_assert_eq(soon_hist_create(&(soon_hist_opts){ 5, 1000 }, &phases[1].hist), 0);
	for (uint64_t i = 0; i < 100000; i++)
		soon_hist_record(phases[1].hist, i * 7 % 1234);
	*load = (struct result_load){ 1.5, 20, 15, 11, 1500, INT64_MAX, phases, 2, errors, 2,
		intervals, 2 };
	entry->load = load;
	result->is_partial = true;
	result->partial_reason = "interrupted";
	return result;
}

static struct result *read_back(void)
{
	struct result *result = NULL;
	int rc = result_read(path, &result, &error);

	cr_assert_eq(rc, 0, "%d %s", rc, error.text);
	return result;
}

static void assert_same_samples(
	const struct result_samples *written, const struct result_samples *read)
{
	cr_expect_str_eq(read->name, written->name);
	cr_expect_str_eq(read->unit, written->unit);
	cr_expect_eq(read->better, written->better);
	cr_expect_eq(read->is_count, written->is_count);
	cr_assert_eq(read->run_count, written->run_count);
	for (size_t i = 0; i < read->run_count; i++) {
		cr_assert_eq(read->runs[i].count, written->runs[i].count);
		for (size_t k = 0; k < read->runs[i].count; k++)
			cr_expect_eq(read->runs[i].values[k], written->runs[i].values[k]);
	}
}

SOON_TEST_PLAIN(result, a_benchmark_is_read_as_it_was_written, .init = set_up, .fini = tear_down)
{
	struct result *written = make_bench(), *read;
	const struct result_entry *entry;

	cr_assert_eq(result_write(written, path, &error), 0, "%s", error.text);
	read = read_back();
	cr_expect_eq(read->kind, RESULT_BENCH);
	cr_expect_str_eq(read->name, written->name);
	cr_expect_str_eq(read->session, "1234");
	cr_expect_not(read->is_partial);
	cr_expect_str_eq(read->environment.kernel, written->environment.kernel);
	cr_expect_str_eq(read->environment.command, "bench '--filter=a b' 'it'\\''s'");
	cr_expect_str_eq(read->environment.started, written->environment.started);
	cr_expect_eq(strlen(read->environment.started), strlen("2026-11-29T09:30:00Z"));
	cr_expect_eq(read->environment.cpu_count, written->environment.cpu_count);
	cr_expect_gt(read->environment.cpu_count, 0);
	cr_expect_eq(read->environment.load_average[2], written->environment.load_average[2]);
	cr_assert_eq(read->entry_count, 2);
	entry = result_entry_find(read, "copy/-64");
	cr_assert_not_null(entry);
	cr_expect(entry->has_param);
	cr_expect_eq(entry->param, -64);
	cr_expect_eq(entry->turns, UINT64_C(1) << 60);
	cr_assert_eq(entry->sample_count, 3);
	assert_same_samples(&samples[0], result_samples_find(entry, "wall"));
	assert_same_samples(&samples[1], result_samples_find(entry, "rate"));
	assert_same_samples(&samples[2], result_samples_find(entry, "allocations"));
	cr_assert_eq(entry->counter_count, 2);
	cr_expect_eq(entry->counters[1].value, -0.5);
	entry = result_entry_find(read, "other");
	cr_assert_not_null(entry);
	cr_expect_eq(entry->state, RESULT_SKIPPED);
	cr_expect_not(entry->has_param);
	cr_expect_str_eq(entry->message, "not here");
	result_free(written);
	result_free(read);
}

static void assert_same_hist(const soon_hist *written, const soon_hist *read)
{
	uint32_t at = 0, at_read = 0;
	soon_hist_bucket one, other;
	soon_hist_totals totals, totals_read;

	soon_hist_totals_get(written, &totals);
	soon_hist_totals_get(read, &totals_read);
	cr_expect_eq(totals.sum, totals_read.sum);
	cr_expect_eq(totals.clipped, totals_read.clipped);
	cr_expect_eq(totals.least, totals_read.least);
	cr_expect_eq(totals.greatest, totals_read.greatest);
	while (soon_hist_next(written, &at, &one)) {
		cr_assert(soon_hist_next(read, &at_read, &other));
		cr_expect(one.index == other.index && one.count == other.count);
	}
	cr_expect_not(soon_hist_next(read, &at_read, &other));
}

SOON_TEST_PLAIN(result, a_load_is_read_as_it_was_written, .init = set_up, .fini = tear_down)
{
	struct result *written = make_load(), *read;
	const struct result_load *load, *before = written->entries[0]->load;

	cr_assert_eq(result_write(written, path, &error), 0, "%s", error.text);
	read = read_back();
	cr_expect_eq(read->kind, RESULT_LOAD);
	cr_expect(read->is_partial);
	cr_expect_str_eq(read->partial_reason, "interrupted");
	cr_assert_eq(read->entry_count, 1);
	load = read->entries[0]->load;
	cr_assert_not_null(load);
	cr_expect_eq(load->length_s, 1.5);
	cr_expect(load->scheduled == 20 && load->sent == 15 && load->completed == 11);
	cr_expect_eq(load->bytes_received, INT64_MAX);
	cr_assert_eq(load->phase_count, 2);
	cr_expect_str_eq(load->phases[1].name, "total");
	assert_same_hist(before->phases[0].hist, load->phases[0].hist);
	assert_same_hist(before->phases[1].hist, load->phases[1].hist);
	cr_assert_eq(load->error_count, 2);
	cr_expect_str_eq(load->errors[0].example, "after 1 s");
	cr_assert_eq(load->interval_count, 2);
	cr_expect(memcmp(load->intervals, before->intervals, 2 * sizeof(*load->intervals)) == 0);
	result_free(written);
	result_free(read);
}

/* Whatever the end of a file is missing, it is noticed, and said to be cut off. */
SOON_TEST_PLAIN(result, each_truncated_file_is_refused, .init = set_up, .fini = tear_down)
{
	struct result *result = make_load();
	size_t length;
	char *text;

	cr_assert_eq(result_write(result, path, &error), 0, "%s", error.text);
	text = read_text(&length);
	result_free(result);
	/* The last character is a newline. */
	for (size_t kept = 0; kept < length - 1; kept += 1 + kept / 50) {
		write_text(text, kept);
		cr_assert_eq(
			result_read(path, &result, &error), -EBADMSG, "%zu of %zu", kept, length);
		cr_expect_eq(strncmp(error.text, path, strlen(path)), 0, "%s", error.text);
	}
	cr_expect_not_null(strstr(error.text, "cut off"), "%s", error.text);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Bytes that are changed, doubled or left out give a result or an error, and no harm. */
SOON_TEST_PLAIN(result, mutated_files_do_no_harm, .init = set_up, .fini = tear_down)
{
	static const char spice[] = "\"{}[],:-0.9eE\\tn\xff ";
	struct result *result = make_load();
	uint32_t state = 7;
	size_t length;
	char *text, *changed;
	int refused = 0;

	cr_assert_eq(result_write(result, path, &error), 0, "%s", error.text);
	text = read_text(&length);
	result_free(result);
	changed = malloc(2 * length);
	cr_assert_not_null(changed);
	for (int round = 0; round < 400; round++) {
		size_t at = next_random(&state) % length, size = next_random(&state) % 40;
		size_t kept = at + size < length ? at + size : length, end = length;

		memcpy(changed, text, length);
		if (round % 3 == 0) {
			changed[at] = spice[next_random(&state) % (sizeof(spice) - 1)];
		} else if (round % 3 == 1) {
			memmove(changed + at, text + kept, length - kept);
			end = length - (kept - at);
		} else {
			memcpy(changed + kept, text + at, length - at);
			end = kept + length - at;
		}
		write_text(changed, end);
		if (result_read(path, &result, &error) == 0) {
			result_free(result);
			continue;
		}
		refused++;
		cr_expect_eq(strncmp(error.text, path, strlen(path)), 0, "%s", error.text);
	}
	cr_expect_gt(refused, 150, "%d", refused);
	free(changed);
}

/* A result with one place of its text replaced: of a load, when the text occurs there only. */
static int read_changed(const char *from, const char *to)
{
	bool is_load = strstr(from, "_s\"") != NULL || strstr(from, "\"ns\"") != NULL ||
		strstr(from, "_ns\"") != NULL || strstr(from, "least") != NULL ||
		strstr(from, "buckets") != NULL;
	struct result *result = is_load ? make_load() : make_bench();
	static char changed[1 << 20];
	size_t length, before;
	const char *text, *at;
	int rc;

	cr_assert_eq(result_write(result, path, &error), 0, "%s", error.text);
	result_free(result);
	text = read_text(&length);
	at = strstr(text, from);
	cr_assert_not_null(at, "%s", from);
	before = (size_t)(at - text);
	memcpy(changed, text, before);
	memcpy(changed + before, to, strlen(to));
	memcpy(changed + before + strlen(to), at + strlen(from), length - before - strlen(from));
	write_text(changed, length + strlen(to) - strlen(from));
	rc = result_read(path, &result, &error);
	if (rc == 0)
		result_free(result);
	return rc;
}

SOON_TEST_PLAIN(result, errors_name_file_and_place, .init = set_up, .fini = tear_down)
{
	static const struct {
		const char *from, *to, *said;
		int rc;
	} cases[] = {
		{ "\"soon-result\"", "\"other\"", "$.schema: is not soon-result", -EBADMSG },
		{ "\"soon-result\"", "7", "$.schema: is an integer and should be a text",
			-EBADMSG },
		{ "\"version\": 1", "\"version\": 2",
			"$.version: is 2: that file was written by a newer", -EPROTONOSUPPORT },
		{ "\"version\": 1", "\"version\": 0", "$.version", -EBADMSG },
		{ "\"version\": 1", "\"version\": 1.5", "$.version: is a number", -EBADMSG },
		{ "\"kind\": \"bench\"", "\"kind\": \"song\"", "$.kind: is 'song'", -EBADMSG },
		{ "\"session\": ", "\"season\": ", "$.session: is missing", -EBADMSG },
		{ "\"name\": \"b", "\"name\": \"\\u0000b", "u0000", -EBADMSG },
		{ "\"partial\": false", "\"partial\": 0", "$.partial: is an integer", -EBADMSG },
		{ "\"cpu_count\":", "\"cpu_count\":-", "$.environment.cpu_count: is negative",
			-EBADMSG },
		{ "\"load_average\":[", "\"load_average\":[[],", "$.environment.load_average[0]",
			-EBADMSG },
		{ "\"turns\":1152921504606846976", "\"turns\":99999999999999999999", "line",
			-EBADMSG },
		{ "\"param\":-64", "\"param\":null", "$.entries[0].param: is null", -EBADMSG },
		{ "\"threads\":4", "\"threads\":4,\"threads\":4", "duplicate", -EBADMSG },
		{ "0.10000000000000001", "NaN", "line", -EBADMSG },
		{ "0.10000000000000001", "1e999", "overflow", -EBADMSG },
		{ "0.10000000000000001", "-0.1", "$.entries[0].samples[0].runs[0][1]: is negative",
			-EBADMSG },
		{ "0.10000000000000001", "\"x\"", "$.entries[0].samples[0].runs[0][1]: is a text",
			-EBADMSG },
		{ "\"counted\":true", "\"counted\":1",
			"$.entries[0].samples[2].counted: is an integer", -EBADMSG },
		{ "\"less\"", "\"lesser\"", "$.entries[0].samples[0].better", -EBADMSG },
		{ "\"name\":\"rate\"", "\"name\":\"wall\"", "$.entries[0].samples[1].name",
			-EBADMSG },
		{ "\"name\":\"other\"", "\"name\":\"copy/-64\"", "$.entries[1].name: is 'copy/-64'",
			-EBADMSG },
		{ "\"length_s\":1.5", "\"length_s\":-1", "$.entries[0].load.length_s", -EBADMSG },
		{ "\"ns\":{\"precision\":8", "\"ns\":{\"precision\":99",
			"$.entries[0].load.phases[0].ns.precision", -EBADMSG },
		{ "\"ns\":{\"precision\":8,\"value_max\":",
			"\"ns\":{\"precision\":8,\"value_max\":0,\"x\":",
			"$.entries[0].load.phases[0].ns.value_max", -EBADMSG },
		{ "\"p50_ns\":1", "\"p50_ns\":true", "$.entries[0].load.intervals[0].p50_ns",
			-EBADMSG },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = read_changed(cases[i].from, cases[i].to);

		cr_expect_eq(rc, cases[i].rc, "%s: %d", cases[i].to, rc);
		cr_expect_not_null(
			strstr(error.text, cases[i].said), "%s: %s", cases[i].to, error.text);
		cr_expect_eq(strncmp(error.text, path, strlen(path)), 0, "%s", error.text);
	}
	/* What a later program adds, is none of our business. */
	cr_expect_eq(
		read_changed("\"version\": 1", "\"version\": 1,\"more\":[1]"), 0, "%s", error.text);
}

SOON_TEST_PLAIN(result, a_histogram_that_lies_is_refused, .init = set_up, .fini = tear_down)
{
	static const char from[] = "\"least\":0,\"greatest\":1233";

	cr_expect_eq(read_changed(from, "\"least\":0,\"greatest\":5"), -EBADMSG);
	cr_expect_not_null(strstr(error.text, "$.entries[0].load.phases[1].ns: contradicts"), "%s",
		error.text);
	cr_expect_eq(read_changed("\"buckets\":[[0,", "\"buckets\":[[0,0],[0,"), -EBADMSG);
	cr_expect_eq(read_changed("\"buckets\":[[0,", "\"buckets\":[[4294967296,"), -EBADMSG);
	cr_expect_not_null(strstr(error.text, "ns.buckets[0]"), "%s", error.text);
}

SOON_TEST_PLAIN(result, what_json_cannot_say_is_not_written, .init = set_up, .fini = tear_down)
{
	static const double nan_run[] = { 1, NAN };
	static const struct result_run nan_runs[] = { { nan_run, 2 } };
	static const struct result_samples nan_samples[] = { { "wall", "ns", RESULT_BETTER_LESS,
		nan_runs, 1, false } };
	struct result *result = make_bench();

	result->entries[0]->samples = nan_samples;
	result->entries[0]->sample_count = 1;
	cr_expect_eq(result_write(result, path, &error), -EINVAL);
	cr_expect_not_null(strstr(error.text, "$.entries[0]: is not a finite"), "%s", error.text);
	result->entries[0]->sample_count = 0;
	result->entries[0]->turns = UINT64_MAX;
	cr_expect_eq(result_write(result, path, &error), -EINVAL);
	cr_expect_not_null(strstr(error.text, "$.entries[0].turns"), "%s", error.text);
	result->entries[0]->turns = 0;
	result->name = "\xff";
	cr_expect_eq(result_write(result, path, &error), -EINVAL);
	cr_expect_not_null(strstr(error.text, "$.name: is not UTF-8"), "%s", error.text);
	cr_expect_neq(access(path, F_OK), 0);
	result_free(result);
}

SOON_TEST_PLAIN(
	result, an_old_file_stays_when_the_new_one_does_not_fit, .init = set_up, .fini = tear_down)
{
	struct result *result = make_load(), *old;
	const struct rlimit small = { 1000, 1000 };

	cr_assert_eq(result_write(result, path, &error), 0, "%s", error.text);
	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	cr_expect_eq(result_write(result, path, &error), -EFBIG, "%s", error.text);
	cr_expect_not_null(strstr(error.text, "cannot be written"), "%s", error.text);
	old = read_back();
	result_free(old);
	result_free(result);
}

SOON_TEST_PLAIN(result, devices_are_written_to_and_not_replaced, .init = set_up, .fini = tear_down)
{
	struct result *result = make_bench();
	struct stat status;

	cr_expect_eq(result_write(result, "/dev/null", &error), 0, "%s", error.text);
	cr_expect_eq(result_write(result, "/dev/full", &error), -ENOSPC, "%s", error.text);
	cr_assert_eq(stat("/dev/full", &status), 0);
	cr_expect(S_ISCHR(status.st_mode));
	result_free(result);
}

SOON_TEST_PLAIN(result, files_that_cannot_be_had_are_named, .init = set_up, .fini = tear_down)
{
	struct result *result = make_bench();

	cr_expect_eq(result_read(path, &result, &error), -ENOENT);
	cr_expect_not_null(strstr(error.text, "No such file"), "%s", error.text);
	cr_expect_eq(result_read(folder, &result, &error), -EISDIR);
	cr_expect_eq(result_write(result, "/nowhere/at/all", &error), -ENOENT);
	write_text("", 1);
	cr_assert_eq(truncate(path, RESULT_BYTES_MAX + 1), 0);
	cr_expect_eq(result_read(path, &result, &error), -EFBIG);
	write_text("[]", 2);
	cr_expect_eq(result_read(path, &result, &error), -EBADMSG);
	result_free(result);
}
