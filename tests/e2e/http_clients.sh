#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Other people's clients against the server of http_server.c: curl, and wrk where it is installed.
# Usage: http_clients.sh <http_server>

set -eu

# shellcheck source=tests/e2e/clients.sh
. "$(dirname "$0")/clients.sh"

ask() {
	curl --silent --show-error --max-time 60 "$@"
}

command -v curl >/dev/null || exit 77
start "$1"
url=http://127.0.0.1:$port

is hello "$(ask "$url/")" "GET"
is "200 6" "$(ask --head -o /dev/null -w '%{http_code} %header{content-length}' "$url/")" "HEAD"
is hello "$(ask --http1.0 "$url/")" "GET of 1.0"
is "hellohello" "$(ask "$url/" "$url/" | tr -d '\n')" "two on one connection"
is 1 "$(ask -o /dev/null -o /dev/null -w '%{num_connects}\n' "$url/" "$url/" | sort -n | tail -n 1)" \
	"connections for two requests"
is 404 "$(ask -o /dev/null -w '%{http_code}' "$url/a/b/c")" "404"
is 405 "$(ask -o /dev/null -w '%{http_code}' -X PUT "$url/echo")" "405"
is "a b" "$(ask "$url/hello/a%20b")" "escapes"

# Bodies both ways; curl announces large ones with Expect.
head -c 1000000 /dev/urandom >"$dir/large"
for target in echo stream; do
	ask --data-binary "@$dir/large" "$url/$target" | cmp - "$dir/large" || fail "$target, fixed"
	ask -H 'Expect: 100-continue' --data-binary "@$dir/large" "$url/$target" |
		cmp - "$dir/large" || fail "$target, with Expect"
	ask -H 'Transfer-Encoding: chunked' --data-binary "@$dir/large" "$url/$target" |
		cmp - "$dir/large" || fail "$target, chunked"
	head -c 300000 "$dir/large" >"$dir/part"
	ask --upload-file - -X POST "$url/$target" <"$dir/part" >"$dir/back"
	cmp "$dir/back" "$dir/part" || fail "$target, from a pipe"
done
cat "$dir/large" "$dir/large" >"$dir/larger"
is 413 "$(ask -o /dev/null -w '%{http_code}' --data-binary "@$dir/larger" "$url/echo")" "413"
is 413 "$(ask -o /dev/null -w '%{http_code}' -H 'Transfer-Encoding: chunked' -H 'Expect:' \
	--data-binary "@$dir/larger" "$url/echo")" "413, chunked"
is 5000000 "$(ask "$url/bytes?n=5000000" | wc -c)" "a large response"
is 5000000 "$(ask "$url/bytes?n=5000000&piece=3000" | wc -c)" "a large response in chunks"
is 18 "$(ask -o /dev/null -w '%{exitcode}' "$url/half?length=10" 2>/dev/null || true)" "a cut response"

# Many at once; wrk counts what is not 2xx, and what breaks.
if command -v wrk >/dev/null; then
	wrk -t1 -c50 -d2 "$url/" >"$dir/wrk"
	! grep -E 'Non-2xx|Socket errors' "$dir/wrk" || fail "wrk: $(cat "$dir/wrk")"
	cat >"$dir/pipeline.lua" <<-'LUA'
		init = function(args)
			local all = {}
			for i = 1, 16 do all[i] = wrk.format("GET", "/hello/" .. i) end
			pipelined = table.concat(all)
		end
		request = function() return pipelined end
	LUA
	wrk -t1 -c50 -d2 -s "$dir/pipeline.lua" "$url" >"$dir/wrk"
	! grep -E 'Non-2xx|Socket errors' "$dir/wrk" || fail "wrk: $(cat "$dir/wrk")"
	wrk -t1 -c50 -d1 "$url/bytes?n=100000&piece=5000" >"$dir/wrk"
	! grep -E 'Non-2xx|Socket errors' "$dir/wrk" || fail "wrk: $(cat "$dir/wrk")"
fi
stop

# On two cores, and the end in the middle of a load: every request that came in is answered.
for setting in uneven_max=0 uneven_max=1; do
	start "$1" cores=2 "$setting"
	url=http://127.0.0.1:$port
	is 12345 "$(ask "$url/hello/[1-5]")" "five on one connection"
	if command -v wrk >/dev/null; then
		wrk -t1 -c50 -d1 "$url/" >"$dir/wrk"
		! grep -E 'Non-2xx|Socket errors' "$dir/wrk" || fail "wrk: $(cat "$dir/wrk")"
		wrk -t1 -c50 -d2 "$url/" >"$dir/wrk" &
		load=$!
		sleep 0.5
		stop
		wait "$load" || true
		! grep 'Non-2xx' "$dir/wrk" || fail "wrk: $(cat "$dir/wrk")"
		[ "$(told idlest)" -gt 100 ] || fail "one core served only $(told idlest)"
	else
		stop
	fi
done
