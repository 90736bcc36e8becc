// SPDX-License-Identifier: Apache-2.0
/* compared.c: see compared.h. */
#include "compared.h"

#include "harness/compare.h"

#include <errno.h>
#include <stdlib.h>

static enum report_verdict verdict_of(enum compare_verdict verdict)
{
	switch (verdict) {
	case COMPARE_FASTER:
		return REPORT_FASTER;
	case COMPARE_SLOWER:
		return REPORT_SLOWER;
	case COMPARE_NO_CHANGE:
		return REPORT_NO_CHANGE;
	case COMPARE_NOISY:
		return REPORT_TOO_NOISY;
	case COMPARE_IMPOSSIBLE:
	default:
		return REPORT_IMPOSSIBLE;
	}
}

static struct report_comparison comparison_of(const struct comparison *from)
{
	return (struct report_comparison){
		.name = from->name,
		.figure = from->figure,
		.unit = from->unit,
		.before = from->before,
		.after = from->after,
		.ratio = from->ratio.value,
		.low = from->ratio.low,
		.high = from->ratio.high,
		.verdict = verdict_of(from->verdict),
		.why = from->why != NULL ? from->why : "",
	};
}

int compared_make(const struct result *before, const struct result *after,
	struct report_comparison **ret_list, size_t *ret_count)
{
	const char *figure = before->kind == RESULT_LOAD ? "all" : NULL;
	struct compare_report compared;
	struct report_comparison *list;
	int rc = compare_results(before, after, figure, COMPARE_THRESHOLD_DEFAULT, &compared);

	if (rc < 0)
		return rc;
	list = calloc(compared.count + 1, sizeof(*list));
	for (size_t i = 0; list != NULL && i < compared.count; i++)
		list[i] = comparison_of(&compared.list[i]);
	if (list != NULL) {
		*ret_list = list;
		*ret_count = compared.count;
	}
	compare_report_free(&compared);
	return list != NULL ? 0 : -ENOMEM;
}
