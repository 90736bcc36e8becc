#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Other people's TLS against the server of http_server.c: openssl s_client and curl, and wrk where it
# is installed. Usage: tls_clients.sh <http_server>

set -eu

# shellcheck source=tests/e2e/clients.sh
. "$(dirname "$0")/clients.sh"

command -v curl >/dev/null || exit 77
command -v openssl >/dev/null || exit 77

certificate
start "$1" "cert=$dir/cert.pem" "key=$dir/key.pem"
url=https://localhost:$port

ask() {
	curl --silent --show-error --max-time 60 --http1.1 --cacert "$dir/cert.pem" "$@"
}

# What s_client has to say, whatever becomes of it.
s_client() {
	printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
		timeout 20 openssl s_client -connect "localhost:$port" -servername localhost \
			-CAfile "$dir/cert.pem" -ign_eof "$@" 2>&1 || true
}

is hello "$(ask "$url/")" "GET"
is hello "$(ask --tlsv1.2 --tls-max 1.2 "$url/")" "GET by TLS 1.2"
is 1 "$(ask -o /dev/null -o /dev/null -w '%{num_connects}\n' "$url/" "$url/" | sort -n | tail -n 1)" \
	"connections for two requests"
is 60 "$(curl --silent --max-time 20 -o /dev/null -w '%{exitcode}' "$url/" || true)" "an unknown authority"
head -c 1000000 /dev/urandom >"$dir/large"
ask --data-binary "@$dir/large" "$url/echo" | cmp - "$dir/large" || fail "a large body"
ask -H 'Transfer-Encoding: chunked' --data-binary "@$dir/large" "$url/stream" |
	cmp - "$dir/large" || fail "a large body in chunks"
is 5000000 "$(ask "$url/bytes?n=5000000" | wc -c)" "a large response"

s_client -tls1_3 -alpn http/1.1 >"$dir/s"
grep -q 'TLSv1.3' "$dir/s" || fail "s_client, 1.3: $(cat "$dir/s")"
grep -q 'ALPN protocol: http/1.1' "$dir/s" || fail "s_client, ALPN: $(cat "$dir/s")"
grep -q 'Verify return code: 0' "$dir/s" || fail "s_client, verification: $(cat "$dir/s")"
grep -q '^hello' "$dir/s" || fail "s_client, answer: $(cat "$dir/s")"
! grep -q 'unexpected eof' "$dir/s" || fail "s_client: no close_notify"
s_client -tls1_2 >"$dir/s"
grep -q 'Secure Renegotiation IS supported' "$dir/s" || fail "s_client, 1.2: $(cat "$dir/s")"
grep -q 'Compression: NONE' "$dir/s" || fail "s_client, compression: $(cat "$dir/s")"
s_client -tls1_1 -cipher 'DEFAULT@SECLEVEL=0' | grep -q 'alert protocol version' || fail "TLS 1.1 was not refused"
s_client -tls1_2 -cipher 'AES128-SHA' | grep -q 'alert handshake failure' || fail "a weak cipher was not refused"
s_client -alpn h3 | grep -q 'alert no application protocol' || fail "another protocol was not refused"

for version in tls1_2 tls1_3; do
	s_client -$version -sess_out "$dir/session" | grep -q '^New, ' || fail "$version, the first"
	s_client -$version -sess_in "$dir/session" | grep -q '^Reused, ' || fail "$version, a ticket"
done

# By itself in one process: one full handshake, and five that resume it.
printf '' | timeout 20 openssl s_client -connect "localhost:$port" -tls1_2 -CAfile "$dir/cert.pem" \
	-reconnect >"$dir/s" 2>&1 || true
is "1 5" "$(grep -c '^New, ' "$dir/s") $(grep -c '^Reused, ' "$dir/s")" "handshakes of -reconnect"

# No early data is offered with a ticket of TLS 1.3, and none is taken.
s_client -tls1_3 >"$dir/s"
grep -q 'Max Early Data: 0' "$dir/s" || fail "a ticket: $(cat "$dir/s")"
! grep -q 'Max Early Data: [1-9]' "$dir/s" || fail "early data is offered: $(cat "$dir/s")"
printf 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' >"$dir/early"
s_client -tls1_3 -sess_in "$dir/session" -early_data "$dir/early" >"$dir/s"
! grep -q 'Early data was accepted' "$dir/s" || fail "early data: $(cat "$dir/s")"

# The client asks for a new handshake in the old connection: the server does not do it.
(
	sleep 0.3
	echo R
	sleep 0.3
) | timeout 20 openssl s_client -connect "localhost:$port" -tls1_2 -CAfile "$dir/cert.pem" \
	>"$dir/s" 2>&1 || true
grep -q -i 'no renegotiation' "$dir/s" || fail "a renegotiation: $(cat "$dir/s")"

if command -v wrk >/dev/null; then
	wrk -t1 -c50 -d1 "https://127.0.0.1:$port/" >"$dir/wrk"
	! grep -E 'Non-2xx|Socket errors' "$dir/wrk" || fail "wrk: $(cat "$dir/wrk")"
fi

stop
