"""sse-starlette on uvicorn with uvloop and httptools: GET /sub streams, POST /pub broadcasts."""

import asyncio
import os

import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

queues = set()


async def events():
    queue = asyncio.Queue()
    queues.add(queue)
    try:
        while True:
            yield await queue.get()
    finally:
        queues.discard(queue)


async def sub(_request):
    # Nothing else is to be written to an idle stream.
    return EventSourceResponse(events(), ping=3600)


async def pub(request):
    event = ServerSentEvent(data=(await request.body()).decode(), sep="\n")
    for queue in queues:
        queue.put_nowait(event)
    return Response(status_code=204)


app = Starlette(routes=[Route("/sub", sub), Route("/pub", pub, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        backlog=16384,
        timeout_keep_alive=60,
    )
