// SPDX-License-Identifier: Apache-2.0
/* page.h: the parts of the page of HTML, each in a file of its own, from top to bottom. */
#ifndef SOON_REPORT_PAGE_H
#define SOON_REPORT_PAGE_H

#include "plot.h"
#include "subject.h"

#define PAGE_POINTS_MAX 1024 /* of a line in a plot */

/* A page that is being written. */
struct page {
	FILE *out;
	const struct report *report;
	struct subjects subjects;
	unsigned figure_count; /* numbers the plots */
	struct plot plot;      /* of the figure that is open */
	char text[640];        /* what it is described by */
	/* Where the points of a line are put together. */
	double x[PAGE_POINTS_MAX];
	double y[PAGE_POINTS_MAX];
};

/* Errors of each: -ENOMEM. */
int page_write(const struct report *report, FILE *out); /* the whole */
int page_cards(struct page *page);
int page_comparison(struct page *page);
int page_loads(struct page *page);
int page_samples(struct page *page); /* the benchmarks, one in a line */
int page_growth(struct page *page);  /* those with a parameter */
void page_counters(struct page *page);
void page_environment(struct page *page);

/* Opens a figure with its title and what to look for, and an empty plot; and closes it. */
void page_figure(struct page *page, const char *title, const char *hint);
void page_figure_end(struct page *page);

/* A table that stands below a plot, folded, and whose rows the script shows at the pointer. */
void page_values(struct page *page);
void page_values_end(struct page *page);

/* One of the few figures at the top: "1.23 ms" has its unit in small. `below` may be "". */
void page_card(struct page *page, const char *name, const char *figure, const char *below);

/* What is embedded: style.css, and hover.js with its hash for the policy of the page. */
extern const char page_style[];
extern const char page_script[];
#define PAGE_SCRIPT_HASH "sha256-I/HvbbZszuXVSc6VP4FwOqKAQRVpt1NxGC8Un99e1uY="

#endif
