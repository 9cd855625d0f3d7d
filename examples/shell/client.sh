#!/usr/bin/env bash
# The client under test: prints the data of a stream, and asks for more until it is told that there is none (204).
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT

last=
until [ "$(cat "$folder/status" 2>/dev/null)" = 204 ]; do
    curl -sN ${last:+-H "Last-Event-ID: $last"} -w '%{stderr}%{http_code}' "$1" >"$folder/events" 2>"$folder/status"
    sed -n 's/^data: //p' "$folder/events"
    id="$(sed -n 's/^id: //p' "$folder/events" | tail -n 1)"
    last="${id:-$last}"
done
