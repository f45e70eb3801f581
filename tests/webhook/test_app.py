"""Requests to answers without a socket."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import webhook_standin
from webhook_server import review

from gpu_admission.webhook.policy_store import FileSources, PolicyStore
from gpu_admission.webhook.review.types import Response
from gpu_admission.webhook.server.app import PAGES_WAITING, Pages, Reviews, deadline, review_target
from gpu_admission.webhook.server.http_request import RequestHead
from gpu_admission.webhook.server.settings import ServerSettings
from gpu_admission.webhook.server.wsgi import call


def head(path="/validate", method="POST", *lines):
    given = ("Host: x", "Content-Type: application/json", *lines)
    fields = [(name.lower().encode(), value.encode()) for name, value in (line.split(": ") for line in given)]
    return RequestHead(method, path.encode(), fields)


class Noted:
    """An observer and a connection in one."""

    def __init__(self):
        self.answers = []
        self.events = []

    def respond(self, answer):
        self.answers.append(answer)

    def reviewed(self, *what):
        self.events.append(("reviewed", *what))

    def refused(self, *what):
        self.events.append(("refused", *what))

    def crashed(self, *what):
        self.events.append(("crashed", *what))


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/crash":
        raise ZeroDivisionError
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5"), ("X-Y", "z")])
    return [b"hello"]


async def settled(noted, count=1):
    for _ in range(500):
        if len(noted.answers) >= count:
            return noted.answers[0]
        await asyncio.sleep(0.01)
    raise AssertionError("no answer")


@pytest.fixture
def noted():
    return Noted()


@pytest.fixture
def make(noted):
    def build(decide=None, sources=("default",), **settings):
        policies = PolicyStore(FileSources(sources, webhook_standin.load))
        policies.refresh()
        made = ServerSettings(http=True, **settings)
        return Reviews(decide or webhook_standin.decider(policies), policies, wsgi, made, pool, noted)

    with ThreadPoolExecutor(2) as pool:
        yield build


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        (b"timeout=10s", 10),
        (b"timeout=1m30s", 30),
        (b"a=b&timeout=500ms&c=d", 0.5),
        (b"timeout=1.5s", 1.5),
        (b"timeout=2s500ms", 2.5),
        (b"", 30),
        (b"timeout=", 30),
        (b"timeout=-1s", 30),
        (b"timeout=10", 30),
        (b"xtimeout=1s", 30),
        (b"timeout=" + b"9" * 4000 + b"s", 30),
        (b"timeout=" + b"1s" * 2000, 30),
    ],
)
def test_deadlines(query, seconds):
    assert deadline(query) == seconds


@pytest.mark.parametrize(
    "path", ["/", "/validatex", "/validate/a/b", "/validate/", "//validate", "validate", "/metrics"]
)
def test_what_is_no_review(path):
    made = head()
    made.raw_path = path.encode()
    assert review_target(made) is None


def test_an_answer_comes_before_it_is_noted(make, noted):
    async def run():
        app = make()
        assert app.admit(head()) is None
        app.handle(head(), review(), noted)

    noted.reviewed = lambda *what: noted.events.append((len(noted.answers), what))
    asyncio.run(run())
    count, (endpoint, policy, answer, seconds) = noted.events[0]
    assert (count, endpoint, policy, answer.status) == (1, "validate", "default", 200)
    assert seconds >= 0


def test_nothing_loaded_is_a_503_that_is_retried(make, tmp_path):
    async def run():
        return make(sources=(str(tmp_path / "no.json"),)).admit(head())

    refusal = asyncio.run(run())
    assert refusal.status == 503
    assert (b"retry-after", b"1") in refusal.answer.headers


def test_a_crash_is_a_500_with_nothing_in_it(make, noted):
    async def run():
        make().handle(head(), review("crash", uid="the-uid"), noted)

    asyncio.run(run())
    assert noted.answers[0].status == 500
    assert b"SECRET" not in noted.answers[0].body
    assert noted.events[0][:2] == ("crashed", "the-uid")
    assert noted.events[1][3].record == {"decision": "error"}


def test_large_bodies_are_decided_one_at_a_time(make, noted):
    running = []
    most = []

    def decide(body, endpoint, name):
        running.append(1)
        most.append(len(running))
        import time

        time.sleep(0.05)
        running.pop()
        return Response(200, b"{}")

    async def run():
        app = make(decide, large_body=10, large_body_wait=10)
        for _ in range(5):
            app.handle(head(), b"x" * 11, noted)
        await settled(noted, 5)

    asyncio.run(run())
    assert max(most) == 1
    assert {answer.status for answer in noted.answers} == {200}


def test_large_bodies_wait_only_so_long(make, noted):
    def decide(body, endpoint, name):
        import time

        time.sleep(0.5)
        return Response(200, b"{}")

    async def run():
        app = make(decide, large_body=10, large_body_wait=10)
        for _ in range(3):
            app.handle(head("/validate?timeout=100ms"), b"x" * 11, noted)
        await settled(noted, 3)

    asyncio.run(run())
    assert sorted(answer.status for answer in noted.answers) == [200, 503, 503]
    refused = next(answer for answer in noted.answers if answer.status == 503)
    assert (b"retry-after", b"1") in refused.headers


def test_pages(make, noted):
    async def run():
        make().handle(head("/x", "GET"), b"", noted)
        return await settled(noted)

    answer = asyncio.run(run())
    assert answer == Response(200, b"hello", ((b"content-type", b"text/plain"), (b"x-y", b"z")))


def test_a_page_that_crashes(make, noted):
    async def run():
        make().handle(head("/crash", "GET"), b"", noted)
        return await settled(noted)

    assert asyncio.run(run()).status == 500
    assert noted.events[0][0] == "crashed"


def test_too_many_pages_at_a_time(make):
    async def run():
        app = make()
        app._running = PAGES_WAITING
        return app.admit(head("/x", "GET")), app.admit(head("/validate"))

    page, hot = asyncio.run(run())
    assert page.status == 503
    assert hot is None


def test_the_health_port_serves_no_reviews(noted):
    async def run(pool):
        app = Pages(wsgi, ServerSettings(http=True), pool, noted)
        assert app.admit(head("/validate", "GET")) is None
        app.handle(head("/validate"), review(), noted)
        return await settled(noted)

    with ThreadPoolExecutor(1) as pool:
        assert asyncio.run(run(pool)).body == b"hello"


def test_the_wsgi_environment():
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        write = start_response("204 No Content", [])
        write(b"")
        return []

    answer = call(app, head("/a%20b%ff?q=1", "GET", "X-Under_score: no", "X-Ok: yes", "Content-Length: 0"))
    assert answer == Response(204, b"", ())
    assert (seen["PATH_INFO"], seen["QUERY_STRING"], seen["HTTP_X_OK"]) == ("/a b\xff", "q=1", "yes")
    assert "HTTP_X_UNDER_SCORE" not in seen
    assert json.dumps(seen["wsgi.version"]) == "[1, 0]"
