#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# example_generators.sh PROGRAM: it finds what grep finds, whatever the lines are like.
set -euo pipefail

program=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

expect() {
	local name=$1 expected=$2 got=$3
	[ "$expected" = "$got" ] && return
	printf '%s: expected:\n%s\ngot:\n%s\n' "$name" "$expected" "$got" >&2
	failed=1
}

# Some 40 KiB, so that the buffer is filled again and again; no end behind the last line.
for i in $(seq 1 3000); do echo "line $i of many"; done >"$tmp/many"
printf 'and a last line 77' >>"$tmp/many"
expected=$(grep -n 77 "$tmp/many" | head -n 10 | sed 's/:/: /')
expect 'first ten' "$expected" "$("$program" "$tmp/many" 77)"
expect 'last line' '3001: and a last line 77' "$("$program" "$tmp/many" 'last line')"
expect 'none' '' "$("$program" "$tmp/many" absent)"
: >"$tmp/empty"
expect 'empty file' '' "$("$program" "$tmp/empty" x)"

head -c 5000 /dev/zero | tr '\0' x >"$tmp/long"
if said=$("$program" "$tmp/long" x 2>&1); then
	failed=1
fi
grep -q 'line 1 is too long' <<<"$said" || failed=1
if said=$("$program" "$tmp/missing" x 2>&1); then
	failed=1
fi
grep -q "cannot open $tmp/missing" <<<"$said" || failed=1
exit "$failed"
