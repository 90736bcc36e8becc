// SPDX-License-Identifier: Apache-2.0
/* walk_put.c: the half of walk.h that writes. */
#include "walk.h"

#include <math.h>

/* Takes `value` over. Its absence says that there was no memory, once its content is judged. */
static json_t *put(struct walk *walk, json_t *into, const char *key, json_t *value)
{
	int rc;

	if (walk->rc < 0) {
		json_decref(value);
		return NULL;
	}
	rc = key != NULL ? json_object_set_new(into, key, value)
			 : json_array_append_new(into, value);
	if (rc == 0)
		return value;
	walk_fail(walk, -ENOMEM, key, "no memory");
	return NULL;
}

void walk_put_text(struct walk *walk, json_t *into, const char *key, const char *text)
{
	json_t *value = json_string(text);

	if (value == NULL)
		walk_fail(walk, -EINVAL, key, "is not UTF-8, or there is no memory");
	(void)put(walk, into, key, value);
}

void walk_put_bool(struct walk *walk, json_t *into, const char *key, bool value)
{
	(void)put(walk, into, key, json_boolean(value));
}

void walk_put_integer(struct walk *walk, json_t *into, const char *key, int64_t value)
{
	(void)put(walk, into, key, json_integer(value));
}

void walk_put_count(struct walk *walk, json_t *into, const char *key, uint64_t value)
{
	if (value > INT64_MAX)
		walk_fail(walk, -EINVAL, key, "is above what JSON programs can count");
	(void)put(walk, into, key, json_integer((json_int_t)value));
}

void walk_put_number(struct walk *walk, json_t *into, const char *key, double value)
{
	if (!isfinite(value))
		walk_fail(walk, -EINVAL, key, "is not a finite number");
	(void)put(walk, into, key, json_real(value));
}

void walk_put_amount(struct walk *walk, json_t *into, const char *key, double value)
{
	if (value < 0)
		walk_fail(walk, -EINVAL, key, "is negative");
	walk_put_number(walk, into, key, value);
}

json_t *walk_put_object(struct walk *walk, json_t *into, const char *key)
{
	return put(walk, into, key, json_object());
}

json_t *walk_put_array(struct walk *walk, json_t *into, const char *key)
{
	return put(walk, into, key, json_array());
}
