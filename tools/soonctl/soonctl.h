// SPDX-License-Identifier: Apache-2.0
/*
 * soonctl.h: the parts of soonctl. It uses soon as any program does: by its public headers.
 *
 * facts.c reads what the kernel tells, trial.c tries what it does, advice.c says what to change;
 * print.c and json.c show the result.
 */
#ifndef SOONCTL_H
#define SOONCTL_H

#include <soon/soon.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

/* The exit status of `soonctl doctor`, documented in soonctl.1. */
enum {
	EXIT_URING = 0,
	EXIT_EPOLL = 1,
	EXIT_NONE = 2, /* wrong usage, too */
};

enum {
	UNKNOWN = -1, /* of the numbers below */
	TEXT_BYTES = 128,
	REPORTS_MAX = 4,
	FIXES_MAX = 10,
};

enum box {
	BOX_NONE, /* none that can be recognised */
	BOX_DOCKER,
	BOX_PODMAN,
	BOX_KUBERNETES,
	BOX_SYSTEMD, /* a unit with a filter for system calls */
	BOX_OTHER,   /* see box_name */
};

/* What the kernel and the surroundings tell. */
struct facts {
	char release[TEXT_BYTES];
	char machine[TEXT_BYTES];

	long long uring_disabled; /* the sysctl; UNKNOWN: this kernel has none */
	long long uring_group;    /* the sysctl; negative: no group */
	bool in_uring_group;

	long long seccomp_mode; /* 0 none, 1 strict, 2 filter */
	long long seccomp_filters;
	long long no_new_privs;

	struct rlimit memlock;
	struct rlimit nofile;

	long long cpus_online;
	long long cpus_affinity;
	double cpus_quota; /* processors' worth of time; 0: no limit */
	char cpuset[TEXT_BYTES];

	enum box box;
	char box_name[TEXT_BYTES];

	long long epoll_watches;
	long long inotify_watches;
	long long inotify_instances;
	long long inotify_events;
};

void facts_read(struct facts *ret_facts);

/* What trying gave. */
struct trial {
	int killed_by;  /* the signal that ended the process that tried io_uring; 0: none */
	int setup_rc;   /* of io_uring_setup(2) */
	int rc;         /* of soon_io_features() */
	uint64_t found; /* likewise */

	bool has_run;     /* a run was tried: not where that would kill */
	int run_rc;       /* of soon_run() */
	soon_io backend;  /* SOON_IO_AUTO: none */
	const char *why;  /* static */
	unsigned cores;   /* that `.cores = 0` takes */
	unsigned reports; /* kept below */
	char report[REPORTS_MAX][SOON_REPORT_TEXT_BYTES];
};

/* Tries io_uring in a child, which a sandbox may kill, and then a run as any service's. */
void trial_run(struct trial *ret_trial);

struct fix {
	const char *where; /* "Docker" */
	const char *text;  /* lines, each with its end: commands, or lines of a file */
};

/* What to change; the place we are in comes first. Returns how many; 0: nothing needs fixing. */
unsigned advise(const struct facts *facts, const struct trial *trial, struct fix *ret_fixes);

/* All that is shown. */
struct diagnosis {
	struct facts facts;
	struct trial trial;
	struct fix fixes[FIXES_MAX];
	unsigned fix_count;
};

const char *backend_name(const struct trial *trial);

/* "ok", "EPERM", "kills the process". */
const char *setup_text(const struct trial *trial);

/* Return 0, or a negative errno when it could not be written. */
int print_text(const struct diagnosis *diagnosis);
int print_json(const struct diagnosis *diagnosis);

/* The command: arguments as of main(), the exit status. */
int doctor(int argc, char **argv);

#endif
