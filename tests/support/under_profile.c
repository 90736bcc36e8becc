// SPDX-License-Identifier: Apache-2.0
/*
 * under_profile PROFILE PROGRAM [ARG]...: runs the program under a seccomp profile as containers
 * have them: the JSON of the OCI's runtime specification, as far as our profile uses it. What is
 * not understood is an error, and so is a name that no architecture has: it would be a typo.
 */
#include <errno.h>
#include <jansson.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 6

static _Noreturn void fail(const char *what, const char *name)
{
	(void)fprintf(stderr, "under_profile: %s: %s\n", what, name);
	exit(2);
}

/* A library older than a field of the format ignores it; we do not. */
static uint32_t action_of(const json_t *object, const char *key, const char *errno_key)
{
	const char *name = json_string_value(json_object_get(object, key));
	json_int_t err = json_integer_value(json_object_get(object, errno_key));

	if (name != NULL && strcmp(name, "SCMP_ACT_ALLOW") == 0)
		return SCMP_ACT_ALLOW;
	if (name == NULL || strcmp(name, "SCMP_ACT_ERRNO") != 0)
		fail("unknown action", name != NULL ? name : "(none)");
	return SCMP_ACT_ERRNO(err > 0 ? (uint32_t)err : EPERM);
}

static struct scmp_arg_cmp arg_of(const json_t *arg)
{
	const char *op = json_string_value(json_object_get(arg, "op"));
	struct scmp_arg_cmp cmp = {
		.arg = (unsigned)json_integer_value(json_object_get(arg, "index")),
		.datum_a = (scmp_datum_t)json_integer_value(json_object_get(arg, "value")),
		.datum_b = (scmp_datum_t)json_integer_value(json_object_get(arg, "valueTwo")),
	};

	if (op != NULL && strcmp(op, "SCMP_CMP_EQ") == 0)
		cmp.op = SCMP_CMP_EQ;
	else if (op != NULL && strcmp(op, "SCMP_CMP_MASKED_EQ") == 0)
		cmp.op = SCMP_CMP_MASKED_EQ;
	else
		fail("unknown comparison", op != NULL ? op : "(none)");
	return cmp;
}

static void add_rule(scmp_filter_ctx filter, uint32_t default_action, const json_t *rule)
{
	uint32_t action = action_of(rule, "action", "errnoRet");
	const json_t *names = json_object_get(rule, "names");
	const json_t *args = json_object_get(rule, "args");
	struct scmp_arg_cmp cmps[ARGS_MAX];
	unsigned count = (unsigned)json_array_size(args);

	if (json_array_size(names) == 0 || count > ARGS_MAX)
		fail("a rule", "has no names, or too many arguments");
	for (unsigned i = 0; i < count; i++)
		cmps[i] = arg_of(json_array_get(args, i));
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		int number = name != NULL ? seccomp_syscall_resolve_name(name) : __NR_SCMP_ERROR;
		int rc;

		if (number == __NR_SCMP_ERROR)
			fail("unknown system call", name != NULL ? name : "(not a text)");
		if (number < 0 || action == default_action)
			continue; /* another architecture's; or nothing to add */
		rc = seccomp_rule_add_array(filter, action, number, count, cmps);
		if (rc < 0)
			fail(name, strerror(-rc));
	}
}

static void apply(const json_t *profile)
{
	uint32_t default_action = action_of(profile, "defaultAction", "defaultErrnoRet");
	const json_t *rules = json_object_get(profile, "syscalls");
	scmp_filter_ctx filter = seccomp_init(default_action);
	int rc;

	if (filter == NULL || !json_is_array(rules))
		fail("profile", "no rules, or no memory");
	for (size_t i = 0; i < json_array_size(rules); i++)
		add_rule(filter, default_action, json_array_get(rules, i));
	rc = seccomp_load(filter);
	if (rc < 0)
		fail("load", strerror(-rc));
	seccomp_release(filter);
}

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *profile;

	if (argc < 3)
		fail("usage", "under_profile PROFILE PROGRAM [ARG]...");
	profile = json_load_file(argv[1], JSON_REJECT_DUPLICATES, &error);
	if (profile == NULL)
		fail(argv[1], error.text);
	apply(profile);
	json_decref(profile);
	(void)execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
