"""The fixture `mock_sse`: one server for all tests, and for each of them a session of its own on it."""

import http.client
import json
import os
import subprocess
import time
import uuid
from pathlib import Path

import pytest

SCENARIO = Path(__file__).parent.parent / "scenario.yaml"


class MockSse:
    """A test's own part of the server: own requests, topics and verdict; its time stands until it is advanced."""

    def __init__(self, port):
        self.port, self.name, self.prefix = port, uuid.uuid4().hex, ""
        self.command("PUT", f"sessions/{self.name}", {"clock": "manual"})
        self.prefix = f"/~{self.name}"

    def connect(self, path, headers={}):
        """A request of the client under test; read the answer line by line."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", self.prefix + path, headers=headers)
        return connection.getresponse()

    def command(self, method, command, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"content-type": "application/json"}
        connection.request(method, f"{self.prefix}/__mock/{command}", body and json.dumps(body), headers)
        with connection.getresponse() as answer:
            text = answer.read().decode()
            assert answer.status < 400, text
            return json.loads(text) if "json" in answer.headers["content-type"] else text

    def advance(self, by):
        """Lets time pass; what falls due has been sent when this returns."""
        return self.command("POST", "clock/advance", {"by": by})

    def publish(self, topic, **event):
        return self.command("POST", f"topics/{topic}", event)

    def journal(self, count=0):
        """The requests that came, as soon as there are so many."""
        return self.command("GET", f"journal?count={count}&wait=5s")["entries"]

    def verify(self):
        """Fails with the verdict, if the client did not do what the scenario expects."""
        return self.command("GET", "verify.txt")


@pytest.fixture(scope="session")
def mock_sse_port(tmp_path_factory):
    ready = tmp_path_factory.mktemp("mock-sse") / "ready.json"
    command = [os.environ.get("MOCK_SSE", "mock-sse"), "serve", "--scenario", SCENARIO, "--no-tls"]
    server = subprocess.Popen([*command, "--port", "0", "--ready-file", ready], stdout=subprocess.DEVNULL)
    try:
        while not ready.exists():
            assert server.poll() is None, f"mock-sse ended with {server.returncode}"
            time.sleep(0.01)
        yield json.loads(ready.read_text())["port"]
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def mock_sse(mock_sse_port):
    session = MockSse(mock_sse_port)
    yield session
    session.command("DELETE", f"sessions/{session.name}")
