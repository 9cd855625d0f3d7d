#!/usr/bin/env bash
# Does a client come back after its stream broke off, and stay away at the end?
#
#   check.sh COMMAND…    runs it with the stream's address as its last argument; without one: ./client.sh
#
# Exits with 0 if it does what ../scenario.yaml expects, else with curl's 22. Ten seconds of the ticker's
# time pass at once.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
[ $# -gt 0 ] || set -- "$here/client.sh"

folder="$(mktemp -d)"
"${MOCK_SSE:-mock-sse}" serve --scenario "$here/../scenario.yaml" --no-tls --clock manual \
    --port 0 --ready-file "$folder/ready.json" >"$folder/log" 2>&1 &
server=$! client=
# Each process is ended by its id.
trap 'kill $server $client 2>/dev/null || :; wait; rm -r "$folder"' EXIT

until [ -e "$folder/ready.json" ]; do
    kill -0 "$server" || { cat "$folder/log"; exit 1; }
    sleep 0.05
done
base="http://127.0.0.1:$(sed -n 's/.*"port": \([0-9]*\).*/\1/p' "$folder/ready.json")"
mock() { curl --silent --show-error --fail-with-body "$base/__mock/$1" "${@:2}"; }

"$@" "$base/ticker" &
client=$!
for n in 1 2; do
    # A client that does not come back is the verdict's business.
    mock "journal?count=$n&wait=1s" >/dev/null 2>&1 || break
    mock clock/advance -d '{"by": "5s"}' >/dev/null
done
mock 'journal?count=3&wait=1s' >/dev/null 2>&1 || :
mock 'verify.txt'
