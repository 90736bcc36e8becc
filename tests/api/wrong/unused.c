// SPDX-License-Identifier: Apache-2.0
/* Results that nobody looks at: each is a warning, of functions and macros alike. */
#include <soon/soon.h>

static int work(int *n)
{
	return *n;
}

SOON_GEN(numbers, int, int n)
{
#ifdef EMIT /* warns: ignoring return value of */
	soon_emit(&n);
#endif
	return soon_emit(&n);
}

static int clean(int *n)
{
	return *n;
}

int tasks(int *number);
int tasks(int *number)
{
	int n = *number, rc;
	SOON_GROUP(g);

#ifdef SPAWN /* warns: ignoring return value of */
	soon_spawn(&g, work, &n);
#endif
#ifdef SPAWN_WITH /* warns: ignoring return value of */
	soon_spawn_with(&g, NULL, work, &n);
#endif
#ifdef SPAWN_COPY /* warns: ignoring return value of */
	soon_spawn_copy(&g, work, &n);
#endif
#ifdef BACKGROUND /* warns: ignoring return value of */
	soon_background(work, &n);
#endif
#ifdef START /* warns: ignoring return value of */
	soon_start(&g, work, &n);
#endif
#ifdef START_WITH /* warns: ignoring return value of */
	soon_start_with(&g, NULL, work, &n);
#endif
#ifdef GROUP_CLOSE /* warns: ignoring return value of */
	soon_group_close(&g, 0);
#endif
#ifdef GROUP_DEFER /* warns: ignoring return value of */
	soon_group_defer(&g, clean, &n);
#endif
#ifdef RUN /* warns: ignoring return value of */
	soon_run(work, &n);
#endif
	rc = (int)soon_spawn(&g, work, &n);
	rc |= (int)soon_spawn_with(&g, NULL, work, &n);
	rc |= (int)soon_spawn_copy(&g, work, &n);
	rc |= (int)soon_background(work, &n);
	rc |= (int)soon_start(&g, work, &n);
	rc |= (int)soon_start_with(&g, NULL, work, &n);
	rc |= (int)soon_group_defer(&g, clean, &n);
	rc |= (int)soon_run(work, &n);
	return (int)soon_group_close(&g, rc);
}

int waits(int *number);
int waits(int *number)
{
	static soon_callback callback;
	soon_core *core = soon_core_self();
	soon_task *task = soon_self();
	int n = *number, rc;
	SOON_SCOPE(s);

#ifdef SCOPE_CLOSE /* warns: ignoring return value of */
	soon_scope_close(&s, 0);
#endif
#ifdef WITHIN /* warns: ignoring return value of */
	soon_within(1, soon_sleep(1));
#endif
#ifdef SHIELDED /* warns: ignoring return value of */
	soon_shielded(1, soon_sleep(1));
#endif
#ifdef SLEEP /* warns: ignoring return value of */
	soon_sleep(1);
#endif
#ifdef YIELD /* warns: ignoring return value of */
	soon_yield();
#endif
#ifdef CHECKPOINT /* warns: ignoring return value of */
	soon_checkpoint();
#endif
#ifdef JOIN /* warns: ignoring return value of */
	soon_join(task, NULL);
#endif
#ifdef CANCEL_JOIN /* warns: ignoring return value of */
	soon_cancel_join(task);
#endif
#ifdef FAIL /* warns: ignoring return value of */
	soon_fail(-EIO, "text");
#endif
#ifdef OFFLOAD /* warns: ignoring return value of */
	soon_offload(work, &n);
#endif
#ifdef POST /* warns: ignoring return value of */
	soon_post(core, &callback);
#endif
	rc = (int)soon_within(1, soon_sleep(1));
	rc |= (int)soon_shielded(1, soon_sleep(1));
	rc |= (int)soon_sleep(1);
	rc |= (int)soon_yield();
	rc |= (int)soon_checkpoint();
	rc |= (int)soon_join(task, NULL);
	rc |= (int)soon_cancel_join(task);
	rc |= (int)soon_fail(-EIO, "text");
	rc |= (int)soon_offload(work, &n);
	rc |= (int)soon_post(core, &callback);
	(void)!soon_sleep(1); /* not looked at on purpose */
	return (int)soon_scope_close(&s, rc);
}

int items(int *number);
int items(int *number)
{
	static const soon_local key;
	static soon_mutex mutex;
	soon_stream *stream = NULL;
	soon_chan *chan = NULL;
	numbers_iter other;
	int n = *number, rc;
	SOON_ITER(it, numbers, n);

#ifdef GEN_OPEN /* warns: ignoring return value of */
	soon_gen_open(other, numbers, 1);
#endif
#ifdef NEXT /* warns: ignoring return value of */
	soon_next(it, &n);
#endif
#ifdef GEN_CLOSE /* warns: ignoring return value of */
	soon_gen_close(it);
#endif
#ifdef LOCAL_SET /* warns: ignoring return value of */
	soon_local_set(&key, &n);
#endif
#ifdef MUTEX_LOCK /* warns: ignoring return value of */
	soon_mutex_lock(&mutex);
#endif
#ifdef CHAN_SEND /* warns: ignoring return value of */
	soon_chan_send(chan, &n);
#endif
#ifdef CHAN_RECV /* warns: ignoring return value of */
	soon_chan_recv(chan, &n);
#endif
#ifdef READ /* warns: ignoring return value of */
	soon_read(0, &n, sizeof n);
#endif
#ifdef STREAM_WRITE /* warns: ignoring return value of */
	soon_stream_write(stream, "x", 1);
#endif
#ifdef DIAL /* warns: ignoring return value of */
	soon_dial("localhost:7", NULL, &stream);
#endif
	rc = (int)soon_gen_open(other, numbers, 1);
	rc |= (int)soon_next(it, &n);
	rc |= (int)soon_gen_close(it);
	rc |= (int)soon_local_set(&key, &n);
	rc |= (int)soon_mutex_lock(&mutex);
	rc |= (int)soon_chan_send(chan, &n);
	rc |= (int)soon_chan_recv(chan, &n);
	rc |= (int)soon_read(0, &n, sizeof n);
	rc |= (int)soon_stream_write(stream, "x", 1);
	rc |= (int)soon_dial("localhost:7", NULL, &stream);
	return rc;
}
