// SPDX-License-Identifier: Apache-2.0
/*
 * walk.h: reads JSON that nobody vouches for, and writes what can be said in JSON.
 *
 * A walk knows where it is, "$.entries[2].turns", and keeps the first thing that is wrong. From
 * then on each call does nothing and gives an empty value, so that its user asks once, at the end.
 */
#ifndef SOON_HARNESS_WALK_H
#define SOON_HARNESS_WALK_H

#include "result.h"

#include <jansson.h>

#define WALK_PATH_BYTES 200

struct walk {
	const char *file;
	int rc; /* 0, or of the first error */
	struct result_error *error;
	char path[WALK_PATH_BYTES]; /* cut where it does not fit */
	size_t length;
};

void walk_init(struct walk *walk, const char *file, struct result_error *error);

/* Keeps an error about `key` of where the walk is; NULL: about where it is itself. */
void walk_fail(struct walk *walk, int rc, const char *SOON_NULLABLE key, const char *format, ...)
	SOON_PRINTF(4, 5);

/* Goes one step down. Returns: where it was, for walk_up. */
size_t walk_down(struct walk *walk, const char *key);
size_t walk_down_index(struct walk *walk, size_t index);
void walk_up(struct walk *walk, size_t length);

/* The value of a key that has to be there and of that type; "" NULL or 0 where it is not. */
const char *walk_text(struct walk *walk, json_t *object, const char *key);
bool walk_bool(struct walk *walk, json_t *object, const char *key);
int64_t walk_integer(struct walk *walk, json_t *object, const char *key);
uint64_t walk_count(struct walk *walk, json_t *object, const char *key); /* not negative */
double walk_number(struct walk *walk, json_t *object, const char *key);
double walk_amount(struct walk *walk, json_t *object, const char *key); /* not negative */
json_t *walk_object(struct walk *walk, json_t *object, const char *key);
json_t *walk_array(struct walk *walk, json_t *object, const char *key);

/* The element of an array, which has to be of that type. The walk is at the element. */
json_t *walk_element(struct walk *walk, json_t *array, size_t index, json_type type);

/*
 * Goes through an array of objects, one at a time, with the walk at the one that is looked at:
 *
 *	struct walk_list list = walk_list(walk, "phases", array);
 *
 *	while ((from = walk_next(walk, &list)) != NULL)
 *		... list.index ...
 */
struct walk_list {
	json_t *array;
	size_t index; /* of the object that walk_next gave last */
	size_t next;
	size_t up;   /* where the walk was before */
	size_t here; /* where it is at the array */
};
struct walk_list walk_list(struct walk *walk, const char *key, json_t *array);

/* Returns: NULL: that was the last one, or something is wrong; the walk is up again. */
json_t *walk_next(struct walk *walk, struct walk_list *list);

/* Which of `names` a text is, which ends with NULL; 0 when it is none of them. */
unsigned walk_choice(struct walk *walk, json_t *object, const char *key, const char *const *names);

/*
 * Adds to an object, or to an array where the key is NULL. What JSON cannot say is an error:
 * numbers that are not finite, negative amounts, counts above INT64_MAX, texts that are not UTF-8.
 */
void walk_put_text(
	struct walk *walk, json_t *into, const char *SOON_NULLABLE key, const char *text);
void walk_put_bool(struct walk *walk, json_t *into, const char *SOON_NULLABLE key, bool value);
void walk_put_integer(
	struct walk *walk, json_t *into, const char *SOON_NULLABLE key, int64_t value);
void walk_put_count(struct walk *walk, json_t *into, const char *SOON_NULLABLE key, uint64_t value);
void walk_put_number(struct walk *walk, json_t *into, const char *SOON_NULLABLE key, double value);
void walk_put_amount(struct walk *walk, json_t *into, const char *SOON_NULLABLE key, double value);

/* Adds an empty one. Ownership: borrowed from `into`; NULL after an error. */
json_t *walk_put_object(struct walk *walk, json_t *into, const char *SOON_NULLABLE key);
json_t *walk_put_array(struct walk *walk, json_t *into, const char *SOON_NULLABLE key);

#endif
