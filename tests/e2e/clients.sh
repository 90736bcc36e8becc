# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the scripts share that have other people's clients talk to the server of http_server.c. They
# source it; $dir is a folder of their own, and a server they start does not outlive them.

dir=$(mktemp -d)
pid=
cleanup() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT

fail() {
	echo "$(basename "$0" .sh): $*" >&2
	exit 1
}

# is <expected> <actual> <what>
is() {
	[ "$1" = "$2" ] || fail "$3: expected '$1', got '$2'"
}

# start <server> <setting>...: $port is where it listens.
start() {
	"$@" >"$dir/out" 2>"$dir/err" &
	pid=$!
	tries=0
	until port=$(sed -n 's/^port //p' "$dir/out") && [ -n "$port" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || fail "the server did not start: $(cat "$dir/err")"
		sleep 0.05
	done
}

# A number of the line that the server prints at its end.
told() {
	sed -n "s/^\\(.* \\)\\{0,1\\}$1 \\([-0-9]*\\).*/\\2/p" "$dir/out"
}

# Drains, and checks that every request that was read was answered.
stop() {
	kill -TERM "$pid"
	wait "$pid" || fail "the server ended with $?: $(cat "$dir/err")"
	pid=
	is 0 "$(told end)" "result"
	is "$(told requests)" "$(told replies)" "requests and replies"
	is 0 "$(told reports)" "reports"
}

# For localhost, signed by itself: $dir/cert.pem and $dir/key.pem.
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
		-addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
		-keyout "$dir/key.pem" -out "$dir/cert.pem" 2>"$dir/req" || fail "$(cat "$dir/req")"
}
