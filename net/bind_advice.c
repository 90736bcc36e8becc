// SPDX-License-Identifier: Apache-2.0
/* See bind_advice.h. */
#include "bind_advice.h"

#include <errno.h>
#include <sys/socket.h>

static const char *advice_taken(int family, int type)
{
	if (family == AF_UNIX)
		return "a running program has that path; stop it or choose another";
	return type == SOCK_DGRAM
		? "another program has the port; stop it (ss -lunp shows it) or choose another, 0 "
		  "for any"
		: "another program has the port; stop it (ss -ltnp shows it) or choose another, 0 "
		  "for any";
}

static const char *advice_forbidden(int family)
{
	if (family == AF_UNIX)
		return "the folder does not let this user write";
	return "ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE: setcap "
	       "cap_net_bind_service=ep PROGRAM, AmbientCapabilities= or a .socket unit of "
	       "systemd, that sysctl, or a larger port";
}

const char *soon__bind_advice(int rc, int family, int type)
{
	switch (-rc) {
	case EADDRINUSE:
		return advice_taken(family, type);
	case EADDRNOTAVAIL:
		return "this machine does not have that address; ip addr shows those it has";
	case EAFNOSUPPORT:
		return "this machine does not speak that protocol; try 127.0.0.1 or 0.0.0.0";
	case EACCES:
	case EPERM:
		return advice_forbidden(family);
	case ENOENT:
	case ENOTDIR:
		return "the folder of the socket does not exist";
	case EROFS:
		return "the folder of the socket is read-only";
	case ENOTSOCK:
		return "the path is taken by a file that is no socket; remove it or choose another";
	case EMFILE:
	case ENFILE:
		return "no descriptor is left; raise the limit (ulimit -n)";
	case ENOMEM:
	case ENOBUFS:
		return "the machine is out of memory";
	default:
		return "see bind(2) and listen(2)";
	}
}
