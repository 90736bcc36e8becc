// SPDX-License-Identifier: Apache-2.0
#include "http1/format.h"

#include <soon/assert.h>

#include <string.h>

struct status {
	soon_slice reason;
	soon_slice line;
};

#define STATUS(code, text)                                                                         \
	[(code)-200] = { { text, sizeof(text) - 1 },                                               \
		{ "HTTP/1.1 " #code " " text "\r\n",                                               \
			sizeof("HTTP/1.1 " #code " " text "\r\n") - 1 } }

/* RFC 9110 section 15, and 428, 429, 431, 451, 507, 511 of their own documents. */
static const struct status statuses[] = {
	STATUS(200, "OK"),
	STATUS(201, "Created"),
	STATUS(202, "Accepted"),
	STATUS(203, "Non-Authoritative Information"),
	STATUS(204, "No Content"),
	STATUS(205, "Reset Content"),
	STATUS(206, "Partial Content"),
	STATUS(300, "Multiple Choices"),
	STATUS(301, "Moved Permanently"),
	STATUS(302, "Found"),
	STATUS(303, "See Other"),
	STATUS(304, "Not Modified"),
	STATUS(307, "Temporary Redirect"),
	STATUS(308, "Permanent Redirect"),
	STATUS(400, "Bad Request"),
	STATUS(401, "Unauthorized"),
	STATUS(402, "Payment Required"),
	STATUS(403, "Forbidden"),
	STATUS(404, "Not Found"),
	STATUS(405, "Method Not Allowed"),
	STATUS(406, "Not Acceptable"),
	STATUS(407, "Proxy Authentication Required"),
	STATUS(408, "Request Timeout"),
	STATUS(409, "Conflict"),
	STATUS(410, "Gone"),
	STATUS(411, "Length Required"),
	STATUS(412, "Precondition Failed"),
	STATUS(413, "Content Too Large"),
	STATUS(414, "URI Too Long"),
	STATUS(415, "Unsupported Media Type"),
	STATUS(416, "Range Not Satisfiable"),
	STATUS(417, "Expectation Failed"),
	STATUS(421, "Misdirected Request"),
	STATUS(422, "Unprocessable Content"),
	STATUS(425, "Too Early"),
	STATUS(426, "Upgrade Required"),
	STATUS(428, "Precondition Required"),
	STATUS(429, "Too Many Requests"),
	STATUS(431, "Request Header Fields Too Large"),
	STATUS(451, "Unavailable For Legal Reasons"),
	STATUS(500, "Internal Server Error"),
	STATUS(501, "Not Implemented"),
	STATUS(502, "Bad Gateway"),
	STATUS(503, "Service Unavailable"),
	STATUS(504, "Gateway Timeout"),
	STATUS(505, "HTTP Version Not Supported"),
	STATUS(507, "Insufficient Storage"),
	STATUS(511, "Network Authentication Required"),
};
#define STATUSES_COUNT ((int)(sizeof statuses / sizeof statuses[0]))

static const struct status *find(int status)
{
	static const struct status none = { { "", 0 }, { "", 0 } };

	SOON_ASSERT(status >= 200);
	SOON_ASSERT(status <= 999);
	if (status - 200 >= STATUSES_COUNT || statuses[status - 200].reason.ptr == NULL)
		return &none;
	return &statuses[status - 200];
}

soon_slice soon__http_reason(int status)
{
	return find(status)->reason;
}

char *soon__http_put_status_line(char *out, int status)
{
	const struct status *known = find(status);

	if (known->line.len > 0) {
		SOON_ASSERT(known->line.len <= SOON__HTTP_STATUS_LINE_BYTES_MAX);
		memcpy(out, known->line.ptr, known->line.len);
		return out + known->line.len;
	}
	memcpy(out, "HTTP/1.1 ", 9);
	out[9] = (char)('0' + status / 100);
	out[10] = (char)('0' + status / 10 % 10);
	out[11] = (char)('0' + status % 10);
	memcpy(out + 12, " \r\n", 3);
	return out + 15;
}

static void put_two(char *out, int value)
{
	out[0] = (char)('0' + value / 10);
	out[1] = (char)('0' + value % 10);
}

/*
 * Days since 1970 to year, month, day, with years that start in March so that the leap day is
 * their last (Hinnant, "chrono-compatible low-level date algorithms").
 */
static void civil(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t shifted = days + 719468; /* since 0000-03-01 */
	int64_t era = shifted / 146097;
	int64_t day_of_era = shifted % 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day + 2) / 153; /* 0 is March */

	*ret_day = (int)(day - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

void soon__http_put_date(char out[SOON__HTTP_DATE_BYTES], int64_t unix_seconds)
{
	static const char week[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t days = unix_seconds / 86400;
	int second = (int)(unix_seconds % 86400);
	int year, month, day;

	SOON_ASSERT(unix_seconds >= 0);
	civil(days, &year, &month, &day);
	memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", SOON__HTTP_DATE_BYTES);
	memcpy(out, week + days % 7 * 3, 3);
	put_two(out + 5, day);
	memcpy(out + 8, months + (month - 1) * 3, 3);
	put_two(out + 12, year / 100 % 100);
	put_two(out + 14, year % 100);
	put_two(out + 17, second / 3600);
	put_two(out + 20, second / 60 % 60);
	put_two(out + 23, second % 60);
}
