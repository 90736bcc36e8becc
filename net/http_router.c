// SPDX-License-Identifier: Apache-2.0
#include "http_router.h"

#include <soon/assert.h>
#include <soon/mem.h>

#include "http1/head.h"

#include <string.h>

#define NONE UINT16_MAX
#define ANY  (-1) /* the method of a route that takes every method */

struct route_node {
	soon_slice segment;   /* a literal; of the pattern's memory */
	uint16_t literals;    /* first of the children that are literals */
	uint16_t next;        /* literal beside this one */
	uint16_t param, rest; /* children; NONE */
	uint16_t methods;     /* first of the routes that end here */
};

struct route_method {
	int method;
	uint16_t next;
};

/* Gives the segment that starts at `*at`, behind a '/', and moves to behind its end. */
static soon_slice next_segment(const char **at, const char *end)
{
	const char *start = *at;
	const char *stop = memchr(start, '/', (size_t)(end - start));

	stop = stop == NULL ? end : stop;
	*at = stop == end ? NULL : stop + 1;
	return (soon_slice){ start, (size_t)(stop - start) };
}

static bool is_same(soon_slice a, soon_slice b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static uint16_t add_node(struct soon__http_router *router, soon_slice segment)
{
	uint16_t index = router->nodes_count++;

	SOON_ASSERT(index < router->nodes_max);
	router->nodes[index] = (struct route_node){
		.segment = segment,
		.literals = NONE,
		.next = NONE,
		.param = NONE,
		.rest = NONE,
		.methods = NONE,
	};
	return index;
}

/* The child of `node` for a segment of a pattern, made when it is not there. */
static uint16_t child_for(struct soon__http_router *router, uint16_t node, soon_slice segment)
{
	struct route_node *nodes = router->nodes;
	char kind = segment.len == 0 ? '\0' : segment.ptr[0];
	uint16_t *special = kind == ':' ? &nodes[node].param : &nodes[node].rest;
	uint16_t index;

	if (kind == ':' || kind == '*') {
		if (*special == NONE)
			*special = add_node(router, segment);
		return *special;
	}
	for (index = nodes[node].literals; index != NONE; index = nodes[index].next)
		if (is_same(nodes[index].segment, segment))
			return index;
	index = add_node(router, segment);
	nodes[index].next = nodes[node].literals;
	nodes[node].literals = index;
	return index;
}

/* Returns what is wrong with a pattern, NULL if nothing is. */
static const char *pattern_fault(const char *pattern)
{
	const char *at, *end;
	unsigned segments = 0, params = 0;

	if (pattern == NULL || pattern[0] != '/')
		return "does not start with '/'";
	end = pattern + strlen(pattern);
	for (at = pattern + 1; at != NULL;) {
		soon_slice segment = next_segment(&at, end);
		bool is_named = segment.len > 0 && (segment.ptr[0] == ':' || segment.ptr[0] == '*');

		if (++segments > SOON_HTTP_SEGMENTS_MAX)
			return "has too many segments";
		if (is_named && segment.len == 1)
			return "has a parameter without a name";
		if (is_named && ++params > SOON_HTTP_PARAMS_MAX)
			return "has too many parameters";
		if (is_named && segment.ptr[0] == '*' && at != NULL)
			return "has '*' before its end";
	}
	return NULL;
}

static int add_route(struct soon__http_router *router, size_t index)
{
	const soon_http_route *route = &router->routes[index];
	const char *fault = pattern_fault(route->pattern);
	const char *at = route->pattern == NULL ? "" : route->pattern;
	int method = route->method == NULL ? ANY : soon__http_method_number(route->method);
	uint16_t node = 0, *list;

	if (fault == NULL && route->handler == NULL)
		fault = "has no handler";
	if (fault == NULL && route->method != NULL && method < 0)
		fault = "has a method that HTTP does not know";
	if (fault == NULL) {
		const char *end = at + strlen(at), *rest = at + 1;

		while (rest != NULL)
			node = child_for(router, node, next_segment(&rest, end));
		for (list = &router->nodes[node].methods; *list != NONE;
			list = &router->methods[*list].next)
			if (router->methods[*list].method == method)
				fault = "is there twice";
		if (fault == NULL) {
			router->methods[index] = (struct route_method){ method, NONE };
			*list = (uint16_t)index;
			return 0;
		}
	}
	soon_report_file(SOON_REPORT_ERROR, -EINVAL, "http: route %zu, '%s %s', %s", index,
		route->method == NULL ? "*" : route->method, at, fault);
	return -EINVAL;
}

int soon__http_router_init(
	struct soon__http_router *router, const soon_http_route *routes, size_t count)
{
	size_t nodes = 1;
	int rc = 0;

	*router = (struct soon__http_router){ .routes = routes, .routes_count = count };
	for (size_t i = 0; i < count; i++)
		for (const char *at = routes[i].pattern; at != NULL && *at != '\0'; at++)
			nodes += *at == '/';
	if (nodes >= NONE || count >= NONE || routes == NULL) {
		soon_report_file(SOON_REPORT_ERROR, -EINVAL, "http: %zu routes, %s", count,
			routes == NULL ? "but no table" : "which is too many");
		return -EINVAL;
	}
	router->nodes_max = (uint16_t)nodes;
	router->nodes = soon_malloc(nodes * sizeof *router->nodes);
	router->methods = soon_malloc((count + 1) * sizeof *router->methods);
	if (router->nodes == NULL || router->methods == NULL)
		rc = -ENOMEM;
	else
		(void)add_node(router, (soon_slice){ "", 0 });
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = add_route(router, i);
	if (rc < 0)
		soon__http_router_fini(router);
	return rc;
}

void soon__http_router_fini(struct soon__http_router *router)
{
	soon_free(router->nodes);
	soon_free(router->methods);
	*router = (struct soon__http_router){ 0 };
}

/* What a level of the search tries next. */
enum stage { LITERAL, PARAM, REST, ALL_TRIED };

/* One level of the search: a node, and the segment of the path below it. */
struct level {
	const char *at; /* start of that segment; NULL: the path ends at the node */
	uint16_t node;
	uint16_t params_count; /* when the level was entered */
	enum stage stage;
};

/* The next child of the level's node that fits its segment; NONE when all were tried. */
static uint16_t next_child(const struct soon__http_router *router, struct level *level,
	const char *end, const char **ret_rest, struct soon__http_match *match)
{
	const struct route_node *node = &router->nodes[level->node];
	const char *rest = level->at;
	soon_slice segment = next_segment(&rest, end);

	match->params_count = level->params_count;
	*ret_rest = rest;
	switch (level->stage) {
	case LITERAL:
		level->stage = PARAM;
		for (uint16_t i = node->literals; i != NONE; i = router->nodes[i].next)
			if (is_same(router->nodes[i].segment, segment))
				return i;
		__attribute__((fallthrough));
	case PARAM:
		level->stage = REST;
		if (node->param != NONE && segment.len > 0) {
			match->params[match->params_count++] = segment;
			return node->param;
		}
		__attribute__((fallthrough));
	case REST:
		level->stage = ALL_TRIED;
		if (node->rest != NONE) {
			segment = (soon_slice){ level->at, (size_t)(end - level->at) };
			match->params[match->params_count++] = segment;
			*ret_rest = NULL;
			return node->rest;
		}
		__attribute__((fallthrough));
	case ALL_TRIED:
	default:
		return NONE;
	}
}

/* The route of a node that takes `method`, NULL when there is none. */
static const soon_http_route *route_for(
	const struct soon__http_router *router, uint16_t node, int method)
{
	const soon_http_route *any = NULL, *get = NULL;

	for (uint16_t i = router->nodes[node].methods; i != NONE; i = router->methods[i].next) {
		int takes = router->methods[i].method;

		if (takes == method)
			return &router->routes[i];
		if (takes == ANY)
			any = &router->routes[i];
		else if (takes == HTTP_GET && method == HTTP_HEAD)
			get = &router->routes[i];
	}
	return get != NULL ? get : any;
}

void soon__http_router_find(const struct soon__http_router *router, int method, soon_slice path,
	struct soon__http_match *ret_match)
{
	struct level levels[SOON_HTTP_SEGMENTS_MAX + 1];
	const char *end = path.ptr + path.len;
	int depth = 0;

	SOON_ASSERT(path.len > 0 && path.ptr[0] == '/');
	ret_match->route = NULL;
	ret_match->node = 0;
	ret_match->params_count = 0;
	levels[0] = (struct level){ path.ptr + 1, 0, 0, LITERAL };
	while (depth >= 0) {
		struct level *level = &levels[depth];
		const char *rest = NULL;
		uint16_t child = NONE;

		if (level->at != NULL) {
			child = next_child(router, level, end, &rest, ret_match);
		} else if (router->nodes[level->node].methods != NONE) {
			/* 405 tells about the first node, unless a later one has a route. */
			ret_match->node = ret_match->node == 0 ? level->node : ret_match->node;
			ret_match->route = route_for(router, level->node, method);
			if (ret_match->route != NULL)
				return;
		}
		if (child == NONE) {
			depth--;
			continue;
		}
		SOON_ASSERT(depth < SOON_HTTP_SEGMENTS_MAX);
		levels[++depth] = (struct level){ rest, child, ret_match->params_count, LITERAL };
	}
}

static bool allows(const struct soon__http_router *router, uint16_t node, int method)
{
	uint16_t last = node;

	if (node == 0)
		last = (uint16_t)(router->nodes_count - 1);
	for (; node <= last; node++)
		if (route_for(router, node, method) != NULL)
			return true;
	return false;
}

size_t soon__http_router_allow(
	const struct soon__http_router *router, uint16_t node, char out[SOON__HTTP_ALLOW_BYTES])
{
	size_t len = 0;

	for (int method = 0; method < SOON__HTTP_METHODS_MAX; method++) {
		const char *name = soon__http_method_name(method);
		size_t name_len = strlen(name);

		if (name_len == 0 || method == HTTP_CONNECT || method == HTTP_PRI)
			continue;
		if (method != HTTP_OPTIONS && !allows(router, node, method))
			continue;
		SOON_ASSERT(len + name_len + 2 <= SOON__HTTP_ALLOW_BYTES);
		if (len > 0) {
			memcpy(out + len, ", ", 2);
			len += 2;
		}
		memcpy(out + len, name, name_len);
		len += name_len;
	}
	return len;
}

soon_slice soon__http_match_param(const struct soon__http_match *match, const char *name)
{
	const char *pattern = match->route == NULL ? "/" : match->route->pattern;
	const char *at = pattern + 1, *end = pattern + strlen(pattern);
	soon_slice wanted = { name, strlen(name) };

	for (uint16_t index = 0; at != NULL && index < match->params_count;) {
		soon_slice segment = next_segment(&at, end);

		if (segment.len == 0 || (segment.ptr[0] != ':' && segment.ptr[0] != '*'))
			continue;
		segment.ptr++;
		segment.len--;
		if (is_same(segment, wanted))
			return match->params[index];
		index++;
	}
	return (soon_slice){ NULL, 0 };
}
