// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

const char *fault_name(enum fault fault)
{
	static const char *const names[FAULT_COUNT] = {
		[FAULT_REFUSED] = "refused",
		[FAULT_CONNECT] = "connect",
		[FAULT_TLS] = "tls",
		[FAULT_RESET] = "reset",
		[FAULT_CLOSED] = "closed",
		[FAULT_TIMEOUT] = "timeout",
		[FAULT_STATUS] = "status",
		[FAULT_FRAMING] = "framing",
		[FAULT_BODY] = "body",
	};

	return names[fault];
}

enum fault fault_of_connect(int rc)
{
	return rc == -ECONNREFUSED || rc == -ENOENT ? FAULT_REFUSED : FAULT_CONNECT;
}

enum fault fault_of_stream(int rc)
{
	switch (rc) {
	case -ETIMEDOUT:
		return FAULT_TIMEOUT;
	case -ECONNABORTED:
	case -EBADMSG:
		return FAULT_CLOSED;
	case -EPROTO:
		return FAULT_TLS;
	case -ECONNREFUSED: /* of a datagram */
		return FAULT_REFUSED;
	default:
		return FAULT_RESET;
	}
}

bool fault_is_ours(int rc, const char **ret_advice)
{
	switch (rc) {
	case -EMFILE:
		*ret_advice = "soon-load has as many descriptors open as it may (EMFILE): "
			      "raise `ulimit -n`, or use fewer --connections";
		return true;
	case -ENFILE:
		*ret_advice = "this machine has as many files open as it may (ENFILE): "
			      "raise fs.file-max, or use fewer --connections";
		return true;
	case -EADDRNOTAVAIL:
	case -EADDRINUSE:
		*ret_advice =
			"no local port is left for this server (EADDRNOTAVAIL): add addresses "
			"by --source, widen net.ipv4.ip_local_port_range, or send more "
			"--requests-per-connection";
		return true;
	case -ENOMEM:
	case -ENOBUFS:
		*ret_advice = "this machine is out of memory, or out of room for sockets";
		return true;
	default:
		return false;
	}
}

int fault_exit(int rc)
{
	const char *advice;

	if (rc == -ECANCELED)
		return EXIT_INTERRUPTED;
	return fault_is_ours(rc, &advice) ? EXIT_RESOURCES : EXIT_UNREACHABLE;
}
