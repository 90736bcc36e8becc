// SPDX-License-Identifier: Apache-2.0
/* cases.c: see cases.h. */
#include "cases.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Filled by constructors, before main and one at a time. */
static soon_bench_def *defs;
static soon_bench_def **defs_end = &defs;

void soon_bench_add(soon_bench_def *def)
{
	def->next = NULL;
	*defs_end = def;
	defs_end = &def->next;
}

static size_t param_count(const soon_bench_def *def)
{
	size_t count = 0;

	while (def->params != NULL && def->params[count] != INT64_MIN)
		count++;
	return count;
}

SOON_PRINTF(2, 3)
static int refuse(struct cases *cases, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(cases->message, sizeof(cases->message), format, args);
	va_end(args);
	return -EINVAL;
}

static int check(struct cases *cases, const soon_bench_def *def)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_/.-";

	if (def->name == NULL || def->name[0] == '\0')
		return refuse(cases, "a benchmark has no name");
	if (def->name[strspn(def->name, allowed)] != '\0')
		return refuse(cases, "'%s': a name has letters, digits, '_', '/', '.' and '-' only",
			def->name);
	if (strlen(def->name) > CASE_NAME_BYTES - sizeof("/-9223372036854775808"))
		return refuse(cases, "'%.40s...': the name is too long", def->name);
	if (def->run == NULL)
		return refuse(cases, "'%s' has no body", def->name);
	if (def->threads > SOON_BENCH_THREADS_MAX)
		return refuse(cases, "'%s': %u threads, more than %d", def->name, def->threads,
			SOON_BENCH_THREADS_MAX);
	if (def->threads > 1 && def->kind != SOON_BENCH_PLAIN)
		return refuse(cases, "'%s': a task runs on one thread", def->name);
	if (param_count(def) > SOON_BENCH_PARAMS_MAX)
		return refuse(
			cases, "'%s': more than %d parameters", def->name, SOON_BENCH_PARAMS_MAX);
	return 0;
}

static int add(
	struct cases *cases, const soon_bench_def *def, const int64_t *param, unsigned threads)
{
	struct soon_bench_case *made = &cases->list[cases->count];

	*made = (struct soon_bench_case){
		.def = def,
		.threads = def->threads > 1 ? def->threads : 1,
		.has_param = param != NULL,
		.param = param != NULL ? *param : 0,
		.io = "",
		.lock = ATOMIC_FLAG_INIT,
	};
	if (threads > 0 && def->kind == SOON_BENCH_PLAIN)
		made->threads = threads;
	if (param != NULL)
		(void)snprintf(made->name, sizeof(made->name), "%s/%" PRId64, def->name, *param);
	else
		(void)snprintf(made->name, sizeof(made->name), "%s", def->name);
	for (size_t i = 0; i < cases->count; i++) {
		if (strcmp(cases->list[i].name, made->name) == 0)
			return refuse(cases, "two benchmarks are called '%s'", made->name);
	}
	cases->count++;
	return 0;
}

static int add_all(struct cases *cases, const soon_bench_def *def, unsigned threads)
{
	size_t count = param_count(def);
	int rc = count == 0 ? add(cases, def, NULL, threads) : 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = add(cases, def, &def->params[i], threads);
	return rc;
}

int cases_make(unsigned threads, struct cases *ret_cases)
{
	size_t room = 0;
	int rc = 0;

	*ret_cases = (struct cases){ 0 };
	for (const soon_bench_def *def = defs; rc == 0 && def != NULL; def = def->next) {
		rc = check(ret_cases, def);
		room += param_count(def) + 1;
	}
	if (rc < 0)
		return rc;
	ret_cases->list = calloc(room + 1, sizeof(*ret_cases->list));
	if (ret_cases->list == NULL)
		return -ENOMEM;
	for (const soon_bench_def *def = defs; rc == 0 && def != NULL; def = def->next)
		rc = add_all(ret_cases, def, threads);
	return rc;
}

void cases_free(struct cases *cases)
{
	free(cases->list);
	cases->list = NULL;
	cases->count = 0;
}
