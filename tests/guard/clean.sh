#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clean.sh GUARD SERVICE SCRIPT: the service under its own test, with the guard loaded into it, blocks
# nowhere. The guard makes a finding the service's end, which the test would notice; and it is there.
set -euo pipefail

guard=$1 service=$2 script=$3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/service" <<END
#!/bin/sh
export LD_PRELOAD=$guard SOON_GUARD=abort
exec "$service" "\$@"
END
chmod +x "$tmp/service"
python3 -B "$script" "$tmp/service"
echo "nothing blocks in $(basename "$service")"
