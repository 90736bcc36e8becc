#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# symbols.sh SHARED STATIC: what the shared library exports is ours: soon_*, or the soon__* behind
# its macros; and what the static library defines takes no name from its users either.
set -euo pipefail

# check NAME ALLOWED < SYMBOLS: each matches the pattern.
check() {
	local name=$1 allowed=$2 symbols foreign
	symbols=$(awk 'NF == 3 && $2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u)
	if [ -z "$symbols" ]; then
		echo "$name: no symbols" >&2
		exit 1
	fi
	if foreign=$(grep -vE "$allowed" <<<"$symbols"); then
		printf '%s: not ours:\n%s\n' "$name" "$foreign" >&2
		exit 1
	fi
	echo "$name: $(wc -l <<<"$symbols") symbols"
}

nm -D --defined-only "$1" | check "$(basename "$1")" '^soon_[a-z_]'
nm -g --defined-only "$2" | check "$(basename "$2")" '^(soon_[a-z_]|llhttp_)'
