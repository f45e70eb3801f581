"""Connections over socket pairs on one event loop: limits that a real server would take long to reach."""

import asyncio
import socket
import ssl
import time

import pytest
import uvloop
from webhook_server import pair

from gpu_admission.webhook.certificates import ServingCertificate
from gpu_admission.webhook.review.types import Response
from gpu_admission.webhook.server.connection_manager import ConnectionManager
from gpu_admission.webhook.server.http_request import HttpError
from gpu_admission.webhook.server.readiness import Drain
from gpu_admission.webhook.server.settings import ServerSettings

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class App:
    """Answers with the body's size, or keeps the connection waiting."""

    def __init__(self):
        self.waiting = []
        self.refusals = []

    def admit(self, head):
        return None

    def patience(self, head):
        return 30.0

    def too_large(self):
        return HttpError(413, "too large")

    def refused(self, head, refusal):
        self.refusals.append(refusal.status)

    def handle(self, head, body, connection):
        if head.path == "/wait":
            self.waiting.append(connection)
        else:
            connection.respond(Response(200, b"%d" % len(body)))


class World:
    def __init__(self, **settings):
        self.app = App()
        self.drain = Drain()
        self.manager = ConnectionManager(self.app, ServerSettings(http=True, **settings), self.drain)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.setblocking(False)
        self.manager.listen([self.listening])
        self.clients = []

    async def client(self, data=b""):
        reader, writer = await asyncio.open_connection(*self.listening.getsockname())
        self.clients.append(writer)
        writer.write(data)
        await self.turns()
        return reader, writer

    async def turns(self, count=10):
        for _ in range(count):
            await asyncio.sleep(0.005)

    def close(self):
        for each in tuple(self.manager.open):
            each.close()
        self.manager.stop()
        self.listening.close()
        for writer in self.clients:
            writer.close()


def run(scenario, **settings):
    async def main():
        world = World(**settings)
        try:
            await asyncio.wait_for(scenario(world), 30)
        finally:
            world.close()
            await asyncio.sleep(0.02)

    with asyncio.Runner(loop_factory=LOOP["factory"]) as runner:
        runner.run(main())


LOOP = {}


@pytest.fixture(autouse=True, params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def each_loop(request, monkeypatch):
    """What is promised of connections is true on both loops."""
    monkeypatch.setitem(LOOP, "factory", request.param)


async def status(reader):
    return int((await reader.readline()).split()[1])


def test_the_oldest_idle_connection_makes_room():
    async def scenario(world):
        first, _ = await world.client(GET)
        second, writer = await world.client(GET)
        third, _ = await world.client(GET)
        assert [await status(each) for each in (first, second, third)] == [200, 200, 200]
        await first.read()  # to its end: it was closed
        assert len(world.manager.open) == 2
        writer.write(GET)
        await second.readuntil(b"\r\n\r\n0")
        assert await status(second) == 200

    run(scenario, max_connections=2)


def test_an_unfinished_request_goes_before_an_idle_connection():
    async def scenario(world):
        idle, writer = await world.client(GET)
        stalled, _ = await world.client(b"GET / HT")
        await world.client(GET)
        assert await stalled.read() == b""
        assert await status(idle) == 200
        assert not writer.is_closing()

    run(scenario, max_connections=2)


def test_a_request_being_answered_is_never_given_up():
    async def scenario(world):
        one, _ = await world.client(GET.replace(b"/ ", b"/wait "))
        two, _ = await world.client(GET.replace(b"/ ", b"/wait "))
        late, _ = await world.client(GET)  # there is no room for it yet
        assert len(world.manager.open) == 2
        for connection in world.app.waiting:
            connection.respond(Response(200, b""))
        assert [await status(each) for each in (one, two, late)] == [200, 200, 200]

    run(scenario, max_connections=2)


def test_unfinished_bodies_share_a_bound():
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"

    async def scenario(world):
        stalled, _ = await world.client(head + b"x" * 900)
        fresh, _ = await world.client(head + b"x" * 900)
        assert await status(fresh) == 503  # the other has not stalled for long
        await asyncio.sleep(0.6)
        fresh, writer = await world.client(head + b"x" * 900)
        assert await status(stalled) == 503  # now it has
        writer.write(b"x" * 100)
        assert await status(fresh) == 200
        assert world.manager._held == 0
        assert world.app.refusals == [503, 503]

    run(scenario, max_buffered=1000)


def test_a_late_loop_refuses_until_it_is_in_time():
    async def scenario(world):
        async def hang():
            time.sleep(0.5)  # noqa: ASYNC251 - what an overloaded loop does
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        await hang()
        reader, _ = await world.client(GET)
        assert await status(reader) == 200  # a pause is no overload
        await asyncio.sleep(0.3)
        await hang()
        await hang()
        reader, _ = await world.client(GET)
        assert await status(reader) == 503
        await asyncio.sleep(0.6)
        reader, _ = await world.client(GET)
        assert await status(reader) == 200

    run(scenario, overload=0.1)


def test_deadlines_end_what_does_not_move():
    async def scenario(world):
        silent, _ = await world.client()
        head, _ = await world.client(b"GET / HTTP/1.1\r\n")
        body, _ = await world.client(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
        assert await silent.read() == b""
        assert await status(head) == 408
        assert await status(body) == 408
        await head.read()
        await body.read()

    run(scenario, header_timeout=0.2, body_timeout=0.2, linger=0.2)


@pytest.mark.parametrize("stopping", [False, True])
def test_at_the_end_answers_close_and_the_idle_are_closed(stopping):
    async def scenario(world):
        idle, _ = await world.client(GET)
        waiting, _ = await world.client(GET.replace(b"/ ", b"/wait "))
        newcomer, writer = await world.client()
        if stopping:
            world.manager.stop()
        else:
            world.drain.begin()
        world.manager.retire(newcomers=False)
        assert (await idle.read()).startswith(b"HTTP/1.1 200 ")
        writer.write(GET)
        assert b"connection: close" in await newcomer.read()
        world.app.waiting[0].respond(Response(200, b""))
        assert b"connection: close" in await waiting.read()
        silent, _ = await world.client() if not stopping else (idle, None)
        world.manager.retire(newcomers=True)
        assert await silent.read() == b""

    run(scenario, linger=0.2)


def test_without_a_certificate_nothing_is_served_in_plain_and_the_first_one_at_once(tmp_path):
    """Nobody refreshes here: another worker may have called us ready before this one looked again."""

    async def scenario(world):
        world.manager._certificate = ServingCertificate(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))
        reader, _ = await world.client(GET)
        assert await reader.read() == b""
        trusting = ssl.create_default_context(cafile=pair(tmp_path)[0])
        reader, writer = await asyncio.open_connection(
            *world.listening.getsockname(), ssl=trusting, server_hostname="localhost"
        )
        world.clients.append(writer)
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")

    run(scenario)


def test_a_client_that_is_gone_when_its_answer_comes():
    async def scenario(world):
        _, writer = await world.client(GET.replace(b"/ ", b"/wait "))
        writer.transport.abort()
        await world.turns()
        world.app.waiting[0].respond(Response(200, b"x" * 10_000_000))
        await world.turns()
        assert not world.manager.open

    run(scenario)
