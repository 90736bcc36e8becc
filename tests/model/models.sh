#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# models.sh [--folder=FOLDER] [--all]: checks the models with spin, and that each finds its mutants.
# --all takes larger configurations, for minutes. Works in the folder, by default the current one.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

command -v spin >/dev/null || { echo "skipped: spin is not installed"; exit 77; }
failed=0
all=
for option in "$@"; do
	case $option in
	--folder=*) cd "${option#*=}" ;;
	--all) all=yes ;;
	*) echo "models.sh: what is $option?" >&2 && exit 1 ;;
	esac
done

# pan MODEL "OPTIONS" "COMPILER" "CHECKER": prints what the checker says.
pan() {
	# What differs are separate words.
	# shellcheck disable=SC2086
	spin $2 -a "$here/$1.pml" >spin.log 2>&1 && ${CC:-cc} -w -DCOLLAPSE -DNOREDUCE $3 -o pan pan.c &&
		./pan -m200000 $4 >pan.log 2>&1
	grep -E 'errors: |assertion violated|invalid end state|acceptance cycle|max search depth' pan.log |
		tr '\n' ' '
}

# holds MODEL [OPTIONS]: no assertion fails, and nobody is stuck.
holds() {
	local said
	said=$(pan "$1" "${2-}" "-O1 -DSAFETY -DNOCLAIM" "" || cat spin.log)
	echo "$1 ${2-}: $said"
	[[ $said == *"errors: 0"* && $said != *"max search depth"* ]] || failed=1
}

# finds MODEL [OPTIONS]: the mutant is found.
finds() {
	local said
	said=$(pan "$1" "$2" "-O0 -DSAFETY -DNOCLAIM" "" || cat spin.log)
	echo "$1 $2: $said"
	[[ $said == *"errors: 1"* ]] || failed=1
}

# always MODEL FORMULA [OPTIONS]: the formula holds, under weak fairness.
always() {
	local said
	said=$(pan "$1" "${3-}" "-O1 -DNFAIR=3" "-a -f -N $2" || cat spin.log)
	echo "$1 $2 ${3-}: $said"
	[[ $said == *"errors: 0"* && $said != *"max search depth"* ]] || failed=1
}

holds inbox "-DENDS"
holds inbox "-DSHARED -DENDS"
holds inbox "-DPRODUCERS=1 -DHANDLER=1"
holds inbox "-DPRODUCERS=1 -DHANDLER=1 -DSHARED -DENDS"
holds inbox "-DPRODUCERS=1 -DHANDLER=2 -DENDS"
always inbox answered "-DPRODUCERS=1 -DPOSTS=2"
for mutant in 1 3; do
	finds inbox "-DMUTANT=$mutant"
done
finds inbox "-DMUTANT=2 -DENDS"
holds spin
always spin quiet
holds offload
holds future
for mutant in 1 2; do
	finds spin "-DMUTANT=$mutant"
done
for mutant in 1 2 3; do
	finds offload "-DMUTANT=$mutant"
	finds future "-DMUTANT=$mutant"
done
if [ -n "$all" ]; then
	holds inbox "-DPOSTS=2 -DSHARED -DENDS"
	holds inbox "-DHANDLER=1"
	holds inbox "-DHANDLER=2 -DENDS"
	always inbox answered
	finds inbox "-DMUTANT=4"
	finds inbox "-DMUTANT=5 -DSHARED"
fi
exit "$failed"
