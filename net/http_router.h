// SPDX-License-Identifier: Apache-2.0
/*
 * http_router.h: the table of routes as a tree of path segments, and who answers a path.
 *
 * Each node is one segment: the children of a node are a list of literals, at most one ":name" and
 * at most one "*name". A search prefers them in that order and goes back when a choice leads
 * nowhere, so the order of the table never matters. Names belong to the routes, not to the nodes:
 * two routes may call the same segment differently.
 */
#ifndef NET_HTTP_ROUTER_H
#define NET_HTTP_ROUTER_H

#include <soon/http.h>

#define SOON__HTTP_ALLOW_BYTES 512 /* holds every method there is, separated by ", " */

struct soon__http_router {
	const soon_http_route *routes;
	size_t routes_count;
	struct route_node *nodes;
	uint16_t nodes_count, nodes_max;
	struct route_method *methods; /* of routes_count, as linked lists of the nodes */
};

/* What a path leads to. */
struct soon__http_match {
	const soon_http_route *route; /* NULL: no such path, or not with this method */
	uint16_t node;                /* of the path; 0 when there is none */
	uint16_t params_count;
	soon_slice params[SOON_HTTP_PARAMS_MAX];
};

/*
 * Builds the tree; `routes` is borrowed until the fini.
 * Errors: -EINVAL a wrong route, after a report that names it. -ENOMEM.
 */
int soon__http_router_init(
	struct soon__http_router *router, const soon_http_route *routes, size_t count);
void soon__http_router_fini(struct soon__http_router *router);

/*
 * Finds the route of a decoded path; `method` is llhttp's number. HEAD finds what GET has when it
 * has no route of its own.
 */
void soon__http_router_find(const struct soon__http_router *router, int method, soon_slice path,
	struct soon__http_match *ret_match);

/* Writes the value of Allow for a node; node 0 is the whole server. Returns its length. */
size_t soon__http_router_allow(
	const struct soon__http_router *router, uint16_t node, char out[SOON__HTTP_ALLOW_BYTES]);

/* What `name` in the route's pattern stands for; ptr NULL when it has no such name. */
soon_slice soon__http_match_param(const struct soon__http_match *match, const char *name);

#endif
