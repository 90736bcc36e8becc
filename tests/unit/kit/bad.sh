#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bad.sh PROGRAM [asan]: each case of bad.c must fail, and say what is given here.
set -euo pipefail

program=$1
failed=0 count=0

# expect CASE PATTERN...: an extended regular expression each.
expect() {
	local name=$1 text status=0 pattern
	shift
	count=$((count + 1))
	text=$("$program" --filter "bad/$name" 2>&1) || status=$?
	if [ "$status" -eq 0 ] || ! grep -q "Failing: 1\|Crashing: 1" <<<"$text"; then
		printf '%s: passed\n%s\n' "$name" "$text" >&2
		failed=1
		return
	fi
	for pattern in "$@"; do
		grep -qE "$pattern" <<<"$text" && continue
		printf '%s: does not say "%s" but:\n%s\n' "$name" "$pattern" "$text" >&2
		failed=1
	done
}

expect task "task 'linger', spawned at .*bodies.h:[0-9]+, waits in sleep; its timer is due in" \
	'1 tasks outlived the body' '1 timers were armed'
expect nested_task "task 'linger'" "task 'nest'" '2 tasks outlived'
expect operation 'in flight: recv.* on descriptor [0-9]+ socket' '1 operations were in flight' \
	'2 descriptors leaked'
expect descriptor 'descriptor [0-9]+ was left open: /dev/null' '1 descriptors leaked'
expect error '1 reports of level ERROR' 'something is wrong, in task bad_error' \
	'soon: error: something is wrong'
expect failure "background task 'fail', spawned at .*bodies.h.*the disk is on fire" 'gave -5'
expect generator '1 generators were left open' \
	"generator 'count_up', opened at .*bodies.h:[0-9]+ in task 'bad_generator'"
expect generator_with_errors_ok '1 generators were left open'
expect error_with_leaks_ok 'something is wrong'
expect task_with_errors_ok "task 'linger'"
expect descriptor_with_tasks_ok '/dev/null'
expect fewer_errors_than_expected '1 reports of level ERROR were filed, 2 expected'
expect plain_error 'something is wrong'
expect plain_descriptor '/dev/null'
expect assertion_in_a_child 'asserted in a child'
expect deadlock 'deadlock'
expect deadlock_without_a_kernel 'deadlock'
expect within 'has not ended within 5.000 s' 'wait_for_nobody' 'did not end within 5.000 s'
expect within_left 'did not end within 5.000 s'
expect within_computing 'did not end within 0.001 s'
expect suspends 'did not give other tasks a turn'
expect no_suspend 'gave other tasks a turn'
expect unbalanced 'lock is not balanced: opened 1 times and closed 1, entered 1 times and left 0'
expect not_entered 'never entered'
expect order 'its order again: SOON_SCHED_SEED=[0-9]+'
expect order_asserted 'its order again: SOON_SCHED_SEED=[0-9]+'
expect order_aborted 'its order again: SOON_SCHED_SEED=[0-9]+'
if [ "${2-}" = asan ]; then
	expect memory 'memory leaked'
fi

# The seed that was printed fails by itself; another does not.
text=$("$program" --filter bad/order 2>&1) || true
seed=$(grep -oE 'SOON_SCHED_SEED=[0-9]+' <<<"$text" | head -n 1)
env "$seed" "$program" --filter bad/order >/dev/null 2>&1 && {
	echo "order: passes with $seed" >&2
	failed=1
}
echo "$count cases"
exit "$failed"
