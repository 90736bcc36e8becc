#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# lint.sh [STEP...]: runs the named checks, all of them by default. Exits 1 if any found something.
# The analysers read how each file is compiled from the build directory that SOON_BUILD names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=${SOON_BUILD:-build/dev-clang}

files() { git ls-files --cached --others --exclude-standard -- "$@"; }

# A step whose tool is missing is skipped aloud; ctest counts exit status 77 as skipped.
need() {
	command -v "$1" >/dev/null && return
	echo "skipped: $1 is not installed"
	exit 77
}

step_tidy() { tools/tidy.py; }

step_tidy-self() { tools/tidy_test.py; }

step_snippets() { tools/snippets.py; }

step_shell() {
	need shellcheck
	files '*.sh' dev .ci/run | xargs shellcheck
}

step_spelling() {
	need codespell
	files ':!LICENSE' ':!perf/results' ':!tests/fuzz/corpus' |
		xargs codespell --ignore-words tools/spelling.txt
}

# One file a process: with several, version 14 reports va_lists that it confuses.
step_clang-tidy() {
	need clang-tidy-14
	[ -e "$build/compile_commands.json" ] || cmake --preset dev-clang >/dev/null
	awk -F'"' '/"file":/ { print $4 }' "$build/compile_commands.json" |
		grep -E "^$PWD/(core|uring|net|perf/harness|perf/report|perf/soon_bench)/.*\.c$" |
		xargs -P "$(nproc)" -n 1 clang-tidy-14 --quiet -p "$build" 2>/dev/null
}

step_cppcheck() {
	need cppcheck
	files 'core/*.c' 'uring/*.c' 'net/*.c' | xargs cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
		--enable=warning,performance,portability --suppress=missingIncludeSystem \
		--suppress=normalCheckLevelMaxBranches \
		-I . -I core/include -I uring/include -I net/include -I core -I uring -I net \
		-D_GNU_SOURCE -D__x86_64__ -D__linux__ -j "$(nproc)"
}

[ $# -gt 0 ] || set -- tidy tidy-self snippets shell spelling cppcheck clang-tidy

failed=()
for step in "$@"; do
	[ $# -eq 1 ] || echo "== $step"
	status=0
	("step_$step") || status=$?
	case $status in
	0) ;;
	77) [ $# -gt 1 ] || exit 77 ;;
	*) failed+=("$step") ;;
	esac
done
if [ ${#failed[@]} -gt 0 ]; then
	echo "lint: ${failed[*]} failed"
	exit 1
fi
