// SPDX-License-Identifier: Apache-2.0
/* page_time.h: one load over its time; nothing where it has no intervals. */
#ifndef SOON_REPORT_PAGE_TIME_H
#define SOON_REPORT_PAGE_TIME_H

#include "page.h"

void page_latency_over_time(struct page *page, const struct result_load *load);
void page_rate_over_time(struct page *page, const struct result_load *load);

#endif
