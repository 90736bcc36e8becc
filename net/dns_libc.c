// SPDX-License-Identifier: Apache-2.0
/*
 * dns_libc.c: names by the C library's resolver on a pool thread: for builds without c-ares, and
 * for what only modules of the C library know. It wants more stack than a task has, and may block
 * for as long as a name server keeps it waiting; then it is left behind.
 */
#include <soon/mem.h>

#include "dns.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

/* What the thread works on, which may outlast the lookup. */
struct job {
	char host[SOON__HOST_BYTES];
	int family;
	struct addrinfo *found;
	int rc;
};

static int lookup_error(int gai, int err)
{
	switch (gai) {
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return -ENOENT;
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return err != 0 ? -err : -EIO;
	default:
		return -EIO;
	}
}

/* On a pool thread. */
static int job_run(struct job *job)
{
	struct addrinfo hints = { .ai_family = job->family, .ai_socktype = SOCK_STREAM };
	int gai = getaddrinfo(job->host, NULL, &hints, &job->found);

	job->rc = gai != 0 ? lookup_error(gai, errno) : 0;
	return 0;
}

static int job_drop(struct job *job)
{
	if (job->found != NULL)
		freeaddrinfo(job->found);
	soon_free(job);
	return 0;
}

static int told(int rc, const char *host)
{
	if (rc == -ENOENT)
		return soon_fail(rc, "there is no host named \"%.80s\", says the C library", host);
	if (rc == -EAGAIN)
		return soon_fail(rc,
			"no answer for \"%.60s\" from the C library: are the name servers of "
			"/etc/resolv.conf up?",
			host);
	return soon_fail(rc, "cannot look up the host \"%.80s\" by the C library", host);
}

int soon__dns_ask_libc(struct soon__lookup *lookup)
{
	struct job *job = soon_zalloc(sizeof *job);
	int rc;

	if (job == NULL)
		return -ENOMEM;
	memcpy(job->host, lookup->from.host, sizeof job->host);
	job->family = lookup->opts.family;
	rc = soon_offload_detach_with(&soon__dns_pool, job_run, job, job_drop);
	if (rc == -ECANCELED)
		return rc; /* the job is its thread's */
	if (rc == 0)
		rc = job->rc;
	for (const struct addrinfo *info = job->found; info != NULL; info = info->ai_next) {
		soon_addr addr = { .len = info->ai_addrlen };

		if (info->ai_addrlen > sizeof addr.storage)
			continue;
		memcpy(&addr.storage, info->ai_addr, info->ai_addrlen);
		soon__lookup_keep(lookup, &addr);
	}
	(void)job_drop(job);
	if (rc == 0 && lookup->found.count == 0)
		rc = -ENOENT;
	return rc == 0 ? 0 : told(rc, lookup->from.host);
}
