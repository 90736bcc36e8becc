// SPDX-License-Identifier: Apache-2.0
/* walk.c: see walk.h. */
#include "walk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void walk_init(struct walk *walk, const char *file, struct result_error *error)
{
	*walk = (struct walk){ .file = file, .error = error, .path = "$", .length = 1 };
	error->text[0] = '\0';
}

void walk_fail(struct walk *walk, int rc, const char *key, const char *format, ...)
{
	size_t size = sizeof(walk->error->text);
	va_list args;
	int used;

	if (walk->rc < 0)
		return;
	walk->rc = rc;
	used = snprintf(walk->error->text, size, "%s: %s%s%s: ", walk->file, walk->path,
		key != NULL ? "." : "", key != NULL ? key : "");
	if (used < 0 || (size_t)used >= size)
		return;
	va_start(args, format);
	(void)vsnprintf(walk->error->text + used, size - (size_t)used, format, args);
	va_end(args);
}

/* Takes over what snprintf wrote behind the path, as far as it had room. */
static size_t lengthen(struct walk *walk, int written)
{
	size_t was = walk->length;

	if (written > 0)
		walk->length += (size_t)written;
	if (walk->length >= sizeof(walk->path))
		walk->length = sizeof(walk->path) - 1;
	return was;
}

size_t walk_down(struct walk *walk, const char *key)
{
	return lengthen(walk,
		snprintf(walk->path + walk->length, sizeof(walk->path) - walk->length, ".%s", key));
}

size_t walk_down_index(struct walk *walk, size_t index)
{
	return lengthen(walk,
		snprintf(walk->path + walk->length, sizeof(walk->path) - walk->length, "[%zu]",
			index));
}

void walk_up(struct walk *walk, size_t length)
{
	walk->length = length;
	walk->path[length] = '\0';
}

static const char *type_name(json_type type)
{
	switch (type) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}

static bool has_type(const json_t *value, json_type type)
{
	if (type == JSON_REAL)
		return json_is_number(value);
	if (type == JSON_TRUE)
		return json_is_boolean(value);
	return json_typeof(value) == type;
}

/* A value that has to be there and of that type; NULL where it is not, or something was wrong. */
static json_t *checked(struct walk *walk, json_t *value, const char *key, json_type type)
{
	if (walk->rc < 0)
		return NULL;
	if (value == NULL)
		walk_fail(walk, -EBADMSG, key, "is missing");
	else if (!has_type(value, type))
		walk_fail(walk, -EBADMSG, key, "is %s and should be %s",
			type_name(json_typeof(value)), type_name(type));
	return walk->rc < 0 ? NULL : value;
}

static json_t *member(struct walk *walk, json_t *object, const char *key, json_type type)
{
	return checked(walk, json_object_get(object, key), key, type);
}

json_t *walk_object(struct walk *walk, json_t *object, const char *key)
{
	return member(walk, object, key, JSON_OBJECT);
}

json_t *walk_array(struct walk *walk, json_t *object, const char *key)
{
	return member(walk, object, key, JSON_ARRAY);
}

json_t *walk_element(struct walk *walk, json_t *array, size_t index, json_type type)
{
	return checked(walk, json_array_get(array, index), NULL, type);
}

struct walk_list walk_list(struct walk *walk, const char *key, json_t *array)
{
	size_t up = walk_down(walk, key);

	return (struct walk_list){ .array = array, .up = up, .here = walk->length };
}

json_t *walk_next(struct walk *walk, struct walk_list *list)
{
	walk_up(walk, list->here);
	if (walk->rc < 0 || list->next >= json_array_size(list->array)) {
		walk_up(walk, list->up);
		return NULL;
	}
	list->index = list->next++;
	(void)walk_down_index(walk, list->index);
	return walk_element(walk, list->array, list->index, JSON_OBJECT);
}

/* Text with a NUL in it, which JSON can say, would end there for us. */
const char *walk_text(struct walk *walk, json_t *object, const char *key)
{
	json_t *value = member(walk, object, key, JSON_STRING);

	if (value == NULL)
		return "";
	if (strlen(json_string_value(value)) != json_string_length(value)) {
		walk_fail(walk, -EBADMSG, key, "has a NUL character");
		return "";
	}
	return json_string_value(value);
}

bool walk_bool(struct walk *walk, json_t *object, const char *key)
{
	return json_is_true(member(walk, object, key, JSON_TRUE));
}

int64_t walk_integer(struct walk *walk, json_t *object, const char *key)
{
	return json_integer_value(member(walk, object, key, JSON_INTEGER));
}

uint64_t walk_count(struct walk *walk, json_t *object, const char *key)
{
	int64_t value = walk_integer(walk, object, key);

	if (value >= 0)
		return (uint64_t)value;
	walk_fail(walk, -EBADMSG, key, "is negative");
	return 0;
}

double walk_number(struct walk *walk, json_t *object, const char *key)
{
	return json_number_value(member(walk, object, key, JSON_REAL));
}

double walk_amount(struct walk *walk, json_t *object, const char *key)
{
	double value = walk_number(walk, object, key);

	if (value >= 0)
		return value;
	walk_fail(walk, -EBADMSG, key, "is negative");
	return 0;
}

unsigned walk_choice(struct walk *walk, json_t *object, const char *key, const char *const *names)
{
	const char *text = walk_text(walk, object, key);

	for (unsigned i = 0; names[i] != NULL; i++) {
		if (strcmp(text, names[i]) == 0)
			return i;
	}
	walk_fail(walk, -EBADMSG, key, "is '%.40s', which this program does not know", text);
	return 0;
}
