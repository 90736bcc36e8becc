// SPDX-License-Identifier: Apache-2.0
/* report_pages FOLDER: writes pages for report_pages.py, and results for report_formats.py. */
#include "canned.h"

#include <stdio.h>
#include <stdlib.h>

static int write_page(const char *folder, const char *name, const struct report *report)
{
	struct result_error error = { "" };
	char path[512];
	FILE *file;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/%s.html", folder, name);
	file = fopen(path, "we");
	if (file == NULL) {
		perror(path);
		return -1;
	}
	rc = report_write(report, REPORT_HTML, file, &error);
	if (rc < 0)
		(void)fprintf(stderr, "%s: %s\n", name, error.text);
	return fclose(file) == 0 ? rc : -1;
}

/* Reports of one result or two; ends the results. */
static int write_of(const char *folder, const char *name, struct result *first,
	struct result *second, bool has_comparisons)
{
	struct report_input inputs[] = { { first, "before" }, { second, "after" } };
	struct report report = {
		.inputs = inputs,
		.input_count = second != NULL ? 2 : 1,
		.comparisons = canned_comparisons,
		.comparison_count = has_comparisons ? canned_comparison_count : 0,
		.entry = "",
		.phase = "",
	};
	int rc = write_page(folder, name, &report);

	result_free(first);
	result_free(second);
	return rc;
}

static int write_result(const char *folder, const char *name, struct result *result)
{
	struct result_error error = { "" };
	char path[512];
	int rc;

	(void)snprintf(path, sizeof(path), "%s/%s.json", folder, name);
	rc = result_write(result, path, &error);
	if (rc < 0)
		(void)fprintf(stderr, "%s\n", error.text);
	result_free(result);
	return rc;
}

int main(int argc, char **argv)
{
	static const char url[] = "http://127.0.0.1:8080/hello";
	const char *folder = argc == 2 ? argv[1] : NULL;

	if (folder == NULL) {
		(void)fputs("usage: report_pages FOLDER\n", stderr);
		return 2;
	}
	if (write_of(folder, "load", canned_load("", url, 1), NULL, false) < 0 ||
		write_of(folder, "loads", canned_load("", url, 1), canned_load("", url, 1.3),
			false) < 0 ||
		write_of(folder, "bench", canned_bench("", 1), NULL, false) < 0 ||
		write_of(folder, "compare", canned_bench("", 1), canned_bench("", 1.035), true) <
			0 ||
		write_of(folder, "hostile", canned_hostile(RESULT_LOAD), NULL, false) < 0 ||
		write_of(folder, "hostile_bench", canned_hostile(RESULT_BENCH), NULL, false) < 0)
		return 1;
	if (write_result(folder, "load", canned_load("", url, 1)) < 0 ||
		write_result(folder, "bench", canned_bench("", 1)) < 0 ||
		write_result(folder, "bench_after", canned_bench("after, \"quoted\"", 1.035)) < 0)
		return 1;
	return 0;
}
