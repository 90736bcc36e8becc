// SPDX-License-Identifier: Apache-2.0
/* table.c: see table.h. */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void table_begin(struct table *table, enum escape how)
{
	*table = (struct table){ .how = how };
}

/* Owned by the caller; NULL: no memory. */
static char *escaped(enum escape how, const char *text)
{
	char *copy = NULL;
	size_t length;
	FILE *stream = open_memstream(&copy, &length);

	if (stream == NULL)
		return NULL;
	escape_put(stream, how, text);
	if (fclose(stream) == 0)
		return copy;
	free(copy);
	return NULL;
}

void table_cell(struct table *table, const char *text)
{
	if (table->cell_count == table->cell_room) {
		size_t room = table->cell_room == 0 ? 64 : 2 * table->cell_room;
		char **cells = reallocarray(table->cells, room, sizeof(*cells));

		if (cells == NULL) {
			table->rc = -ENOMEM;
			return;
		}
		table->cells = cells;
		table->cell_room = room;
	}
	table->cells[table->cell_count] = escaped(table->how, text);
	if (table->cells[table->cell_count] == NULL)
		table->rc = -ENOMEM;
	else
		table->cell_count++;
}

void table_column(struct table *table, const char *name, bool is_number)
{
	if (table->column_count == TABLE_COLUMNS_MAX)
		return;
	table->is_number[table->column_count++] = is_number;
	table_cell(table, name);
}

void table_row_end(struct table *table)
{
	while (table->rc == 0 && table->cell_count % table->column_count != 0)
		table_cell(table, "");
}

static void put_many(FILE *out, char character, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)putc(character, out);
}

static size_t width_of(const struct table *table, size_t column)
{
	size_t width = 3; /* of the rule below the head */

	for (size_t i = column; i < table->cell_count; i += table->column_count) {
		size_t length = escape_length(table->cells[i]);

		width = length > width ? length : width;
	}
	return width;
}

static void put_cell(
	const struct table *table, FILE *out, size_t at, size_t width, bool is_last_of_text)
{
	const char *text = table->cells[at];
	size_t space = width - escape_length(text);
	bool is_number = table->is_number[at % table->column_count];

	if (is_number)
		put_many(out, ' ', space);
	(void)fputs(text, out);
	if (!is_number && !is_last_of_text)
		put_many(out, ' ', space);
}

/* As many as there are up to the last that says something. */
static size_t cells_of(const struct table *table, size_t first)
{
	size_t count = table->column_count;

	while (count > 1 && *table->cells[first + count - 1] == '\0')
		count--;
	return count;
}

static void put_row(const struct table *table, FILE *out, size_t first, const size_t *widths)
{
	bool is_markdown = table->how == ESCAPE_MARKDOWN;
	size_t count = is_markdown ? table->column_count : cells_of(table, first);

	if (is_markdown)
		(void)fputs("| ", out);
	for (size_t i = 0; i < count; i++) {
		bool is_last = i + 1 == count;

		put_cell(table, out, first + i, widths[i], is_last && !is_markdown);
		if (!is_last)
			(void)fputs(is_markdown ? " | " : "  ", out);
	}
	(void)fputs(is_markdown ? " |\n" : "\n", out);
}

static void put_rule(const struct table *table, FILE *out, const size_t *widths)
{
	(void)fputs("|", out);
	for (size_t i = 0; i < table->column_count; i++) {
		(void)putc(' ', out);
		put_many(out, '-', widths[i] - (table->is_number[i] ? 1 : 0));
		(void)fputs(table->is_number[i] ? ": |" : " |", out);
	}
	(void)fputs("\n", out);
}

int table_end(struct table *table, FILE *out)
{
	size_t widths[TABLE_COLUMNS_MAX];

	if (table->rc == 0 && table->cell_count > table->column_count) {
		for (size_t i = 0; i < table->column_count; i++)
			widths[i] = width_of(table, i);
		for (size_t i = 0; i < table->cell_count; i += table->column_count) {
			put_row(table, out, i, widths);
			if (i == 0 && table->how == ESCAPE_MARKDOWN)
				put_rule(table, out, widths);
		}
		(void)fputs("\n", out);
	}
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	return table->rc;
}
