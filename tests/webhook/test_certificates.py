import shutil
import ssl
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from webhook_server import pair, replace

from gpu_admission.webhook.certificates import ServingCertificate
from gpu_admission.webhook.server.readiness import Drain, Readiness

DAY = 86400.0


@pytest.fixture
def events():
    return {"loaded": [], "failed": []}


def serving(paths, events, client_ca=""):
    return ServingCertificate(*paths, client_ca, loaded=events["loaded"].append, failed=events["failed"].append)


def test_a_good_pair(tmp_path, events):
    now = time.time()
    certificate = serving(pair(tmp_path), events)
    assert certificate.refresh(now)
    assert not certificate.refresh(now)
    assert events["loaded"] == [certificate.not_after]
    assert certificate.context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert certificate.valid_at(now)
    assert not certificate.valid_at(now + 31 * DAY)
    assert not certificate.valid_at(now - 2 * DAY)


def test_a_rotation_is_a_new_context(tmp_path, events):
    certificate = serving(pair(tmp_path), events)
    certificate.refresh(time.time())
    old = certificate.context
    pair(tmp_path)
    assert certificate.refresh(time.time())
    assert certificate.context is not old


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
@pytest.mark.parametrize("half", [0, 1])
def test_a_bad_pair_keeps_the_old_and_is_told_once(tmp_path, events, half, content):
    paths = pair(tmp_path)
    certificate = serving(paths, events)
    certificate.refresh(time.time())
    old = certificate.context
    replace(tmp_path / ("tls.crt", "tls.key")[half], content)
    assert not certificate.refresh(time.time())
    assert not certificate.refresh(time.time())
    assert certificate.context is old
    assert len(events["failed"]) == 1
    assert "PRIVATE" not in events["failed"][0]


def test_a_pair_written_in_two_steps_is_good_at_last(tmp_path, events):
    paths = pair(tmp_path)
    certificate = serving(paths, events)
    certificate.refresh(time.time())
    pair(tmp_path, "new")
    shutil.copy(tmp_path / "new.crt", paths[0])
    assert not certificate.refresh(time.time())
    shutil.copy(tmp_path / "new.key", paths[1])
    assert certificate.refresh(time.time())


def test_one_that_is_not_valid_yet_becomes_so_without_changing(tmp_path, events):
    now = time.time()
    certificate = serving(pair(tmp_path), events)
    assert not certificate.refresh(now - 10 * DAY)
    assert certificate.context is None
    assert certificate.refresh(now)


def test_an_encrypted_key_fails_instead_of_asking(tmp_path, events):
    cert, key = pair(tmp_path)
    loaded = serialization.load_pem_private_key((tmp_path / "tls.key").read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    replace(tmp_path / "tls.key", loaded.private_bytes(encoding, form, secret))
    assert not serving((cert, key), events).refresh(time.time())
    assert "encrypted" in events["failed"][0]


def test_a_strangers_key(tmp_path, events):
    cert, key = pair(tmp_path)
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    replace(tmp_path / "tls.key", made.private_bytes(encoding, form, serialization.NoEncryption()))
    assert not serving((cert, key), events).refresh(time.time())
    assert "does not belong" in events["failed"][0]


@pytest.mark.parametrize("content", [None, b"nonsense", b"\xff\xfe"])
def test_a_bad_client_ca(tmp_path, events, content):
    path = tmp_path / "ca.crt"
    if content is not None:
        path.write_bytes(content)
    certificate = serving(pair(tmp_path), events, str(path))
    assert not certificate.refresh(time.time())
    assert str(path) in events["failed"][0]


def test_client_certificates_are_demanded(tmp_path, events):
    ca, _ = pair(tmp_path, "ca")
    certificate = serving(pair(tmp_path), events, ca)
    assert certificate.refresh(time.time())
    assert certificate.context.verify_mode is ssl.CERT_REQUIRED


class Policies:
    missing = ()


def test_reasons_not_to_be_ready(tmp_path, events):
    now = time.time()
    certificate = serving(pair(tmp_path), events)
    drain = Drain()
    answers = [None]

    def check():
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    ready = Readiness(Policies(), certificate, drain, [check])
    assert ready.reasons(now) == ["no certificate that is valid now"]
    certificate.refresh(now)
    assert ready.reasons(now) == []
    assert ready.reasons(now + 31 * DAY) == ["no certificate that is valid now"]
    answers[0] = "the bundle does not verify it"
    assert ready.reasons(now) == ["the bundle does not verify it"]
    answers[0] = OSError("cannot look")
    assert ready.reasons(now) == []
    Policies.missing = ("x.yaml",)
    try:
        assert ready.reasons(now) == ["policy not loaded: x.yaml"]
    finally:
        Policies.missing = ()
    drain.begin()
    assert ready.reasons(now) == ["draining"]
