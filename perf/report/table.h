// SPDX-License-Identifier: Apache-2.0
/* table.h: a table with aligned columns, in Markdown or as plain text. */
#ifndef SOON_REPORT_TABLE_H
#define SOON_REPORT_TABLE_H

#include "escape.h"

#define TABLE_COLUMNS_MAX 32

struct table {
	enum escape how; /* ESCAPE_MARKDOWN or ESCAPE_TEXT */
	int rc;          /* 0; -ENOMEM: a cell is missing, and the table will not be written */
	size_t column_count;
	bool is_number[TABLE_COLUMNS_MAX]; /* aligned to the right */
	char **cells;                      /* row after row, the head first */
	size_t cell_count;
	size_t cell_room;
};

void table_begin(struct table *table, enum escape how);

/* Adds a column, all of them before the first cell; one too many is left out. */
void table_column(struct table *table, const char *name, bool is_number);

/* Adds the next cell, escaped. */
void table_cell(struct table *table, const char *text);

/* Fills the rest of the row. */
void table_row_end(struct table *table);

/* Writes it and ends it; a table without rows is not written. Errors: -ENOMEM. */
int table_end(struct table *table, FILE *out);

#endif
