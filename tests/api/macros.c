// SPDX-License-Identifier: Apache-2.0
/*
 * The macros as a strict program uses them: compiled as C11 with -pedantic and no warning. What is
 * between #ifdef WRONG_x and its end must not compile, or warn as an error.
 */
#include <soon/soon.h>

struct job {
	int number;
};

static int by_pointer(struct job *job)
{
	return job->number;
}

static int by_flag(bool flag)
{
	return flag;
}

static int by_number(long number)
{
	return (int)number;
}

#ifdef WRONG_FLOAT
static int by_float(float number)
{
	return (int)number;
}
#endif

#ifdef WRONG_STRUCT
static int by_struct(struct job job)
{
	return job.number;
}
#endif

#ifdef WRONG_RESULT
static long gives_long(struct job *job)
{
	return job->number;
}
#endif

static void logs(struct job *job, const char *name)
{
	int number = job->number;

	soon_log_info("plain");
	soon_log(SOON_LOG_WARN, "fields", SOON_F("number", number), SOON_F("name", name),
		SOON_F("flag", (bool)number), SOON_F("real", 0.5), SOON_F("at", (void *)job));
	soon_log_error("more", SOON_F_ERR("rc", -ENOENT), SOON_F_NS("took", SOON_MS(3)),
		SOON_F_HEX("bits", 7), SOON_F_BYTES("bytes", name, 2));
	soon_logf(SOON_LOG_DEBUG, "%d of %s", number, name);
	if (soon_log_is_on(SOON_LOG_TRACE))
		soon_log_trace("costly");
#ifdef WRONG_FIELD
	soon_log_info("a struct", SOON_F("job", *job));
#endif
#ifdef WRONG_MESSAGE
	soon_log_info(name);
#endif
#ifdef WRONG_LEVEL
	soon_log(number, "no constant");
#endif
#ifdef WRONG_FORMAT
	soon_logf(SOON_LOG_INFO, "%s", number);
#endif
#ifdef WRONG_COUNT
#define EIGHT                                                                                      \
	SOON_F("a", 1), SOON_F("b", 2), SOON_F("c", 3), SOON_F("d", 4), SOON_F("e", 5),            \
		SOON_F("f", 6), SOON_F("g", 7), SOON_F("h", 8)
	soon_log_info("too many", EIGHT, EIGHT, SOON_F("i", 9));
#endif
}

int everything(struct job *job);

int everything(struct job *job)
{
	SOON_GROUP(plain);
	SOON_GROUP(group, .policy = SOON_WAIT_ALL, .name = "named");
	SOON_SCOPE(scope);
	SOON_SCOPE(timed, .timeout = SOON_S(1));
	int rc = soon_spawn(&plain, by_pointer, job);

#ifdef WRONG_FLOAT
	rc |= soon_spawn(&plain, by_float, 0);
#endif
#ifdef WRONG_STRUCT
	rc |= soon_spawn(&plain, by_struct, *job);
#endif
#ifdef WRONG_RESULT
	rc |= soon_spawn(&plain, gives_long, job);
#endif
#ifdef WRONG_POINTER
	rc |= soon_spawn(&plain, by_pointer, "text");
#endif
#ifdef WRONG_UNUSED
	soon_spawn(&plain, by_pointer, job);
#endif
	rc |= soon_spawn(&group, by_flag, true);
	rc |= soon_spawn(&group, by_number, -1);
	rc |= soon_spawn_copy(&group, by_pointer, job);
	rc |= soon_background(by_pointer, job);
	rc |= soon_offload(by_number, 5);
	SOON_IDLE {
		rc |= (int)soon_within(SOON_S(1), soon_sleep(SOON_MS(1)));
	}
	rc |= (int)soon_shielded(SOON_S(1), soon_yield());
	logs(job, "text");
	soon_scope_cancel(&scope, "enough");
	soon_group_cancel(&group, "enough");
	rc = (int)soon_scope_close(&timed, rc);
	rc = (int)soon_scope_close(&scope, rc);
	rc = (int)soon_group_close(&group, rc);
	return (int)soon_group_close(&plain, rc);
}

int main(void)
{
	return soon_run(everything, NULL);
}
