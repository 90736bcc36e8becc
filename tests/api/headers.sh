#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each public header compiles alone, twice in a row, as C11 and as C++17, with every compiler here.
set -euo pipefail

root=$1
shift
includes=(-I "$root/core/include" -I "$root/uring/include" -I "$root/net/include"
	-I "$root/tests/kit/include" -I "$root/perf/include")
flags=(-pedantic -Wall -Wextra -Werror -fsyntax-only)
failed=0

check() {
	local compiler=$1 language=$2 standard=$3 header=$4
	command -v "$compiler" >/dev/null || return 0
	printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
		"$compiler" -x "$language" "-std=$standard" "${flags[@]}" "${includes[@]}" - && return 0
	echo "$header: does not compile alone as $standard with $compiler" >&2
	failed=1
}

for header in "$@"; do
	check gcc c c11 "$header"
	check clang c c11 "$header"
	check g++ c++ c++17 "$header"
	check clang++ c++ c++17 "$header"
done
echo "$# headers checked"
exit "$failed"
