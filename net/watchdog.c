// SPDX-License-Identifier: Apache-2.0
/*
 * watchdog.c: keep-alive messages for as long as every core gives tasks a turn.
 *
 * A message says more than that this task ran: each other core has run a task first, called for
 * that. One that is stuck leaves its call unanswered, and with it the message unsent.
 */
#include <soon/assert.h>
#include <soon/calls.h>
#include <soon/cores.h>
#include <soon/mem.h>
#include <soon/notify.h>

#include "errtext.h"

#include <stdlib.h>
#include <unistd.h>

static int answer(void *unused)
{
	(void)unused;
	return 0;
}

static void stuck_report(unsigned index, soon_ns asked_for)
{
	soon_report_file(SOON_REPORT_ERROR, -ETIMEDOUT,
		"core %u has given no task a turn for %.1f s: the service manager gets no "
		"keep-alive and will end this process (WatchdogSec=); SOON_DEBUG=slow shows what "
		"keeps it",
		index, (double)asked_for / 1e9);
}

/* Waits for one core's answer, however long that takes; says so once when it takes long. */
static int answer_wait(soon_call *call, unsigned index, soon_ns period) SOON_SUSPENDS
{
	int rc = soon_call_wait(call, period);

	if (rc == -ETIMEDOUT) {
		stuck_report(index, period);
		rc = soon_call_wait(call, SOON_NEVER);
	}
	if (rc == -ECANCELED) {
		soon_call_cancel(call);
		(void)!soon_shielded(SOON_NEVER, soon_call_wait(call, SOON_NEVER));
	}
	return rc;
}

/* Returns: 0 when every core that runs has answered; -ECANCELED. */
static int cores_ask(soon_call *calls, soon_ns period) SOON_SUSPENDS
{
	unsigned running = soon_core_running();
	unsigned asked = 1;
	int rc = 0;

	/* This one answers by running this. */
	for (; asked < running && rc == 0; asked++) {
		soon_core *core;

		rc = soon_core_at(asked, &core);
		if (rc == 0)
			rc = soon_call_start(core, answer, NULL, &calls[asked]);
		if (rc < 0)
			break;
	}
	for (unsigned i = 1; i < asked; i++) {
		int waited = answer_wait(&calls[i], i, period);

		if (rc == 0 && waited < 0)
			rc = waited;
	}
	return rc;
}

/* A core that closes is the end of the run, of which a cancel will tell. */
static bool is_end(int rc)
{
	return rc == -ECANCELED || rc == -ESHUTDOWN || rc == -EINTR;
}

static int watch(soon_ns *period) SOON_SUSPENDS
{
	soon_call *calls = soon_malloc(soon_core_count() * sizeof *calls);
	soon_ns every = *period;
	int rc = calls == NULL ? -ENOMEM : 0;

	soon_free(period);
	while (rc == 0) {
		rc = cores_ask(calls, every);
		if (rc == 0)
			(void)!soon_notify("WATCHDOG=1"); /* reported; the next may get there */
		else if (!is_end(rc))
			rc = 0; /* no memory for the call: no answer, no message */
		if (rc == 0)
			rc = soon_sleep(every);
	}
	soon_free(calls);
	return is_end(rc) ? 0 : rc;
}

static int number_parse(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9' || value > max / 10)
			return -EINVAL;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	*ret = value;
	return value > max ? -EINVAL : 0;
}

/* Returns: the period; 0: nobody asked. Errors: -EINVAL. */
static soon_ns period_asked_for(void)
{
	const char *usec_text = getenv("WATCHDOG_USEC");
	const char *pid_text = getenv("WATCHDOG_PID");
	uint64_t usec, pid;

	if (usec_text == NULL || *usec_text == '\0')
		return 0;
	if (pid_text != NULL &&
		(number_parse(pid_text, INT32_MAX, &pid) < 0 || pid != (uint64_t)getpid()))
		return 0;
	if (number_parse(usec_text, INT64_MAX / 1000, &usec) < 0 || usec < 2) {
		soon_report_file(SOON_REPORT_WARNING, -EINVAL,
			"WATCHDOG_USEC=%.40s is no number of microseconds; it is what systemd sets "
			"for WatchdogSec=",
			usec_text);
		return -EINVAL;
	}
	return (soon_ns)(usec * 1000 / 2);
}

int soon_notify_watchdog(void)
{
	soon_ns every = period_asked_for();
	soon_ns *period;
	int rc;

	if (every <= 0)
		return (int)every;
	period = soon_malloc(sizeof *period);
	if (period == NULL)
		return -ENOMEM;
	*period = every;
	rc = soon_background(watch, period);
	if (rc < 0) {
		soon_free(period);
		return rc;
	}
	return 1;
}
