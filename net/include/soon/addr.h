// SPDX-License-Identifier: Apache-2.0
/*
 * addr.h: where a socket is, as a value and as a text.
 *
 * Every function that takes a place takes its text, so most programs never see a soon_addr:
 *
 *	"127.0.0.1:8080"  "[::1]:8080"  "[fe80::1%eth0]:8080"
 *	"*:8080"           every address of the machine, IPv6 and IPv4
 *	"unix:/run/x.sock" a socket in the file system
 *	"unix:@x"          one in the abstract name space, which has no file and needs no clean-up
 *
 * soon_dial() and soon_listen() also take a host name in place of the address, and the name of a
 * service in place of the port, see <soon/resolve.h>; soon_addr_parse() itself never asks anybody.
 */
#ifndef SOON_ADDR_H
#define SOON_ADDR_H

#include <soon/base.h>

#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Room for the text of every address, its end included. */
#define SOON_ADDR_TEXT_BYTES 128

/* A socket address as the kernel takes it. A plain value: copy and compare it freely. */
typedef struct soon_addr {
	struct sockaddr_storage storage; /* the bytes after `len` are zero */
	socklen_t len;
} soon_addr;

/*
 * Reads the text of a numeric address, see above.
 * Affinity: any. Suspends: never. Null: nothing.
 * Errors: -EINVAL not of one of those forms, or the port is not in 0..65535. -ENXIO the host is a
 * name. -ENODEV no such network interface after the '%'. -ENAMETOOLONG the path of a unix socket
 * has more than 107 bytes.
 */
SOON_API SOON_NODISCARD int soon_addr_parse(const char *text, soon_addr *ret_addr) SOON_ANY_THREAD;

/*
 * Writes the text that soon_addr_parse() reads; what it cannot read becomes "unix:" for a socket
 * without a name and "family N" for a foreign family.
 * Affinity: any. Suspends: never. Returns: `ret_text`.
 */
SOON_API const char *soon_addr_format(const soon_addr *addr, char ret_text[SOON_ADDR_TEXT_BYTES])
	SOON_ANY_THREAD;

/* Returns the port in host order, 0 for a unix socket. Affinity: any. Suspends: never. */
SOON_API uint16_t soon_addr_port(const soon_addr *addr) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
