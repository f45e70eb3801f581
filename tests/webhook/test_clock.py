"""The clock is set: ahead and back, far back, by minutes, and by a machine that slept.

What must hold: as soon as the clock is right again, one look brings back a server that is ready and that every client
of before still trusts; and what works for a client with the right time is not replaced by what does not.
"""

import os
from datetime import UTC, datetime, timedelta

import pytest

from gpu_admission.pki.bundle import parse_bundle, verifies
from gpu_admission.webhook.certificates import ServingCertificate
from gpu_admission.webhook.self_signed import INTERVAL, SelfSignedCertificate
from gpu_admission.webhook.server.readiness import Drain, Readiness

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
START = datetime(2030, 1, 1, tzinfo=UTC).timestamp()


class Policies:
    missing = ()


class Machine:
    """A server on a machine with a clock that can be wrong; ``now`` is the right time."""

    def __init__(self, folder, ahead=0.0):
        self.folder = folder
        self.now, self.ahead, self.elapsed = START, ahead, 1000.0
        self.start()

    @property
    def clock(self):
        return self.now + self.ahead

    def start(self):
        monotonic = lambda: self.elapsed  # noqa: E731
        self.own = SelfSignedCertificate(str(self.folder), "gate", "infra", self.clock, monotonic=monotonic)
        paths = str(self.own.serving.tls_crt), str(self.own.serving.tls_key)
        self.served = ServingCertificate(*paths, monotonic=monotonic)
        self.readiness = Readiness(Policies(), self.served, Drain())
        self.served.refresh(self.clock)

    def live(self, seconds):
        """Let time pass, looking as often as the server does, or twelve times if that is less."""
        step = max(INTERVAL, seconds / 12)
        while seconds > 0:
            self.now += step
            self.elapsed += step
            seconds -= step
            self.look()

    def look(self):
        self.events = self.own.maintain(self.clock)
        self.served.refresh(self.clock)

    def sleep(self, seconds):
        self.now += seconds  # monotonic time stands still

    @property
    def ready(self):
        return not self.readiness.reasons(self.clock)

    @property
    def authorities(self):
        return parse_bundle((self.folder / "ca.crt").read_bytes())

    def accepted_by(self, bundle):
        """Whether a client with the right time, who trusts this bundle, accepts what is served."""
        return verifies(bundle, self.served._pair.chain, datetime.fromtimestamp(self.now, UTC))


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # hundreds of certificates; what a crash leaves is another test


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "state")
    made.live(5 * DAY)
    assert made.ready
    return made


WRONG = [21 * DAY, 31 * DAY, 200 * DAY, 359.9 * DAY, 400 * DAY, 5 * 365 * DAY, 10 * MINUTE, -10 * MINUTE, -2 * HOUR,
         -6 * DAY, -365 * DAY, -20 * 365 * DAY]  # fmt: skip


@pytest.mark.parametrize(("restarts", "spent"), [((), 3 * DAY), (("wrong", "right"), MINUTE)], ids=str)
@pytest.mark.parametrize("ahead", WRONG)
def test_a_clock_that_is_wrong_for_a_while(machine, ahead, spent, restarts):
    trusted = machine.authorities
    machine.ahead = ahead
    if "wrong" in restarts:
        machine.start()
    machine.live(spent)
    assert machine.served.context is not None
    machine.ahead = 0.0
    if "right" in restarts:
        machine.start()
    machine.live(INTERVAL)
    machine.live(1.0)
    assert machine.ready
    assert machine.accepted_by(trusted)
    assert machine.accepted_by(machine.authorities)
    machine.live(400 * DAY)  # and its certificates go on being renewed
    assert machine.ready


@pytest.mark.parametrize("ahead", [21 * DAY, 31 * DAY, 200 * DAY, 10 * MINUTE, -10 * MINUTE, -HOUR, -4 * DAY])
def test_what_works_goes_on_working_while_the_clock_is_wrong(machine, ahead):
    trusted = machine.authorities
    machine.ahead = ahead
    for _ in range(20):
        machine.live(HOUR)
        assert machine.ready
        assert machine.accepted_by(trusted)


@pytest.mark.parametrize("ahead", [21 * DAY, 400 * DAY, -21 * DAY, -400 * DAY])
@pytest.mark.parametrize("restart", [False, True])
def test_a_first_certificate_made_at_a_wrong_time(tmp_path, ahead, restart):
    machine = Machine(tmp_path / "state", ahead)
    machine.live(MINUTE)
    machine.ahead = 0.0
    if restart:
        machine.start()
    machine.live(INTERVAL)
    assert machine.ready
    assert machine.accepted_by(machine.authorities)
    trusted = machine.authorities
    for _ in range(40):
        machine.live(DAY)
        assert machine.ready
        assert machine.accepted_by(trusted)


@pytest.mark.parametrize("days", [1, 25, 31, 200, 300])
def test_a_machine_that_slept(machine, days):
    trusted = machine.authorities
    machine.sleep(days * DAY)
    machine.live(INTERVAL)
    assert machine.ready
    assert machine.accepted_by(trusted)


def test_a_clock_that_is_set_again_and_again(machine):
    """One CA is kept of those that gave way, so the first may be lost; the server always comes back."""
    for ahead in WRONG * 2:
        machine.ahead = ahead
        machine.live(5 * MINUTE)
    machine.ahead = 0.0
    machine.live(5 * MINUTE)
    assert machine.ready
    assert machine.accepted_by(machine.authorities)
    assert len(machine.authorities) <= 4


def test_a_pair_of_somebody_else_is_taken_when_the_clock_is_right(tmp_path, machine):
    now = machine.now
    certificate = ServingCertificate(str(machine.folder / "tls.crt"), str(machine.folder / "tls.key"))
    for wrong in (-365 * DAY, 31 * DAY):
        assert not certificate.refresh(now + wrong)
        assert certificate.context is None
    assert certificate.refresh(now)
    context = certificate.context
    for wrong in (-365 * DAY, 31 * DAY):
        certificate.refresh(now + wrong)
        assert not certificate.valid_at(now + wrong)
        assert certificate.context is context  # who has the right time can still use it
    assert certificate.valid_at(now)


def test_an_answer_about_the_bundle_outlives_any_change_of_the_clock(machine):
    from gpu_admission.pki.trust_status import write_status

    right = datetime.fromtimestamp(machine.now, UTC)
    write_status(machine.folder, machine.served._pair.fingerprint, False, machine.elapsed, right)
    for ahead in (0.0, 10 * DAY, -4 * DAY):
        machine.ahead = ahead
        assert machine.served.distrusted
    machine.elapsed += 11 * MINUTE
    assert not machine.served.distrusted


@pytest.mark.parametrize("ahead", [-365 * DAY, 31 * DAY, 5 * 365 * DAY])
def test_where_the_api_server_tells_the_time_its_time_counts(machine, ahead):
    from gpu_admission.pki.trust_status import write_status

    right = datetime.fromtimestamp(machine.now, UTC)
    write_status(machine.folder, machine.served._pair.fingerprint, True, machine.elapsed, right)
    machine.ahead = ahead
    machine.elapsed += 5 * MINUTE
    assert machine.ready
    paths = str(machine.folder / "tls.crt"), str(machine.folder / "tls.key")
    fresh = ServingCertificate(*paths, monotonic=lambda: machine.elapsed)  # a worker that starts only now
    assert fresh.refresh(machine.clock)
    machine.elapsed += 6 * MINUTE  # not recorded recently
    assert not machine.ready


def test_it_looks_soon_while_its_certificate_is_not_valid(machine):
    machine.sleep(timedelta(days=31).total_seconds())
    machine.elapsed += 6
    machine.look()
    assert [event.failed for event in machine.events] == [False]
    assert machine.ready
    machine.elapsed += 6
    machine.look()
    assert machine.events == []
