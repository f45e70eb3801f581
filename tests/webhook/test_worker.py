"""A worker by itself, without the arbiter that forks it."""

import asyncio
import os
from types import SimpleNamespace

import pytest

from gpu_admission.webhook.server.heartbeats import Heartbeats
from gpu_admission.webhook.server.readiness import Drain
from gpu_admission.webhook.server.worker import ReviewWorker


def worker():
    """A worker that beats, as far as that needs one."""
    made = ReviewWorker.__new__(ReviewWorker)
    made.alive = True
    made.ppid = os.getppid()
    made.service = SimpleNamespace(drain=Drain(), heartbeats=Heartbeats())
    made.notify = lambda: None
    made.slot = 0
    return made


def beats(one, act):
    """Tell whether it goes once ``act`` was done, within some heartbeats."""

    async def live():
        one._stopping = asyncio.Event()
        beating = asyncio.create_task(one._beat())
        await asyncio.sleep(0)
        act()
        done, _ = await asyncio.wait({beating}, timeout=3)
        beating.cancel()
        return bool(done)

    return not asyncio.run(live())


@pytest.mark.parametrize(
    ("act", "goes_on"),
    [(lambda one: one.service.drain.begin(), True), (lambda one: one.service.drain.end(), False)],
    ids=["while the server drains", "not when it ends, though no signal arrived"],
)
def test_it_goes_on(act, goes_on):
    one = worker()
    assert beats(one, lambda: act(one)) is goes_on
