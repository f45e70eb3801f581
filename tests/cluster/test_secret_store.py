import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from gpu_admission.cluster.secret_store import SecretStore
from gpu_admission.pki.authority import fingerprint
from gpu_admission.pki.errors import CertificateSetError, ConflictError, ForeignError, StoreError
from gpu_admission.pki.rotation import RotationPlan, RotationStep
from gpu_admission.pki.rotation_steps import perform
from gpu_admission.pki.rotator import Rotator
from gpu_admission.pki.subject_alt_names import serving_names

AT = datetime(2030, 1, 1, tzinfo=UTC)
PLAN = RotationPlan(serving_names("gpu-admission", "gpu-admission"))


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (None, {}),
        ({}, {}),
        ({"tls.crt": "", "tls.key": ""}, {"type": "kubernetes.io/tls"}),
        ({"tls.crt": None, "other": "a2VwdA=="}, {}),
    ],
)
def test_an_empty_secret_is_filled_and_read_back(api, fake, data, fields):
    path = fake.add_secret("ns", "certs", data, **fields)
    store = SecretStore(api, "ns", "certs")
    empty = store.read()
    assert empty.certificates is None
    certificates = perform(RotationStep.CREATE, None, AT, PLAN)
    store.write(certificates, empty.version)
    found = store.read()
    assert found.certificates.trusted == certificates.trusted
    assert found.certificates.leaf.certificate == certificates.leaf.certificate
    assert found.version != empty.version
    kept = fake.objects[path]
    assert kept["metadata"]["labels"] == {"keep": "me"}
    assert kept["type"] == fields.get("type", "Opaque")
    assert kept["data"].get("other") == (data or {}).get("other")
    assert {"ca.crt", "ca.key", "tls.crt", "tls.key"} <= kept["data"].keys()


def test_of_two_writers_that_read_the_same_version_one_wins(api, fake):
    fake.add_secret("ns", "certs")
    store = SecretStore(api, "ns", "certs")
    version = store.read().version
    first, second = (perform(RotationStep.CREATE, None, AT, PLAN) for _ in range(2))
    store.write(first, version)
    with pytest.raises(ConflictError):
        store.write(second, version)
    assert store.read().certificates.trusted == first.trusted


def test_a_write_between_our_last_look_and_our_put_is_a_conflict(api, fake):
    path = fake.add_secret("ns", "certs")
    store = SecretStore(api, "ns", "certs")
    version = store.read().version
    winner = perform(RotationStep.CREATE, None, AT, PLAN)

    def race():
        SecretStore(api, "ns", "certs").write(winner, version)

    fake.before_put.append(race)
    with pytest.raises(ConflictError):
        store.write(perform(RotationStep.CREATE, None, AT, PLAN), version)
    assert store.read().certificates.trusted == winner.trusted
    assert fake.requests.count(("PUT", path)) == 2


def test_many_replicas_that_start_at_once_agree_on_one_authority(api, fake, tmp_path):
    fake.add_secret("ns", "certs")
    maintainers = [
        Rotator(SecretStore(api, "ns", "certs"), PLAN, serving=tmp_path / str(number)) for number in range(6)
    ]
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda one: one.reconcile(AT), maintainers))
    assert not [event for events in outcomes for event in events if event.failed]
    served = {(tmp_path / str(number) / "tls.crt").read_bytes() for number in range(6)}
    trusted = {(tmp_path / str(number) / "ca.crt").read_bytes() for number in range(6)}
    assert len(served) == len(trusted) == 1
    made = [event for events in outcomes for event in events if "made a new CA" in event.message]
    assert len(made) == 1


def test_a_replica_never_gets_the_authority_key_on_its_disk(api, fake, tmp_path):
    fake.add_secret("ns", "certs")
    Rotator(SecretStore(api, "ns", "certs"), PLAN, serving=tmp_path / "serving").reconcile(AT)
    names = {path.name for path in (tmp_path / "serving").rglob("*")}
    assert {"tls.crt", "tls.key", "ca.crt"} <= names
    assert not names & {"ca.key", "ca-next.key"}


@pytest.mark.parametrize(
    ("status", "word"),
    [(403, "RBAC"), (401, "RBAC"), (500, "500"), (503, "503"), (422, "422")],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_refusal_is_one_clear_line_and_changes_nothing(api, fake, status, word, method):
    path = fake.add_secret("ns", "certs")
    store = SecretStore(api, "ns", "certs")
    before = dict(fake.objects[path])
    fake.refuse[method, path] = status
    with pytest.raises(StoreError, match=word) as caught:
        store.write(perform(RotationStep.CREATE, None, AT, PLAN), store.read().version)
    assert "\n" not in str(caught.value)
    assert "ns/certs" in str(caught.value)
    assert fake.objects[path] == before


def test_a_missing_secret_says_how_to_create_it(api):
    with pytest.raises(StoreError, match="does not exist: create it empty first"):
        SecretStore(api, "ns", "certs").read()


def test_an_api_server_that_is_away_is_an_error_and_what_is_served_stays(fake, tmp_path):
    client = pytest.importorskip("kubernetes.client")
    from gpu_admission.cluster.api import KubernetesApi

    configuration = client.Configuration(host="http://127.0.0.1:9")  # discard: a closed port
    configuration.retries = False
    with client.ApiClient(configuration) as connection:
        store = SecretStore(KubernetesApi(connection), "ns", "certs")
        (tmp_path / "tls.crt").write_text("as it was")
        events = Rotator(store, PLAN, serving=tmp_path).reconcile(AT)
    assert [event.failed for event in events] == [True]
    assert "cannot be reached" in events[0].message
    assert (tmp_path / "tls.crt").read_text() == "as it was"


@pytest.mark.parametrize(
    "case",
    [
        ({"ca.crt": "%%%"}, CertificateSetError, "base64"),
        ({"ca.crt": base64.b64encode(b"hello").decode()}, CertificateSetError, "no PEM"),
        ({"tls.crt": base64.b64encode(b"hello").decode()}, ForeignError, "not made by gpu-admission"),
        ({"ca.crt": 7}, CertificateSetError, "base64"),
    ],
)
def test_hostile_data_is_refused_and_never_overwritten(api, fake, tmp_path, case):
    data, error, word = case
    path = fake.add_secret("ns", "certs", data)
    store = SecretStore(api, "ns", "certs")
    with pytest.raises(error, match=word):
        store.read()
    events = Rotator(store, PLAN, serving=tmp_path).reconcile(AT)
    assert [event.failed for event in events] == [True]
    assert fake.objects[path]["data"] == data


def test_keys_are_in_no_message_and_no_repr(api, fake, tmp_path):
    path = fake.add_secret("ns", "certs")
    store = SecretStore(api, "ns", "certs")
    events = Rotator(store, PLAN, serving=tmp_path).reconcile(AT)
    told = repr((events, store.read(), str(store)))
    key = base64.b64decode(fake.objects[path]["data"]["ca.key"]).decode().splitlines()[1]
    assert key not in told
    assert "PRIVATE" not in told
    assert fingerprint(store.read().certificates.leaf.certificate)
