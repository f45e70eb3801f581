"""Rotation over years in a simulated cluster: replicas that crash, API servers that see changes late."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpu_admission.pki.bundle import BundleState, verifies
from gpu_admission.pki.certificate_set import StoredSet
from gpu_admission.pki.errors import ConflictError, StoreError
from gpu_admission.pki.rotation import RotationPlan
from gpu_admission.pki.rotator import Rotator
from gpu_admission.pki.subject_alt_names import serving_names

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PLAN = RotationPlan(serving_names("gpu-admission", "gpu-admission"))


class CrashError(Exception):
    """A replica's process ends."""


class World:
    """One shared store, webhook configurations, and API servers that see them late."""

    def __init__(self, plan, replicas, lag):
        self.now = START
        self.lag = lag
        self.certificates, self.version = None, 0
        self.history = [[(START - DAY, ())], [(START - DAY, ())]]
        self.crash = None  # (which write from now on, before or after it happens)
        self.unreadable = set()
        self.plan = plan
        self.replicas = [Replica(self, number) for number in range(replicas)]

    def monotonic(self):
        return (self.now - START).total_seconds()

    def write(self, effect):
        if self.crash is not None:
            number, late = self.crash
            self.crash = (number - 1, late) if number else None
            if number == 0:
                if late:
                    effect()
                raise CrashError
        effect()

    def check(self):
        served = {replica.served for replica in self.replicas if replica.served is not None}
        bundles = {
            next(bundle for when, bundle in reversed(history) if when <= self.now - lag)
            for history in self.history
            for lag in (timedelta(0), self.lag)
        }
        for certificate in served:
            for bundle in bundles:
                assert verifies(bundle, (certificate,), self.now), (self.now, certificate.serial_number)


class WorldStore:
    def __init__(self, world):
        self.world = world

    def read(self):
        return StoredSet(self.world.certificates, str(self.world.version))

    def version(self):
        return str(self.world.version)

    def write(self, certificates, version):
        def effect():
            if str(self.world.version) != version:
                raise ConflictError("changed meanwhile")
            self.world.certificates, self.world.version = certificates, self.world.version + 1

        self.world.write(effect)


class WorldPublication:
    def __init__(self, world, number):
        self.world, self.number = world, number

    def read(self):
        if self.number in self.world.unreadable:
            raise StoreError("not now")
        history = self.world.history[self.number]
        return BundleState((history[-1][1],), (not history[-1][1],), str(len(history)))

    def write(self, bundles, version):
        history = self.world.history[self.number]

        def effect():
            if str(len(history)) != version:
                raise ConflictError("changed meanwhile")
            history.append((self.world.now, bundles[0]))

        self.world.write(effect)


class Replica:
    def __init__(self, world, number):
        self.world, self.number = world, number
        self.served, self.seen = None, START
        self.restart()

    def restart(self):
        world = self.world
        plan = replace(world.plan, jitter=self.number / 4)
        places = [WorldPublication(world, number) for number in range(2)]
        self.maintainer = Rotator(WorldStore(world), plan, targets=places, monotonic=world.monotonic)

    def work(self, steps=8):
        try:
            for _ in range(steps):
                if not self.maintainer.step(self.world.now):
                    break
        except CrashError:
            self.restart()
            return
        finally:
            self.world.crash = None
        self.served = self.world.certificates.leaf.certificate
        self.seen = self.world.now


def live(world, events, gap):
    """Run events (hours, replica, fault); no replica stays away from the store longer than `gap`."""
    world.replicas[0].work()
    world.now += world.lag
    for hours, number, fault in events:
        world.check()
        world.now += timedelta(hours=hours)
        replica = world.replicas[number % len(world.replicas)]
        world.unreadable = {0} if fault == "unreadable" else set()
        if fault == "restart":
            replica.restart()
        if isinstance(fault, tuple):
            world.crash = fault
        replica.work(1 if fault == "one" else 8)
        world.unreadable = set()
        for other in world.replicas:
            if world.now - other.seen > gap:
                other.work()
        world.check()


FAULTS = st.sampled_from(
    [None, None, "restart", "one", "unreadable", *((n, late) for n in (0, 1, 2) for late in (False, True))]
)
QUICK = replace(PLAN, leaf_life=DAY * 9, ca_life=DAY * 45)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    events=st.lists(st.tuples(st.floats(0, 24, allow_nan=False), st.integers(0, 2), FAULTS), min_size=60, max_size=120)
)
def test_at_no_instant_is_anything_served_that_does_not_verify(events):
    live(World(QUICK, 3, timedelta(minutes=4)), events, gap=DAY)


@pytest.mark.parametrize("seed", range(2))
def test_five_years_of_three_replicas(seed):
    random = Random(seed)
    faults = [None, "restart", "one", "unreadable", (0, False), (0, True), (1, False), (1, True)]
    world = World(PLAN, 3, timedelta(minutes=4))
    events = [(random.uniform(0, 96), random.randrange(3), random.choice(faults)) for _ in range(850)]
    live(world, events, gap=DAY * 5)
    assert world.now - START > DAY * 365 * 4
    signers = {one for _, bundle in world.history[0] for one in bundle}
    assert len(signers) >= 6  # it did rotate its CA, more than once a year
    assert len(world.history[0][-1][1]) <= 3


def test_the_simulation_finds_a_ca_that_signs_before_every_api_server_trusts_it():
    hasty = replace(QUICK, settles=timedelta(0))
    events = [(hours, 0, "one") for hours in (0.02, 6) * 300]
    with pytest.raises(AssertionError):
        live(World(hasty, 1, timedelta(hours=3)), events, gap=DAY)


def test_the_simulation_finds_an_old_ca_dropped_too_early(monkeypatch):
    from gpu_admission.pki import rotation, rotation_steps

    for module in (rotation, rotation_steps):
        monkeypatch.setattr(module, "droppable", lambda stored, at: stored.retired)
    events = [(6.0, number % 3, None) for number in range(300)]
    with pytest.raises(AssertionError):
        live(World(QUICK, 3, timedelta(minutes=4)), events, gap=DAY * 2)
