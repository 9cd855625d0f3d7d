"""A client's tests against ../scenario.yaml. Its five seconds between two prices take no time at all."""

import json

import pytest


class Client:
    """The client under test: comes back with the id of the last event until it is answered 204."""

    def __init__(self, server, resumes=True):
        self.server, self.resumes, self.last_event_id = server, resumes, None

    def connect(self, path):
        resume = self.resumes and self.last_event_id
        return self.server.connect(path, {"Last-Event-ID": self.last_event_id} if resume else {})

    def events(self, answer):
        event = {}
        for line in answer:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                event[name] = value
            elif "data" in event:
                self.last_event_id = event.get("id", self.last_event_id)
                yield json.loads(event["data"])
                event = {}

    def prices(self, path):
        """All of them, over as many connections as it takes."""
        while (answer := self.connect(path)).status != 204:
            yield from self.events(answer)


def test_prices_come_every_five_seconds(mock_sse):
    client = Client(mock_sse)
    prices = client.events(client.connect("/ticker"))
    assert next(prices) == {"price": 100}
    assert mock_sse.advance("4999ms")["next_due_ms"] == 5000
    mock_sse.advance("1ms")
    assert next(prices) == {"price": 101}


def test_news_reach_whoever_listens(mock_sse):
    client = Client(mock_sse)
    news = client.events(client.connect("/news"))
    assert mock_sse.publish("news", id="7", data={"text": "hello"})["reached"] == 1
    assert next(news) == {"text": "hello"}
    assert client.last_event_id == "7"


def all_prices(mock_sse, client):
    seen = []
    for price in client.prices("/ticker"):
        seen.append(price["price"])
        if len(seen) % 2:
            mock_sse.advance("5s")
    return seen


def test_a_client_resumes_where_it_was(mock_sse):
    assert all_prices(mock_sse, Client(mock_sse)) == [100, 101, 102, 103]
    requests = mock_sse.journal(count=3)
    assert [request["headers"].get("last-event-id") for request in requests] == [None, "2", "4"]
    mock_sse.verify()


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="shows how a verdict reads: pytest --runxfail")
def test_a_client_that_forgets_the_last_id(mock_sse):
    all_prices(mock_sse, Client(mock_sse, resumes=False))
    mock_sse.verify()
