// SPDX-License-Identifier: Apache-2.0
#include "watchdog.h"

#include <soon/assert.h>

#include "core/spi/text.h"

#include "capture.h"
#include "core.h"
#include "sigmask.h"
#include "symbol.h"

#include <string.h>
#include <time.h>

enum {
	LOOKS = 4,         /* that find the same step before it is slow */
	LOOKS_IDLE = 8,    /* that find all cores asleep before the thread sleeps, too */
	REPORT_AGAIN = 10, /* times as long, a step is reported again */
	BUCKETS = sizeof((soon_latency *)0)->buckets / sizeof(uint64_t),
};

static const soon_ns SLOW_DEFAULT = SOON_MS(100);
static const soon_ns PERIOD_MIN = SOON_MS(1);
static const soon_ns PERIOD_MAX = SOON_S(1);
static const soon_ns BUDGET_NS = SOON_S(60);

/* A silence of the thread of that length says that the process was stopped. */
static const soon_ns STOPPED_NS = SOON_S(1);

/* The thread, and what it watches. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t rung;
	bool has_cond;
	bool is_running;
	bool is_ending;
	bool is_rung;
	unsigned users;
	pthread_t thread;
	struct soon__list watches;
	pthread_mutex_t life; /* held while the thread is started or joined; before `lock` */
	_Atomic(uint64_t) looks;
	_Atomic(soon_ns) looked_at;
	_Atomic(soon_ns) stopped_from, stopped_to; /* the last silence */
} dog = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.life = PTHREAD_MUTEX_INITIALIZER,
	.watches = { &dog.watches, &dog.watches },
};

/* The system's, whatever clock the core has: a step takes real time. */
static soon_ns real_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

static soon_ns load_ns(_Atomic(soon_ns) *at)
{
	/* Relaxed: times to compare, which order nothing. */
	return atomic_load_explicit(at, memory_order_relaxed);
}

static void latency_add(soon_latency *latency, soon_ns took)
{
	uint64_t us = (uint64_t)took / 1000;
	unsigned bucket = us == 0 ? 0 : 64 - (unsigned)__builtin_clzll(us);

	latency->count++;
	if (took > latency->max)
		latency->max = took;
	latency->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

/* ---- reports, by both ---------------------------------------------------------------------- */

/* Whether one more report of the core may be filed; `ret_before`: how many were not, since. */
static bool may_report_locked(struct soon__watch *watch, uint64_t *ret_before)
{
	soon_ns now = real_now();
	bool may;

	if (now >= watch->budget_end) {
		watch->budget_left = SOON_SLOW_REPORTS_MAX;
		watch->budget_end = now + BUDGET_NS;
	}
	may = watch->budget_left > 0;
	if (may) {
		watch->budget_left--;
		watch->stats.reported++;
		*ret_before = watch->suppressed;
		watch->suppressed = 0;
	} else {
		watch->suppressed++;
		watch->stats.suppressed++;
	}
	return may;
}

static bool may_report(struct soon__watch *watch, uint64_t *ret_before)
{
	bool may;

	(void)pthread_mutex_lock(&dog.lock);
	may = may_report_locked(watch, ret_before);
	(void)pthread_mutex_unlock(&dog.lock);
	return may;
}

static void put_before(struct soon__text *text, uint64_t before)
{
	if (before == 0)
		return;
	soon__text_str(text, " (and ");
	soon__text_uint(text, before);
	soon__text_str(text, " more before it that were not reported)");
}

static void put_task(struct soon__text *text, const char *name, uint64_t id, const soon_site *site)
{
	soon__text_str(text, "task '");
	soon__text_str(text, name);
	soon__text_str(text, "' #");
	soon__text_uint(text, id);
	soon__text_str(text, ", spawned at ");
	soon__text_site(text, site);
}

/* ---- the core's side ------------------------------------------------------------------------ */

/* How much of the last `took` the process was stopped. */
static soon_ns stopped_within(soon_ns now, soon_ns took)
{
	soon_ns silence = now - load_ns(&dog.looked_at);
	soon_ns from = load_ns(&dog.stopped_from), to = load_ns(&dog.stopped_to);
	soon_ns sum = silence > STOPPED_NS ? silence : 0;

	if (from < now - took)
		from = now - took;
	if (to > from)
		sum += to - from;
	return sum < took ? sum : took;
}

static bool is_slow(const struct soon__watch *watch, soon_ns now, soon_ns took)
{
	return took >= watch->slow_ns && took - stopped_within(now, took) >= watch->slow_ns;
}

static void note_slow(struct soon__watch *watch, const soon_task *task, soon_ns took)
{
	struct soon__slow_step *slow = &watch->slow;
	size_t len = strnlen(task->name, sizeof slow->name - 1);

	slow->took = took;
	slow->task_id = task->id;
	slow->site = task->site;
	slow->was_caught = atomic_load_explicit(&watch->caught, memory_order_relaxed) ==
		soon__sched_switches(&task->core->sched) + 1;
	memcpy(slow->name, task->name, len);
	slow->name[len] = '\0';
	watch->has_slow_step = true;
}

bool soon__watch_step(soon_core *core)
{
	struct soon__watch *watch = &core->watch;
	soon_ns now = real_now(), took = now - watch->step_at;
	bool slow = is_slow(watch, now, took);

	latency_add(&watch->stats.steps, took);
	watch->steps++;
	if (SOON_UNLIKELY(slow))
		note_slow(watch, core->sched.current, took);
	if (watch->probe && core->sched.head == watch->probe) {
		latency_add(&watch->stats.resumes, now - watch->pass_at);
		watch->probe = NULL;
	}
	watch->step_at = now;
	return slow;
}

void soon__watch_pass(soon_core *core)
{
	struct soon__watch *watch = &core->watch;

	watch->step_at = real_now();
	if (watch->probe && core->sched.head == watch->probe) {
		latency_add(&watch->stats.resumes, watch->step_at - watch->pass_at);
		watch->probe = NULL;
	}
}

void soon__watch_pass_done(soon_core *core)
{
	struct soon__watch *watch = &core->watch;
	struct soon__slow_step slow = watch->slow;
	uint64_t before = 0;
	struct soon__text text;
	char buf[SOON_REPORT_TEXT_BYTES];

	if (SOON_LIKELY(slow.took == 0))
		return;
	watch->slow.took = 0;
	/* One that was caught has had its report; this is how it ended. */
	if (!slow.was_caught && !may_report(watch, &before))
		return;
	soon__text_init(&text, buf, sizeof buf, SOON__TEXT_NO_FD);
	put_task(&text, slow.name, slow.task_id, slow.site);
	soon__text_str(&text, slow.was_caught ? ", has given way, after " : ", ran for ");
	soon__text_duration(&text, slow.took);
	if (!slow.was_caught)
		soon__text_str(&text, " without giving way");
	put_before(&text, before);
	soon_report_at(SOON_REPORT_WARNING, 0, slow.site, "%s", buf);
}

static void report_late(soon_core *core, const char *what, soon_ns took)
{
	struct soon__watch *watch = &core->watch;
	uint64_t before;
	struct soon__text text;
	char buf[SOON_REPORT_TEXT_BYTES];

	if (!may_report(watch, &before))
		return;
	soon__text_init(&text, buf, sizeof buf, SOON__TEXT_NO_FD);
	soon__text_str(&text, what);
	soon__text_duration(&text, took);
	put_before(&text, before);
	soon_report_file(SOON_REPORT_WARNING, 0, "%s", buf);
}

static void pass_ended(soon_core *core, soon_ns now)
{
	struct soon__watch *watch = &core->watch;
	soon_ns took = now - watch->pass_at;

	latency_add(&watch->stats.passes, took);
	if (!watch->has_slow_step && is_slow(watch, now, took))
		report_late(core,
			watch->steps > 0 ? "no step was slow, but the core did not look at I/O, "
					   "timers and posts for "
					 : "callbacks and completions kept the core for ",
			took);
	watch->has_slow_step = false;
	watch->steps = 0;
}

static void ring(void)
{
	(void)pthread_mutex_lock(&dog.lock);
	dog.is_rung = true;
	(void)pthread_cond_signal(&dog.rung);
	(void)pthread_mutex_unlock(&dog.lock);
}

static void beat_idle(struct soon__watch *watch)
{
	uint64_t beat = atomic_load_explicit(&watch->beat, memory_order_relaxed);

	/* A plain change: from BUSY only the core changes it. */
	atomic_store_explicit(
		&watch->beat, (beat & ~(uint64_t)3) | SOON__BEAT_IDLE, memory_order_relaxed);
}

static void beat_busy(struct soon__watch *watch)
{
	uint64_t beat = atomic_load_explicit(&watch->beat, memory_order_relaxed);

	/* Relaxed: the lock orders what comes of it. */
	beat = atomic_exchange_explicit(
		&watch->beat, ((beat & ~(uint64_t)3) + 4) | SOON__BEAT_BUSY, memory_order_relaxed);
	if ((beat & 3) == SOON__BEAT_UNWATCHED)
		ring();
}

/* By how much a wait took longer than it was to. Without a deadline nobody can tell. */
static soon_ns overrun_of(soon_ns begin, soon_ns end, soon_ns until)
{
	if (until == SOON_NEVER)
		return 0;
	if (until < begin)
		until = begin;
	return end > until ? end - until : 0;
}

int soon__watch_poll(soon_core *core, soon_ns until)
{
	struct soon__watch *watch = &core->watch;
	soon_ns begin = real_now(), end, overrun;
	soon_task **tail = core->sched.tail;
	int rc;

	pass_ended(core, begin);
	if (until != 0)
		beat_idle(watch);
	rc = core->poller->ops->poll(core->poller, until);
	if (until != 0)
		beat_busy(watch);
	end = real_now();
	/* A clock of its own has nothing to say about how long the system took. */
	if (!core->clock.read) {
		overrun = overrun_of(begin, end, until);
		latency_add(&watch->stats.overruns, overrun);
		if (is_slow(watch, end, overrun))
			report_late(
				core, "the system kept the core longer than asked, by ", overrun);
	}
	watch->pass_at = watch->step_at = end;
	if (core->sched.tail != tail)
		watch->probe = SOON_CONTAINER_OF(core->sched.tail, soon_task, next);
	return rc;
}

void soon__watch_stats(soon_core *core, soon_slow_stats *ret_stats)
{
	(void)pthread_mutex_lock(&dog.lock);
	*ret_stats = core->watch.stats;
	(void)pthread_mutex_unlock(&dog.lock);
}

/* ---- the thread ------------------------------------------------------------------------------ */

struct finding {
	soon_ns age;   /* at least */
	bool is_known; /* `capture` is filled in */
	bool is_told;
	int rc;
	uint64_t before; /* as may_report() gives it */
	struct soon__capture capture;
};

static soon_ns period_of(const struct soon__watch *watch)
{
	soon_ns period = watch->slow_ns / LOOKS;

	if (period < PERIOD_MIN)
		return PERIOD_MIN;
	return period < PERIOD_MAX ? period : PERIOD_MAX;
}

static soon_ns period_least(void)
{
	soon_ns least = PERIOD_MAX;

	for (struct soon__list *l = dog.watches.next; l != &dog.watches; l = l->next) {
		soon_ns period = period_of(SOON_CONTAINER_OF(l, struct soon__watch, link));

		least = period < least ? period : least;
	}
	return least;
}

static soon_core *core_of(struct soon__watch *watch)
{
	return SOON_CONTAINER_OF(watch, soon_core, watch);
}

/* One look at one core: whether its step is slow, and due to be reported. */
static bool look(struct soon__watch *watch, soon_ns period)
{
	uint64_t beat = atomic_load_explicit(&watch->beat, memory_order_relaxed);
	uint64_t switches = soon__sched_switches(&core_of(watch)->sched);
	unsigned needed = (unsigned)((watch->slow_ns + period - 1) / period);

	if (beat != watch->seen_beat || switches != watch->seen_switches ||
		(beat & 3) != SOON__BEAT_BUSY) {
		watch->seen_beat = beat;
		watch->seen_switches = switches;
		watch->seen_count = 0;
		watch->report_at = needed;
		return false;
	}
	return ++watch->seen_count == watch->report_at;
}

/* Under the lock, so that the core, and with it its thread, stays. */
static void find(struct soon__watch *watch, soon_ns period, struct finding *finding)
{
	finding->age = (soon_ns)watch->seen_count * period;
	watch->report_at = watch->seen_count < 100000000 ? watch->seen_count * REPORT_AGAIN : 0;
	finding->rc = soon__capture_thread(watch->thread, &finding->capture);
	/* It may have gone on meanwhile. */
	finding->is_known = finding->rc == 0 &&
		finding->capture.switch_count == watch->seen_switches &&
		atomic_load_explicit(&watch->beat, memory_order_relaxed) == watch->seen_beat;
	/* One that gave way while it was being asked about has its end told, by the core. */
	finding->is_told = (finding->is_known || finding->rc < 0) &&
		may_report_locked(watch, &finding->before);
	if (finding->is_told && finding->is_known)
		atomic_store_explicit(
			&watch->caught, watch->seen_switches + 1, memory_order_relaxed);
}

static const char *why_unknown(int rc)
{
	switch (rc) {
	case -EBUSY:
		return "the program handles SIGURG itself";
	case -ETIMEDOUT:
		return "its thread does not take SIGURG";
	default:
		return "its thread cannot be asked";
	}
}

/*
 * Without the lock: the sink is the program's. Not inlined: the text and the finding above it in
 * one frame would be more than a frame may have.
 */
static __attribute__((noinline)) void report(const struct finding *finding)
{
	const struct soon__capture *capture = &finding->capture;
	struct soon__symbols *symbols;
	struct soon__text text;
	char buf[SOON_REPORT_TEXT_BYTES];

	soon__text_init(&text, buf, sizeof buf, SOON__TEXT_NO_FD);
	if (finding->is_known && capture->task_id)
		put_task(&text, capture->task_name, capture->task_id, capture->task_site);
	else
		soon__text_str(
			&text, finding->is_known ? "a callback, or the loop itself," : "a step");
	soon__text_str(&text, " has kept its core for at least ");
	soon__text_duration(&text, finding->age);
	soon__text_str(&text, ", and still does");
	put_before(&text, finding->before);
	symbols = finding->is_known ? soon__symbols_borrow() : NULL;
	if (symbols) {
		soon__text_str(&text, ": in ");
		soon__text_capture(&text, symbols, capture);
		soon__symbols_give_back();
	} else if (finding->rc < 0) {
		soon__text_str(&text, "; no stack: ");
		soon__text_str(&text, why_unknown(finding->rc));
	}
	soon_report_at(
		SOON_REPORT_WARNING, 0, finding->is_known ? capture->task_site : NULL, "%s", buf);
}

/* Looks at all cores; whether they all sleep. Reports drop the lock, and may change the list. */
static bool look_at_all(soon_ns period)
{
	bool all_idle = true;

	for (struct soon__list *l = dog.watches.next; l != &dog.watches; l = l->next) {
		struct soon__watch *watch = SOON_CONTAINER_OF(l, struct soon__watch, link);
		struct finding finding;

		if (look(watch, period)) {
			find(watch, period, &finding);
			if (!finding.is_told)
				continue;
			(void)pthread_mutex_unlock(&dog.lock);
			report(&finding);
			(void)pthread_mutex_lock(&dog.lock);
			return false;
		}
		all_idle = all_idle && (watch->seen_beat & 3) == SOON__BEAT_IDLE;
	}
	return all_idle;
}

/* Marks the beats of cores that sleep; false when one has woken meanwhile. */
static bool mark_all(void)
{
	for (struct soon__list *l = dog.watches.next; l != &dog.watches; l = l->next) {
		struct soon__watch *watch = SOON_CONTAINER_OF(l, struct soon__watch, link);
		uint64_t beat = watch->seen_beat;

		/* Relaxed: the lock orders what comes of it. */
		if (!atomic_compare_exchange_strong_explicit(&watch->beat, &beat,
			    (beat & ~(uint64_t)3) | SOON__BEAT_UNWATCHED, memory_order_relaxed,
			    memory_order_relaxed))
			return false; /* who was marked before rings in vain */
	}
	return true;
}

static void wait_for(soon_ns period)
{
	struct timespec ts;
	soon_ns until = real_now() + period;

	ts.tv_sec = until / SOON_S(1);
	ts.tv_nsec = until % SOON_S(1);
	(void)pthread_cond_timedwait(&dog.rung, &dog.lock, &ts);
}

static void note_look(void)
{
	soon_ns now = real_now(), last = load_ns(&dog.looked_at);

	if (now - last > STOPPED_NS) {
		atomic_store_explicit(&dog.stopped_from, last, memory_order_relaxed);
		atomic_store_explicit(&dog.stopped_to, now, memory_order_relaxed);
	}
	atomic_store_explicit(&dog.looked_at, now, memory_order_relaxed);
	atomic_fetch_add_explicit(&dog.looks, 1, memory_order_relaxed);
}

static void sleep_until_rung(void)
{
	while (!dog.is_rung && !dog.is_ending)
		(void)pthread_cond_wait(&dog.rung, &dog.lock);
	/* That was no silence to wonder about. */
	atomic_store_explicit(&dog.looked_at, real_now(), memory_order_relaxed);
}

static void *dog_main(void *unused)
{
	unsigned idle_looks = 0;

	(void)pthread_setname_np(pthread_self(), "soon-watchdog");
	(void)pthread_mutex_lock(&dog.lock);
	while (!dog.is_ending) {
		soon_ns period = period_least();

		dog.is_rung = false;
		wait_for(period);
		note_look();
		idle_looks = look_at_all(period) ? idle_looks + 1 : 0;
		if (idle_looks < LOOKS_IDLE)
			continue;
		idle_looks = 0;
		dog.is_rung = false;
		if (mark_all())
			sleep_until_rung();
	}
	(void)pthread_mutex_unlock(&dog.lock);
	return unused;
}

/* ---- begin and end --------------------------------------------------------------------------- */

static int thread_start(void)
{
	sigset_t before;
	pthread_condattr_t attr;
	int rc;

	if (!dog.has_cond) {
		(void)pthread_condattr_init(&attr);
		(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		(void)pthread_cond_init(&dog.rung, &attr);
		(void)pthread_condattr_destroy(&attr);
		dog.has_cond = true;
	}
	dog.is_ending = false;
	atomic_store_explicit(&dog.looked_at, real_now(), memory_order_relaxed);
	soon__sigmask_block(SOON__OPEN_FAULTS, &before);
	rc = pthread_create(&dog.thread, NULL, dog_main, NULL);
	soon__sigmask_restore(&before);
	dog.is_running = rc == 0;
	return -rc;
}

static void watch_begin(soon_core *core)
{
	struct soon__watch *watch = &core->watch;
	int rc = 0;

	watch->thread = pthread_self();
	watch->was_blocked = soon__capture_allow();
	watch->step_at = watch->pass_at = real_now();
	watch->probe = NULL;
	watch->slow.took = 0;
	watch->seen_count = 0;
	atomic_store_explicit(&watch->beat, SOON__BEAT_BUSY, memory_order_relaxed);
	atomic_store_explicit(&watch->caught, 0, memory_order_relaxed);
	(void)pthread_mutex_lock(&dog.life);
	(void)pthread_mutex_lock(&dog.lock);
	soon__list_push_tail(&dog.watches, &watch->link);
	if (dog.users++ == 0)
		rc = thread_start();
	dog.is_rung = true;
	(void)pthread_cond_signal(&dog.rung);
	(void)pthread_mutex_unlock(&dog.lock);
	(void)pthread_mutex_unlock(&dog.life);
	if (rc < 0)
		soon_report_file(SOON_REPORT_WARNING, rc,
			"SOON_DEBUG: no thread for the watch on slow steps; they are told when "
			"they have ended");
	watch->is_on = true;
	soon__sched_time_steps(&core->sched, true);
}

static void watch_end(soon_core *core)
{
	struct soon__watch *watch = &core->watch;
	uint64_t suppressed;
	bool is_last;

	soon__sched_time_steps(&core->sched, false);
	watch->is_on = false;
	(void)pthread_mutex_lock(&dog.life);
	(void)pthread_mutex_lock(&dog.lock);
	soon__list_remove(&watch->link);
	is_last = --dog.users == 0 && dog.is_running;
	dog.is_ending = is_last;
	if (is_last)
		(void)pthread_cond_signal(&dog.rung);
	suppressed = watch->suppressed;
	watch->suppressed = 0;
	(void)pthread_mutex_unlock(&dog.lock);
	if (is_last)
		(void)pthread_join(dog.thread, NULL);
	(void)pthread_mutex_unlock(&dog.life);
	if (watch->was_blocked)
		soon__capture_disallow();
	if (suppressed > 0)
		soon_report_file(SOON_REPORT_WARNING, 0,
			"%ju more slow steps, passes and waits were not reported",
			(uintmax_t)suppressed);
}

void soon__watch_follow(soon_core *core)
{
	struct soon__watch *watch = &core->watch;
	bool is_wanted =
		watch->is_ready && watch->slow_ns > 0 && soon__core_debugs(core, SOON_DEBUG_SLOW);

	if (is_wanted && !watch->is_on)
		watch_begin(core);
	else if (!is_wanted && watch->is_on)
		watch_end(core);
}

void soon__watch_init(soon_core *core)
{
	/* The thread may still be about a report on the core's last run. */
	(void)pthread_mutex_lock(&dog.lock);
	core->watch = (struct soon__watch){
		.is_ready = true,
		.slow_ns = core->opts.slow_step ? core->opts.slow_step : SLOW_DEFAULT,
	};
	soon__list_init(&core->watch.link);
	(void)pthread_mutex_unlock(&dog.lock);
}

void soon__watch_fini(soon_core *core)
{
	core->watch.is_ready = false;
	soon__watch_follow(core);
}

uint64_t soon__watch_looks(void)
{
	return atomic_load_explicit(&dog.looks, memory_order_relaxed);
}

void soon__watch_forget(void)
{
	/* A thread that is not here any more may hold it, and the other is gone. */
	dog.lock = dog.life = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	dog.has_cond = false;
	dog.is_running = false;
	dog.users = 0;
	soon__list_init(&dog.watches);
}
