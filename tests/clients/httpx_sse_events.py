"""Reads [{name, hex}] from the file named first; prints what httpx-sse makes of each stream:
[[[kind, data, id], ...] for the whole, and for one byte at a time]."""

import json
import sys

import httpx
from httpx_sse import EventSource


def read(pieces):
    headers = {"content-type": "text/event-stream"}
    response = httpx.Response(200, headers=headers, content=iter(pieces))
    return [[e.event, e.data, e.id] for e in EventSource(response).iter_sse()]


def main():
    with open(sys.argv[1], encoding="utf-8") as corpus:
        streams = json.load(corpus)
    results = []
    for stream in streams:
        data = bytes.fromhex(stream["hex"])
        results.append([read([data]), read([data[i : i + 1] for i in range(len(data))])])
    print(json.dumps(results))


main()
