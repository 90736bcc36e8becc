// SPDX-License-Identifier: Apache-2.0
/* What is to be done, as the command line says it: filled in before a run, then only read. */
#ifndef SOON_LOAD_PLAN_H
#define SOON_LOAD_PLAN_H

#include <soon/tls.h>

#include "rate.h"
#include "sources.h"
#include "target.h"
#include "threshold.h"

#define CONNECTIONS_MAX 1000000u
#define PIPELINE_MAX    4096u
#define ECHO_BYTES_MIN  8
#define ECHO_FLIGHT_MAX 131072 /* bytes; with more, both sides could wait in a write for ever */
#define UDP_BYTES_MAX   65507
#define BODY_BYTES_MAX  ((size_t)256 << 20)

struct plan {
	const char *url_text;
	struct url url;
	struct targets targets;
	struct statuses statuses;
	bool is_same_body;
	char *body; /* owned: of requests, and that replies have to have */
	char *expected_body;
	char *header_text; /* owned: what lines of --header-file are in */
	size_t echo_bytes;
	struct sources sources;

	unsigned cores;
	unsigned connections;
	unsigned pipeline;
	uint64_t requests;                /* 0: as many as the time allows */
	uint64_t requests_per_connection; /* 0: no limit */
	soon_ns duration;                 /* SOON_NEVER: until `requests` are done */
	soon_ns warmup;
	soon_ns timeout;
	soon_ns drain; /* what is under way at the end may take this long */

	bool is_open; /* the open loop, by `rate` */
	bool is_poisson;
	struct rate rate;
	uint64_t seed;

	soon_tls_opts tls;
	soon_tls_cert tls_cert;

	struct threshold thresholds[THRESHOLDS_MAX];
	unsigned threshold_count;
	bool is_finding; /* the greatest rate that keeps the thresholds, in `rate` */
	soon_ns find_step;

	const char *out; /* result file; NULL: none */
	const char *name;
	bool is_quiet;
	bool is_spinning; /* cores look for replies instead of sleeping */
};

#endif
