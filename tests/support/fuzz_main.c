// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a fuzz target over the files of the folders (or the files) given, once each, where there is
 * no libFuzzer. Every input is handed over in memory of its exact size, so that a sanitizer or
 * Valgrind sees one byte of over-read.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);

	if (!file || !data || fread(data, 1, size, file) != size) {
		perror(path);
		return -1;
	}
	fclose(file);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

/* Returns how many inputs were run, -1 when one could not be read. */
static int run_folder(const char *path)
{
	int count = 0;
	DIR *dir = opendir(path);

	if (!dir) {
		perror(path);
		return -1;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		char name[4096];
		struct stat st;
		if (snprintf(name, sizeof name, "%s/%s", path, entry->d_name) >= (int)sizeof name ||
			stat(name, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (run_file(name, (size_t)st.st_size) < 0) {
			closedir(dir);
			return -1;
		}
		count++;
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (stat(argv[i], &st) < 0) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		int count = S_ISDIR(st.st_mode) ? run_folder(argv[i])
						: run_file(argv[i], (size_t)st.st_size);
		if (count < 0)
			return EXIT_FAILURE;
		total += count;
	}
	printf("%d inputs\n", total);
	return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
