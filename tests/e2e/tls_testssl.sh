#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# testssl.sh has nothing to say against the server of http_server.c: versions, renegotiation, and the
# attacks that depend on how a server is written. Usage: tls_testssl.sh <http_server> <python>

set -eu

# shellcheck source=tests/e2e/clients.sh
. "$(dirname "$0")/clients.sh"

testssl=$(command -v testssl || command -v testssl.sh) || exit 77
command -v openssl >/dev/null || exit 77
command -v hexdump >/dev/null || exit 77

certificate
start "$1" "cert=$dir/cert.pem" "key=$dir/key.pem"

# It looks up each cipher that it knows in a process of its own. Names of those that we offer do.
if [ -d /etc/testssl ]; then
	mkdir "$dir/data"
	ln -s /etc/testssl/* "$dir/data/"
	rm "$dir/data/cipher-mapping.txt"
	grep -E ' ECDHE-(ECDSA|RSA)-(AES...-GCM-SHA...|CHACHA20-POLY1305) | TLS_(AES|CHACHA20)_' \
		/etc/testssl/cipher-mapping.txt >"$dir/data/cipher-mapping.txt"
	export TESTSSL_INSTALL_DIR="$dir/data"
fi
export NXCONNECT=127.0.0.1:0 # where it expects nobody; a name would be looked up 30 times

# Not -S and -P: they take minutes, judge the certificate that was made a moment ago, and ask for what
# tls_clients.sh asks s_client. Not -U: of its attacks these do not follow from versions and ciphers.
"$testssl" --quiet --color 0 --warnings off --fast --nodns none --assume-http --ip 127.0.0.1 \
	--protocols --heartbleed --ccs-injection --renegotiation --compression \
	--jsonfile "$dir/found.json" "localhost:$port" >"$dir/said" 2>&1 </dev/null || true

"$2" -B - "$dir/found.json" <<'EOF' || fail "$(cat "$dir/said")"
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    found = {entry["id"]: entry for entry in json.load(file)}

expected = {
    "SSLv2": "not offered",
    "SSLv3": "not offered",
    "TLS1": "not offered",
    "TLS1_1": "not offered",
    "TLS1_2": "offered",
    "TLS1_3": "offered with final",
    "secure_renego": "supported",
    "secure_client_renego": "not vulnerable",
    "heartbleed": "not vulnerable",
    "CCS": "not vulnerable",
    "CRIME_TLS": "not vulnerable",
}
faults = [
    f"{name}: {found.get(name, {}).get('finding', 'not looked for')}"
    for name, words in expected.items()
    if not found.get(name, {}).get("finding", "").startswith(words)
]
faults += [
    f"{name}: {entry['severity']}: {entry['finding']}"
    for name, entry in found.items()
    if entry["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL")
]
sys.exit("\n".join(faults) if faults else 0)
EOF

stop
