#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The macros of the interface compile in a strict program, and refuse what they have to.
set -euo pipefail

root=$1
source=$root/tests/api/macros.c
flags=(-std=c11 -pedantic -Wall -Wextra -Wconversion -Werror -O1 -c -o /dev/null
	-I "$root/core/include" -I "$root/uring/include" -I "$root/net/include")
mapfile -t wrong < <(grep -oE 'WRONG_[A-Z]+' "$source" | sort -u)
failed=0

for compiler in gcc clang; do
	command -v "$compiler" >/dev/null || continue
	"$compiler" "${flags[@]}" "$source" || failed=1
	for case in "${wrong[@]}"; do
		if "$compiler" "${flags[@]}" "-D$case" "$source" 2>/dev/null; then
			echo "$compiler accepts $case" >&2
			failed=1
		fi
	done
done
echo "${#wrong[@]} wrong uses checked"
exit "$failed"
