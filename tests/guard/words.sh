#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# words.sh SINS: what SOON_GUARD changes, and that SOON_DEBUG=abort ends the process as well.
set -euo pipefail

sins=$1
ulimit -c 0

# run WORD NAME: what a run says, and "status N" after it.
run() {
	local status=0
	SOON_GUARD=$1 "$sins" "$2" 2>&1 || status=$?
	echo "status $status"
}

# expect TEXT WHAT...: what is said has the text.
expect() {
	local text=$1
	shift
	if ! grep -qF -- "$text" <<<"$*"; then
		printf 'expected "%s" in:\n%s\n' "$text" "$*" >&2
		exit 1
	fi
}

said=$(run "" usleep)
expect "usleep() on a core, which keeps all its tasks waiting; soon_sleep() lets the others run" "$said"
expect "status 0" "$said"
said=$(run abort usleep)
expect "usleep() on a core" "$said"
expect "status 134" "$said"
said=$(run off usleep)
expect "status 0" "$said"
if grep -qF "on a core" <<<"$said"; then exit 1; fi
said=$(run of usleep)
expect "SOON_GUARD has a word that is not known; there is: abort, files, off" "$said"
said=$(SOON_DEBUG=abort run "" usleep)
expect "status 134" "$said"
echo "words of SOON_GUARD checked"
