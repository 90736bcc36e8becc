// SPDX-License-Identifier: Apache-2.0
/*
 * supervision.c: tasks that are run again when they fail, until it is too often. See
 * docs/guide/groups-and-supervision.md.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <string.h>

/* The argument stays with the owner of the group: the next run finds it as this one left it. */
struct sensor {
	const char *name;
	int broken_for; /* runs that fail */
	int runs, readings;
};

static int poll_sensor(struct sensor *sensor)
{
	int rc = soon_sleep(SOON_MS(1));

	sensor->runs++;
	if (rc == 0 && sensor->runs <= sensor->broken_for)
		return soon_fail(-EIO, "%s: no signal", sensor->name);
	if (rc == 0)
		sensor->readings++;
	return rc;
}

static const char *error(ssize_t rc)
{
	return rc < 0 ? strerrorname_np((int)-rc) : "none";
}

/* One that recovers: the others do not notice. */
static ssize_t supervise(struct sensor *first, struct sensor *second)
{
	int rc;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restarts_max = 3, .restart_window = SOON_S(60),
		.restart_backoff = SOON_MS(1), .restart_backoff_max = SOON_MS(10));

	rc = soon_spawn(&g, poll_sensor, first);
	if (rc == 0)
		rc = soon_spawn(&g, poll_sensor, second);
	return soon_group_close(&g, rc);
}

static void show_restarts(void)
{
	struct sensor good = { .name = "good" }, flaky = { .name = "flaky", .broken_for = 2 };
	struct sensor dead = { .name = "dead", .broken_for = 1000 };
	ssize_t rc = supervise(&good, &flaky);

	printf("flaky: %s, %d runs, %d reading\n", error(rc), flaky.runs, flaky.readings);
	rc = supervise(&good, &dead);
	printf("dead: %s after %d runs, %s\n", error(rc), dead.runs, soon_fail_message());
}

/* Decides about each end: another try for what may pass, no more for what will not. */
static soon_decision judge(soon_super *super, const soon_failure *why)
{
	const int *patience = super->data;

	if (super->is_cancelled)
		return SOON_DROP;
	printf("  %s: %s, restarts so far: %u\n", why ? why->task : "a task", error(super->rc),
		super->restarts);
	if (super->rc == -EIO && super->failures <= (unsigned)*patience)
		return super->restarts == 0 ? SOON_RESTART_AFTER(SOON_MS(2)) : SOON_RESTART;
	return super->rc == -EIO ? SOON_DROP : -ENOTRECOVERABLE;
}

static int need_licence(void *unused)
{
	(void)unused;
	return -EACCES;
}

static void show_decisions(void)
{
	struct sensor dead = { .name = "dead", .broken_for = 1000 };
	int patience = 2;
	ssize_t rc;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .on_exit = judge, .on_exit_data = &patience,
		.restart_backoff = -1);

	rc = soon_spawn(&g, poll_sensor, &dead);
	rc = soon_group_close(&g, rc);
	printf("dropped: %s after %d runs\n", error(rc), dead.runs);
}

static void show_escalation(void)
{
	int patience = 2;
	ssize_t rc;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .on_exit = judge, .on_exit_data = &patience);

	rc = soon_spawn(&g, need_licence, NULL);
	rc = soon_group_close(&g, rc);
	printf("escalated: %s\n", error(rc));
}

/* Runs for ever, whatever it returns; what is to end cancels the group. */
static void show_always(void)
{
	struct sensor sensor = { .name = "always" };
	ssize_t rc;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart = SOON_RESTART_ALWAYS,
		.restart_backoff = -1, .restarts_max = 1000);

	rc = soon_spawn(&g, poll_sensor, &sensor);
	while (rc == 0 && sensor.readings < 5)
		rc = soon_sleep(SOON_MS(1));
	soon_group_cancel(&g, "five are enough");
	rc = soon_group_close(&g, rc);
	printf("always: %s, at least five: %s\n", error(rc), sensor.readings >= 5 ? "yes" : "no");
}

/* Never: a failure is recorded, and nobody is cancelled for it. */
static void show_never(void)
{
	struct sensor good = { .name = "good" }, dead = { .name = "dead", .broken_for = 1000 };
	ssize_t rc;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart = SOON_RESTART_NEVER);

	rc = soon_spawn(&g, poll_sensor, &dead);
	if (rc == 0)
		rc = soon_spawn(&g, poll_sensor, &good);
	rc = soon_group_close(&g, rc);
	printf("never: %s, good read: %d\n", error(rc), good.readings);
}

static int app(void *unused)
{
	(void)unused;
	show_restarts();
	show_decisions();
	show_escalation();
	show_always();
	show_never();
	return 0;
}

/* Each restart is reported, as a warning. */
static int count_restarts(const soon_report *report, void *data)
{
	int *count = data;

	*count += report->level == SOON_REPORT_WARNING && strstr(report->text, "restart");
	return 0;
}

int main(void)
{
	int restarts = 0, rc;

	soon_on_report(count_restarts, &restarts);
	rc = soon_run(app, NULL);
	printf("restarts were reported: %s\n", restarts > 0 ? "yes" : "no");
	return rc < 0;
}
