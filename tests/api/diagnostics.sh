#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# diagnostics.sh ROOT SOURCE COMPILER FLAG...: what SOURCE has behind `#ifdef NAME /* warns: text */`
# makes the compiler warn with that text and of nothing else; without any NAME it warns of nothing.
set -euo pipefail

root=$1 source=$1/tests/api/wrong/$2 compiler=$3
shift 3
if ! command -v "$compiler" >/dev/null; then
	echo "skipped: $compiler is not installed"
	exit 77
fi
# Without quotation marks that depend on the language, or colours.
export LC_ALL=C
flags=(-std=gnu11 -Wall -Wextra -fdiagnostics-color=never "$@" -c -o /dev/null
	-I "$root/core/include" -I "$root/uring/include" -I "$root/net/include")
failed=0 count=0

if ! said=$("$compiler" "${flags[@]}" "$source" 2>&1) || [ -n "$said" ]; then
	printf '%s: what is right is not accepted:\n%s\n' "$compiler" "$said" >&2
	failed=1
fi
while read -r name text; do
	said=$("$compiler" "${flags[@]}" "-D$name" "$source" 2>&1) || true
	warnings=$(grep -E ': (warning|error): ' <<<"$said" || true)
	# One cause may be told several times, at each path that leads to it.
	if [ -z "$warnings" ] || grep -qvF "$text" <<<"$warnings"; then
		printf '%s: %s: expected "%s" only, got:\n%s\n' "$compiler" "$name" "$text" "$said" >&2
		failed=1
	fi
	count=$((count + 1))
done < <(sed -nE 's|^#ifn?def ([A-Z_]+) /\* warns: (.*) \*/$|\1 \2|p' "$source")
[ "$count" -gt 0 ] || failed=1
echo "$compiler: $count wrong programs checked"
exit "$failed"
