// SPDX-License-Identifier: Apache-2.0
/* page_cards.c: the few figures at the top that most people came for. */
#include "escape.h"
#include "harness/number.h"
#include "page.h"
#include "summary.h"

#include <string.h>

static void put_latencies(struct page *page, const soon_hist *hist)
{
	static const double shares[] = { 0.5, 0.99, 0.999 };
	char text[NUMBER_BYTES], name[NUMBER_BYTES];

	for (unsigned i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		if (summary_reaches(hist, shares[i]))
			page_card(page, number_percentile(shares[i], name),
				number_time(summary_quantile(hist, shares[i]), text), "");
	}
	page_card(page, "Greatest", number_time(summary_greatest(hist), text), "latency");
}

static void put_load(struct page *page, const struct result_load *load)
{
	const struct result_phase *total = summary_phase(load, RESULT_PHASE_TOTAL);
	double length = load->length_s > 0 ? load->length_s : 1;
	uint64_t errors = summary_errors(load);
	char text[NUMBER_BYTES], other[NUMBER_BYTES], below[2 * NUMBER_BYTES] = "closed loop";

	if (load->scheduled > 0)
		(void)snprintf(below, sizeof(below), "of %s scheduled",
			number_amount((double)load->scheduled / length, "/s", other));
	page_card(page, "Completed", number_amount((double)load->completed / length, "/s", text),
		below);
	if (total != NULL && soon_hist_count(total->hist) > 0)
		put_latencies(page, total->hist);
	(void)snprintf(below, sizeof(below), "%s of all",
		number_share(errors == 0 ? 0 : (double)errors / (double)(errors + load->completed),
			other));
	page_card(page, "Errors", number_count(errors, text), below);
	(void)snprintf(below, sizeof(below), "%s sent",
		number_amount((double)load->bytes_sent / length, "B/s", other));
	page_card(page, "Received",
		number_amount((double)load->bytes_received / length, "B/s", text), below);
}

/* With several loads there is a table of them further down. */
static void put_loads(struct page *page)
{
	uint64_t completed = 0, errors = 0;
	double length = 0;
	char text[NUMBER_BYTES];

	for (size_t i = 0; i < page->subjects.count; i++) {
		const struct result_load *load = page->subjects.list[i].entry->load;

		if (load == NULL)
			continue;
		completed += load->completed;
		errors += summary_errors(load);
		length += load->length_s;
	}
	page_card(page, "Loads", number_count(page->subjects.count, text), "");
	page_card(page, "Completed", number_count(completed, text), "requests in all");
	page_card(page, "Errors", number_count(errors, text), "in all");
	page_card(page, "Measured", number_time(1e9 * length, text), "in all, warm-up left out");
}

static void put_states(struct page *page)
{
	uint64_t failed = 0, skipped = 0;
	char text[NUMBER_BYTES], below[NUMBER_BYTES];

	for (size_t i = 0; i < page->report->input_count; i++) {
		const struct result *result = page->report->inputs[i].result;

		for (size_t k = 0; k < result->entry_count; k++) {
			failed += result->entries[k]->state == RESULT_FAILED;
			skipped += result->entries[k]->state == RESULT_SKIPPED;
		}
	}
	(void)snprintf(below, sizeof(below), "%s skipped", number_count(skipped, text));
	page_card(page, "Failed", number_count(failed, text), below);
}

static int put_benchmarks(struct page *page)
{
	uint64_t samples = 0, count = 0;
	double noise = 0, spread = 0;
	const char *noisiest = "", *widest = "";
	char text[NUMBER_BYTES], below[NUMBER_BYTES];

	for (size_t i = 0; i < page->subjects.count; i++) {
		const struct subject *subject = &page->subjects.list[i];
		struct summary summary;
		int rc = summary_make(result_samples_find(subject->entry, NAME_WALL), &summary);

		if (rc < 0)
			return rc;
		samples += summary.count;
		/* Those of one name follow each other. */
		count += i == 0 || strcmp(subject[-1].entry->name, subject->entry->name) != 0;
		if (summary.apart > noise) {
			noise = summary.apart;
			noisiest = subject->name;
		}
		if (summary_spread(&summary) > spread) {
			spread = summary_spread(&summary);
			widest = subject->name;
		}
	}
	(void)snprintf(below, sizeof(below), "%s samples", number_count(samples, text));
	page_card(page, "Benchmarks", number_count(count, text), below);
	page_card(page, "Greatest A/A noise", number_share(noise, text), noisiest);
	page_card(page, "Widest interval", number_share(spread, text), widest);
	put_states(page);
	return 0;
}

int page_cards(struct page *page)
{
	int rc = 0;

	(void)fputs("<dl class=\"cards\">\n", page->out);
	if (page->report->inputs[0].result->kind == RESULT_BENCH)
		rc = put_benchmarks(page);
	else if (page->subjects.count == 1 && page->subjects.list[0].entry->load != NULL)
		put_load(page, page->subjects.list[0].entry->load);
	else
		put_loads(page);
	(void)fputs("</dl>\n", page->out);
	return rc;
}
