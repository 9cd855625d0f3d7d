"""python drive.py CLIENT BASE CASE…: listens to each path until `done` or the end; prints what was seen as JSON."""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor

PATIENCE = 30


def short(text):
    return f"{len(text)} characters" if len(text) > 1000 else text


class Done(Exception):
    pass


class Seen:
    def __init__(self):
        self.events = []

    def event(self, kind, data, id):
        if kind == "done":
            raise Done
        self.events.append([kind or "message", short(data), id or ""])


def request(name):
    method = "POST" if name == "post" else "GET"
    headers = {"x-mine": "yes"} if name == "header" else {}
    body = {"data": "hello"} if name == "post" else {}
    return method, headers, body


def httpx_sse(name, url, seen):
    import httpx
    from httpx_sse import connect_sse

    method, headers, body = request(name)
    with httpx.Client(timeout=PATIENCE, follow_redirects=True, trust_env=False) as client:
        with connect_sse(client, method, url, headers=headers, **body) as source:
            source.response.raise_for_status()
            for event in source.iter_sse():
                seen.event(event.event, event.data, event.id)


def sseclient_py(name, url, seen):
    import requests
    import sseclient

    method, headers, body = request(name)
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, url, headers=headers, stream=True, timeout=PATIENCE, **body)
        try:
            answer.raise_for_status()
            for event in sseclient.SSEClient(answer).events():
                seen.event(event.event, event.data, event.id)
        finally:
            answer.close()


async def aiohttp_sse_client(name, url, seen):
    from aiohttp_sse_client.client import EventSource

    method, headers, body = request(name)
    options = {"headers": headers, **body}
    async with EventSource(url, option={"method": method}, **options) as source:
        async for event in source:
            seen.event(event.type, event.data, event.last_event_id)


def one(client, base, name):
    seen, outcome = Seen(), "ended"
    run = globals()[client.replace("-", "_")]
    try:
        if asyncio.iscoroutinefunction(run):
            asyncio.run(asyncio.wait_for(run(name, f"{base}/{name}", seen), PATIENCE))
        else:
            run(name, f"{base}/{name}", seen)
    except Done:
        outcome = "done"
    except asyncio.TimeoutError:
        outcome = "waits"
    except Exception as error:
        outcome = "failed"
        print(f"{name}: {error!r}", file=sys.stderr)
    return name, {"events": seen.events, "outcome": outcome}


if __name__ == "__main__":
    client, base, *names = sys.argv[1:]
    with ThreadPoolExecutor(len(names)) as pool:
        print(json.dumps(dict(pool.map(lambda name: one(client, base, name), names))))
