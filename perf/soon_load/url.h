// SPDX-License-Identifier: Apache-2.0
/*
 * What is loaded:
 *
 *	http://host[:port]/path?query      https://...        HTTP/1.1
 *	http://unix:/run/x.sock:/path      https://...        through a unix socket; "unix:@x" too
 *	echo://host:port                   echo://unix:/path  what is sent comes back: a stream
 *	udp://host:port                                       the same in datagrams
 *
 * IPv6 addresses stand in brackets. A fragment is left away, as no server sees it.
 */
#ifndef SOON_LOAD_URL_H
#define SOON_LOAD_URL_H

#include <soon/base.h>

#define URL_HOST_BYTES  256 /* of a name, its end included */
#define URL_WHERE_BYTES (URL_HOST_BYTES + 8)
#define URL_WRONG_BYTES 160

enum url_scheme { URL_HTTP, URL_HTTPS, URL_ECHO, URL_UDP };

struct url {
	enum url_scheme scheme;
	bool is_unix;
	char host[URL_HOST_BYTES];   /* without brackets; "localhost" for a unix socket */
	char where[URL_WHERE_BYTES]; /* as soon_resolve() takes it */
	soon_slice authority; /* as the Host field has it; points into the text, or is static */
	soon_slice path;      /* points into the text; "/" when it has none */
};

/*
 * Reads a URL. `ret_wrong` gets what is the matter with it.
 * Returns 0 or -EINVAL.
 */
int url_parse(const char *text, struct url *ret_url, char ret_wrong[URL_WRONG_BYTES]);

/* Whether both lead to the same server by the same protocol. */
bool url_same_server(const struct url *url, const struct url *other);

/* Whether a request line can hold this: it begins with '/', and nothing has to be escaped. */
bool url_path_is_good(soon_slice path);

#endif
