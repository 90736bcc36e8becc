#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs to a temporary prefix, moves it, and builds and runs a stranger's program in every way
# that is promised: find_package with the shared and the static library, pkg-config likewise; and
# with the test kit, where Criterion is there, the stranger's tests.
set -euo pipefail

build=$1 cmake=$2 generator=$3 cc=$4 libdir=$5
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Moved after the install, because an installed tree must not know where it was put.
"$cmake" --install "$build" --prefix "$tmp/first" >"$tmp/install.log"
mv "$tmp/first" "$tmp/prefix"
prefix=$tmp/prefix

criterion=$(pkg-config --libs criterion 2>/dev/null || true)
"$cmake" -G "$generator" -S "$here/stranger" -B "$tmp/build" -DCMAKE_C_COMPILER="$cc" \
	-DCMAKE_PREFIX_PATH="$prefix" -DCRITERION_LIBRARIES="$criterion" >"$tmp/cmake.log" || { cat "$tmp/cmake.log"; exit 1; }
"$cmake" --build "$tmp/build" >"$tmp/build.log" || { cat "$tmp/build.log"; exit 1; }
"$tmp/build/stranger"
"$tmp/build/stranger_static"
if [ -n "$criterion" ]; then
	"$tmp/build/stranger_test"
	"$tmp/build/stranger_test_static"
fi
for bench in "$tmp"/build/stranger_bench*; do
	[ ! -x "$bench" ] || "$bench" --samples=1 --time=1ms --warmup=1ms
done
echo "find_package: shared and static"

export PKG_CONFIG_PATH="$prefix/$libdir/pkgconfig"
source=$here/stranger/main.c
read -ra flags <<<"$(pkg-config --cflags --libs soon)"
"$cc" -std=gnu11 -Wall -Wextra -Werror "$source" -o "$tmp/shared" "${flags[@]}"
LD_LIBRARY_PATH=$prefix/$libdir "$tmp/shared"
build_tests() {
	[ -n "$criterion" ] || return 0
	read -ra flags <<<"$(pkg-config "$@" --cflags --libs soon-test) $criterion"
	"$cc" -std=gnu11 -Wall -Wextra -Werror "$here/stranger/test.c" -o "$tmp/test" "${flags[@]}"
	LD_LIBRARY_PATH=$prefix/$libdir "$tmp/test"
}
build_tests
build_bench() {
	[ -e "$prefix/$libdir/pkgconfig/soon-bench.pc" ] || return 0
	read -ra flags <<<"$(pkg-config "$@" --cflags --libs soon-bench)"
	"$cc" -std=gnu11 -Wall -Wextra -Werror "$here/stranger/bench.c" -o "$tmp/bench" "${flags[@]}"
	LD_LIBRARY_PATH=$prefix/$libdir "$tmp/bench" --list
}
build_bench

# Without the shared library beside it the linker takes the static one.
rm "$prefix/$libdir"/libsoon.so*
read -ra flags <<<"$(pkg-config --static --cflags --libs soon)"
"$cc" -std=gnu11 -Wall -Wextra -Werror "$source" -o "$tmp/static" "${flags[@]}"
"$tmp/static"
build_tests --static
build_bench --static
echo "pkg-config: shared and static"
