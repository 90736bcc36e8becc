#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every symbol that the shared library exports is ours: soon_*, or the soon__* behind its macros.
set -euo pipefail

exported=$(nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }')
if [ -z "$exported" ]; then
	echo "no exported symbols in $1" >&2
	exit 1
fi
if foreign=$(grep -vE '^soon_[a-z_]' <<<"$exported"); then
	printf 'exported, but not ours:\n%s\n' "$foreign" >&2
	exit 1
fi
echo "$(wc -l <<<"$exported") exported symbols"
