// SPDX-License-Identifier: Apache-2.0
/* verdict.h: verdicts as words; the sign beside them says the same without a colour. */
#ifndef SOON_REPORT_VERDICT_H
#define SOON_REPORT_VERDICT_H

#include "report.h"

static inline const char *verdict_word(enum report_verdict verdict)
{
	static const char *const words[] = { "faster", "slower", "no change", "too noisy",
		"impossible" };

	return words[verdict];
}

static inline const char *verdict_sign(enum report_verdict verdict)
{
	static const char *const signs[] = { "\xe2\x96\xb2", "\xe2\x96\xbc", "=", "?",
		"\xe2\x80\x93" };

	return signs[verdict];
}

/* Of style.css. */
static inline const char *verdict_class(enum report_verdict verdict)
{
	static const char *const classes[] = { "faster", "slower", "same", "noisy", "same" };

	return classes[verdict];
}

#endif
