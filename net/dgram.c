// SPDX-License-Identifier: Apache-2.0
/* dgram.c: the life of a datagram socket; see dgram.h. */
#include "dgram.h"

#include <soon/io.h>
#include <soon/mem.h>
#include <soon/scope.h>

#include "bind_advice.h"
#include "errtext.h"
#include "resolve.h"

#include <fcntl.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BYTES_DEFAULT 2048u
#define BATCH_DEFAULT 32u

/* As for listening: the kernel may hold the sockets of a killed process for some ms. */
#define BUSY_RETRY   SOON_MS(10)
#define BUSY_RETRIES 25

int soon__dgram_enter(const soon_dgram *d, const char *what)
{
	if (SOON_LIKELY(d->core == soon_core_self()))
		return 0;
	soon_report_file(SOON_REPORT_ERROR, -EPERM,
		"soon_dgram_%s: descriptor %d was taken into use on another core", what, d->fd);
	return -EPERM;
}

bool soon__dgram_is_elsewhere(const soon_dgram *d, int rc)
{
	if (d->is_connected || d->family == AF_UNIX)
		return false;
	switch (-rc) {
	case ECONNREFUSED:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EPROTO:
	case EMSGSIZE: /* of a path, once the kernel was asked to tell */
		return true;
	default:
		return false;
	}
}

/* ---- making one -------------------------------------------------------------------------- */

static int option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

/* What has to be known before the socket is bound. */
static int options_before(int fd, int family, const soon_dgram_opts *opts)
{
	int rc = 0;

	if (opts->reuse_port)
		rc = option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (rc == 0 && family == AF_INET6)
		rc = option(fd, IPPROTO_IPV6, IPV6_V6ONLY, opts->v6only);
	return rc;
}

/* What an IPv4 datagram is sent to on an IPv6 socket comes as an IPv6 address. */
static int ask_local(const soon_dgram *d)
{
	return d->family == AF_INET6 ? option(d->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
				     : option(d->fd, IPPROTO_IP, IP_PKTINFO, 1);
}

/* Their TOS bytes come as what they are. */
static int ask_tos(const soon_dgram *d)
{
	int rc = option(d->fd, IPPROTO_IP, IP_RECVTOS, 1);

	return d->family == AF_INET6 ? option(d->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) : rc;
}

static bool is_any(const soon_addr *addr)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&addr->storage;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr->storage;

	if (addr->storage.ss_family == AF_INET)
		return in->sin_addr.s_addr == htonl(INADDR_ANY);
	return addr->storage.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

/* What a kernel or a kind of socket cannot do is done without, but for what packets would lack. */
static int options_after(soon_dgram *d, const soon_dgram_opts *opts)
{
	int rc = 0;

	if (opts->in_bytes > 0)
		rc = option(d->fd, SOL_SOCKET, SO_RCVBUF, opts->in_bytes);
	if (rc == 0 && opts->out_bytes > 0)
		rc = option(d->fd, SOL_SOCKET, SO_SNDBUF, opts->out_bytes);
	if (rc == 0 && opts->broadcast)
		rc = option(d->fd, SOL_SOCKET, SO_BROADCAST, 1);
	if (rc < 0 || d->family == AF_UNIX)
		return rc;
	d->has_local = opts->with_local || (!d->is_connected && is_any(&d->addr));
	d->has_tos = opts->with_tos;
	if (d->has_local)
		rc = ask_local(d);
	if (rc == 0 && d->has_tos)
		rc = ask_tos(d);
	d->has_coalesce = opts->coalesce && option(d->fd, SOL_UDP, UDP_GRO, 1) == 0;
	/* A burst is as long as the longest datagram, and is never to be cut. */
	if (d->has_coalesce)
		d->bytes_max = SOON__DGRAM_BYTES_MAX;
	d->can_segment = option(d->fd, SOL_UDP, UDP_SEGMENT, 0) == 0;
	return rc;
}

static void limits_set(soon_dgram *d, const soon_dgram_opts *opts)
{
	d->bytes_max = opts->bytes_max != 0 ? opts->bytes_max : BYTES_DEFAULT;
	if (d->bytes_max > SOON__DGRAM_BYTES_MAX && d->family != AF_UNIX)
		d->bytes_max = SOON__DGRAM_BYTES_MAX;
	d->slot_count = opts->batch_count != 0 ? opts->batch_count : BATCH_DEFAULT;
	if (d->slot_count > SOON_DGRAM_BATCH_MAX)
		d->slot_count = SOON_DGRAM_BATCH_MAX;
}

/* Makes the record of a socket that is bound or connected. The descriptor stays the caller's. */
static int make(int fd, int family, const soon_dgram_opts *opts, soon_dgram **ret_dgram)
{
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof peer;
	soon_dgram *d = soon_zalloc(sizeof *d);
	int rc;

	if (d == NULL)
		return -ENOMEM;
	d->core = soon_core_self();
	d->fd = fd;
	d->family = family;
	d->is_connected = getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0;
	d->addr.len = sizeof d->addr.storage;
	rc = getsockname(fd, (struct sockaddr *)&d->addr.storage, &d->addr.len) < 0 ? -errno : 0;
	limits_set(d, opts);
	if (rc == 0)
		rc = options_after(d, opts);
	if (rc < 0) {
		soon_free(d);
		return rc;
	}
	*ret_dgram = d;
	return 0;
}

static int refuse_off_core(const char *what)
{
	if (soon_on_core())
		return 0;
	soon_report_file(SOON_REPORT_ERROR, -EPERM,
		"soon_dgram_%s: must be called on a core's thread; this one runs none", what);
	return -EPERM;
}

int soon_dgram_adopt(int fd, const soon_dgram_opts *opts, soon_dgram **ret_dgram)
{
	static const soon_dgram_opts none;
	socklen_t len = sizeof(int);
	int type, family, rc;

	SOON_ASSERT(ret_dgram != NULL);
	rc = refuse_off_core("adopt");
	if (rc < 0)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0)
		return -errno;
	if (type != SOCK_DGRAM)
		return -EPROTOTYPE;
	return make(fd, family, opts != NULL ? opts : &none, ret_dgram);
}

/* ---- binding ----------------------------------------------------------------------------- */

static int bind_once(int fd, const soon_addr *addr, const soon_dgram_opts *opts)
{
	const char *path = soon__unix_path(addr);
	int rc = soon__bind(fd, addr, SOCK_DGRAM);

	if (rc == 0 && path != NULL && opts->unix_mode != 0)
		rc = chmod(path, (mode_t)opts->unix_mode) < 0 ? -errno : 0;
	return rc;
}

static int bind_patiently(int fd, const soon_addr *addr, const soon_dgram_opts *opts) SOON_SUSPENDS
{
	for (int left = BUSY_RETRIES;; left--) {
		int rc = bind_once(fd, addr, opts);
		int slept;

		if (rc != -EADDRINUSE || left == 0)
			return rc;
		slept = soon_sleep(BUSY_RETRY);
		if (slept < 0)
			return slept;
	}
}

static int bind_to(const soon_addr *addr, const soon_dgram_opts *opts, soon_dgram **ret_dgram)
	SOON_SUSPENDS
{
	int family = addr->storage.ss_family;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = options_before(fd, family, opts);
	if (rc == 0)
		rc = bind_patiently(fd, addr, opts);
	if (rc == 0)
		rc = make(fd, family, opts, ret_dgram);
	if (rc < 0) {
		(void)soon_close(fd); /* the failure that matters is known already */
		return rc;
	}
	soon_fd_track(fd, "datagram socket");
	soon__unix_file_note(addr, &(*ret_dgram)->file);
	return 0;
}

int soon_dgram_bind(const char *where, const soon_dgram_opts *opts, soon_dgram **ret_dgram)
{
	static const soon_dgram_opts none;
	struct soon__resolved *resolved;
	int family = AF_UNSPEC;
	int rc;

	SOON_ASSERT(where != NULL);
	SOON_ASSERT(ret_dgram != NULL);
	rc = refuse_off_core("bind");
	if (rc == 0)
		rc = soon__resolve(where, &resolved);
	if (rc < 0)
		return rc;
	if (opts == NULL)
		opts = &none;
	if (opts->v6only && where[0] == '*')
		resolved->count = 1;
	for (size_t i = 0; i < resolved->count; i++) {
		family = resolved->addrs[i].storage.ss_family;
		rc = bind_to(&resolved->addrs[i], opts, ret_dgram);
		if (rc != -EADDRNOTAVAIL && rc != -EAFNOSUPPORT)
			break;
	}
	soon_free(resolved);
	if (rc < 0 && rc != -ECANCELED) {
		soon_report_file(SOON_REPORT_WARNING, rc, "cannot receive at %.120s: %s: %s", where,
			soon__error_text(rc), soon__bind_advice(rc, family, SOCK_DGRAM));
		rc = soon_fail(rc, "cannot receive at %.120s: %s", where, soon__error_text(rc));
	}
	return rc;
}

/* ---- connecting -------------------------------------------------------------------------- */

static int dial_one(const soon_addr *addr, const soon_dgram_opts *opts, soon_dgram **ret_dgram)
	SOON_SUSPENDS
{
	static const struct sockaddr any_name = { .sa_family = AF_UNIX };
	int family = addr->storage.ss_family;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	/* So short an address has the kernel choose an abstract name. */
	if (family == AF_UNIX && bind(fd, &any_name, sizeof any_name.sa_family) < 0)
		rc = -errno;
	if (rc == 0 && connect(fd, (const struct sockaddr *)&addr->storage, addr->len) < 0)
		rc = -errno;
	if (rc == 0)
		rc = make(fd, family, opts, ret_dgram);
	if (rc < 0) {
		(void)soon_close(fd); /* the failure that matters is known already */
		return rc;
	}
	soon_fd_track(fd, "datagram socket");
	return 0;
}

int soon_dgram_dial(const char *where, const soon_dgram_opts *opts, soon_dgram **ret_dgram)
{
	static const soon_dgram_opts none;
	struct soon__resolved *resolved;
	char text[SOON_ADDR_TEXT_BYTES];
	int rc;

	SOON_ASSERT(where != NULL);
	SOON_ASSERT(ret_dgram != NULL);
	rc = refuse_off_core("dial");
	if (rc == 0)
		rc = soon_checkpoint();
	if (rc == 0)
		rc = soon__resolve(where, &resolved);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < resolved->count; i++) {
		rc = dial_one(&resolved->addrs[i], opts != NULL ? opts : &none, ret_dgram);
		if (rc == 0)
			break;
		rc = soon_fail(rc, "cannot send to %s: %s",
			soon_addr_format(&resolved->addrs[i], text), soon__error_text(rc));
	}
	soon_free(resolved);
	return rc;
}

/* One that the kernel chose is gone with the connection; peers know it by that. */
static int port_regain(const soon_dgram *d)
{
	soon_addr addr = { .len = sizeof addr.storage };

	if (getsockname(d->fd, (struct sockaddr *)&addr.storage, &addr.len) < 0)
		return -errno;
	if (soon_addr_port(&addr) == soon_addr_port(&d->addr))
		return 0;
	return bind(d->fd, (const struct sockaddr *)&d->addr.storage, d->addr.len) < 0 ? -errno : 0;
}

int soon_dgram_connect(soon_dgram *dgram, const soon_addr *peer)
{
	static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	int rc;

	SOON_ASSERT(dgram != NULL);
	rc = soon__dgram_enter(dgram, "connect");
	if (rc < 0)
		return rc;
	if (peer != NULL)
		rc = connect(dgram->fd, (const struct sockaddr *)&peer->storage, peer->len);
	else
		rc = connect(dgram->fd, &nobody, sizeof nobody);
	if (rc < 0)
		return -errno;
	dgram->is_connected = peer != NULL;
	return peer == NULL ? port_regain(dgram) : 0;
}

/* ---- groups ------------------------------------------------------------------------------ */

static int member(soon_dgram *d, const char *group, const char *interface, int name)
{
	struct group_req req = { 0 };
	soon_addr addr;
	int rc = soon_addr_parse(group, &addr);

	if (rc < 0)
		return rc == -ENXIO ? -EINVAL : rc;
	if (interface != NULL) {
		req.gr_interface = if_nametoindex(interface);
		if (req.gr_interface == 0)
			return -ENODEV;
	}
	memcpy(&req.gr_group, &addr.storage, sizeof req.gr_group);
	if (setsockopt(d->fd, addr.storage.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP, name,
		    &req, sizeof req) < 0)
		return -errno;
	return 0;
}

int soon_dgram_join(soon_dgram *dgram, const char *group, const char *interface)
{
	SOON_ASSERT(dgram != NULL);
	SOON_ASSERT(group != NULL);
	return member(dgram, group, interface, MCAST_JOIN_GROUP);
}

int soon_dgram_leave(soon_dgram *dgram, const char *group, const char *interface)
{
	SOON_ASSERT(dgram != NULL);
	SOON_ASSERT(group != NULL);
	return member(dgram, group, interface, MCAST_LEAVE_GROUP);
}

/* ---- the rest ---------------------------------------------------------------------------- */

void soon_dgram_stats(const soon_dgram *dgram, soon_dgram_counts *ret_counts)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof info;

	SOON_ASSERT(dgram != NULL);
	SOON_ASSERT(ret_counts != NULL);
	*ret_counts = dgram->counts;
	if (getsockopt(dgram->fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0)
		ret_counts->dropped = info[SK_MEMINFO_DROPS];
}

void soon_dgram_addr(const soon_dgram *dgram, soon_addr *ret_addr)
{
	SOON_ASSERT(dgram != NULL);
	SOON_ASSERT(ret_addr != NULL);
	*ret_addr = dgram->addr;
}

int soon_dgram_fd(const soon_dgram *dgram)
{
	SOON_ASSERT(dgram != NULL);
	return dgram->fd;
}

void soon_dgram_close(soon_dgram *dgram)
{
	if (dgram == NULL)
		return;
	SOON_ASSERT(dgram->core == soon_core_self());
	SOON_ASSERT(dgram->in_calls == 0);
	soon__unix_file_remove(&dgram->addr, &dgram->file);
	/* What a datagram socket has lost its close cannot tell. */
	(void)soon_close(dgram->fd);
	soon__dgram_slots_free(dgram);
	soon_free(dgram->sends);
	soon_free(dgram);
}

void soon__dgram_left(soon_dgram **dgram)
{
	soon_dgram_close(*dgram);
	*dgram = NULL;
}
