#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# backtrace.sh PROGRAM: at each instruction of the context switch, on both sides of it, a debugger's
# backtrace goes through to the task's function and ends where the stack ends.
set -euo pipefail

program=$1
command -v gdb >/dev/null || { echo "skipped: no gdb"; exit 77; }

commands=$(mktemp)
trap 'rm -f "$commands"' EXIT
cat >"$commands" <<'GDB'
set pagination off
set width 0
set confirm off
set debuginfod enabled off
break soon__switch_jump
run
set $switch = 0
while $switch < 12
	set $step = 0
	while $step < 30
		bt
		echo ----\n
		stepi
		set $step = $step + 1
	end
	continue
	set $switch = $switch + 1
end
kill
GDB

if ! output=$(gdb -nx -batch -x "$commands" "$program" 2>&1); then
	if grep -q 'Operation not permitted\|not being run' <<<"$output"; then
		echo "skipped: this process may not trace another"
		exit 77
	fi
	echo "$output" | tail -20
	exit 1
fi

awk '
	function bad(why) {
		print why ":"
		for (i = 0; i < lines; i++)
			print "  " frame[i]
		failed = 1
		exit 1
	}
	/^#[0-9]/ {
		# A frame that gdb could not place, or one inside data.
		if (/ \?\? /)
			strange = 1
		if (/wait_in_here/)
			task = 1
		frame[lines++] = $0
	}
	/Backtrace stopped|corrupt/ { frame[lines++] = $0; strange = 1 }
	/^----$/ {
		if (lines == 0)
			bad("no backtrace")
		if (strange)
			bad("a backtrace that does not end well")
		if (frame[lines - 1] !~ /context_entry|main|_start/)
			bad("a backtrace that ends half-way")
		if (task && frame[lines - 1] !~ /context_entry/)
			bad("the backtrace of a task that runs on below it")
		seen++
		seen_task += task
		lines = strange = task = 0
	}
	END {
		if (failed)
			exit 1
		printf "%d backtraces, %d of them through a task that waits\n", seen, seen_task
		exit !(seen >= 300 && seen_task >= 50)
	}
' <<<"$output"
