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
