import base64
from datetime import UTC, datetime, timedelta

import pytest

from gpu_admission.cluster.ca_bundle import KINDS, WebhookCaBundle, ca_bundle_targets
from gpu_admission.cluster.secret_store import SecretStore
from gpu_admission.pki.authority import certificate_pem, create_authority
from gpu_admission.pki.bundle import parse_bundle
from gpu_admission.pki.errors import ConflictError, StoreError
from gpu_admission.pki.rotation import RotationPlan
from gpu_admission.pki.rotator import Rotator, run
from gpu_admission.pki.subject_alt_names import serving_names
from gpu_admission.pki.trust_status import judge, read_status

AT = datetime(2030, 1, 1, tzinfo=UTC)
PLAN = RotationPlan(serving_names("gpu-admission", "gpu-admission"))
OTHER = create_authority(AT)


def encoded(*certificates):
    return base64.b64encode(certificate_pem(*certificates)).decode()


def bundles_of(fake, path):
    return [
        parse_bundle(base64.b64decode(webhook["clientConfig"].get("caBundle", "")))
        for webhook in fake.objects[path]["webhooks"]
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [None, "", "Cg==", "bm90IGEgY2VydGlmaWNhdGU=", "***"])
def test_every_webhook_gets_the_bundle_and_keeps_all_else(api, fake, tmp_path, kind, before):
    path = fake.add_webhooks(kind, "gpu-admission", [before, before])
    fake.add_secret("ns", "certs")
    store = SecretStore(api, "ns", "certs")
    maintainer = Rotator(store, PLAN, targets=ca_bundle_targets(api, "gpu-admission"), serving=tmp_path)
    events = maintainer.reconcile(AT)
    assert not [event for event in events if event.failed]
    assert bundles_of(fake, path) == [store.read().certificates.trusted] * 2
    for webhook in fake.objects[path]["webhooks"]:
        assert webhook["futureField"] == {"kept": True}
        assert webhook["clientConfig"]["service"]["path"] == "/x"


def test_publishing_again_writes_nothing(api, fake, tmp_path):
    path = fake.add_webhooks(KINDS[0], "hooks", [None])
    fake.add_secret("ns", "certs")
    maintainer = Rotator(
        SecretStore(api, "ns", "certs"), PLAN, targets=ca_bundle_targets(api, "hooks"), serving=tmp_path
    )
    maintainer.reconcile(AT)
    version = fake.objects[path]["metadata"]["resourceVersion"]
    assert maintainer.reconcile(AT + timedelta(minutes=1)) == []
    assert fake.objects[path]["metadata"]["resourceVersion"] == version


def test_a_ca_of_somebody_else_stays_until_it_expires(api, fake, tmp_path):
    path = fake.add_webhooks(KINDS[1], "hooks", [encoded(OTHER.certificate)])
    fake.add_secret("ns", "certs")
    store = SecretStore(api, "ns", "certs")
    days = iter(range(1, 1000))
    targets = ca_bundle_targets(api, "hooks")
    maintainer = Rotator(store, PLAN, targets=targets, serving=tmp_path, monotonic=lambda: next(days) * 86400.0)
    maintainer.reconcile(AT)
    assert set(bundles_of(fake, path)[0]) == {OTHER.certificate, *store.read().certificates.trusted}
    for day in range(0, 390, 10):
        maintainer.reconcile(AT + timedelta(days=day))
    assert OTHER.certificate not in bundles_of(fake, path)[0]
    assert set(store.read().certificates.trusted) <= set(bundles_of(fake, path)[0])


def test_a_configuration_changed_by_somebody_meanwhile_is_never_written_over(api, fake):
    path = fake.add_webhooks(KINDS[0], "hooks", [None])
    publication = WebhookCaBundle(api, KINDS[0], "hooks")
    version = publication.read().version
    fake.add_webhooks(KINDS[0], "hooks", [None, None])
    with pytest.raises(ConflictError):
        publication.write([(OTHER.certificate,)], version)
    fake.before_put.append(lambda: fake.add_webhooks(KINDS[0], "hooks", [None, None]))
    with pytest.raises(ConflictError):
        publication.write([(OTHER.certificate,)] * 2, publication.read().version)
    assert bundles_of(fake, path) == [(), ()]


def test_rights_to_one_configuration_only_still_renew_what_is_served(api, fake, tmp_path):
    path = fake.add_webhooks(KINDS[0], "hooks", [None])
    fake.add_secret("ns", "certs")
    fake.refuse["PUT", path] = 403
    store = SecretStore(api, "ns", "certs")
    maintainer = Rotator(store, PLAN, targets=ca_bundle_targets(api, "hooks"), serving=tmp_path)
    first = [event for event in maintainer.reconcile(AT) if event.failed]
    assert any("RBAC" in event.message for event in first)
    leaf = store.read().certificates.leaf.certificate
    maintainer.reconcile(AT + timedelta(days=21))
    assert store.read().certificates.leaf.certificate != leaf


def test_ready_only_turns_false_when_a_mismatch_was_seen(api, fake, tmp_path):
    path = fake.add_webhooks(KINDS[0], "hooks", [None])
    fake.add_secret("ns", "certs")
    store = SecretStore(api, "ns", "certs")
    now = [7.0]
    targets = ca_bundle_targets(api, "hooks")
    maintainer = Rotator(store, PLAN, targets=targets, serving=tmp_path, monotonic=lambda: now[0])
    maintainer.reconcile(AT)
    leaf = maintainer_leaf(store)
    assert read_status(tmp_path, leaf, now[0]) is True
    fake.refuse["PUT", path] = 403
    fake.objects[path]["webhooks"][0]["clientConfig"]["caBundle"] = encoded(OTHER.certificate)
    fake.objects[path]["metadata"]["resourceVersion"] = "9999"
    now[0] += 60
    maintainer.reconcile(AT)
    assert read_status(tmp_path, leaf, now[0]) is False
    assert read_status(tmp_path, "another", now[0]) is None
    fake.refuse["GET", path] = 403
    maintainer.reconcile(AT)
    assert read_status(tmp_path, leaf, now[0]) is None


def maintainer_leaf(store):
    from gpu_admission.pki.authority import fingerprint

    return fingerprint(store.read().certificates.leaf.certificate)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, None),
        ("", None),
        ("Cg==", False),
        ("***", False),
        (encoded(OTHER.certificate), False),
    ],
)
def test_what_a_bundle_that_is_not_ours_says(api, fake, tmp_path, before, expected):
    from gpu_admission.pki.directory_store import ensure

    fake.add_webhooks(KINDS[0], "hooks", [before])
    pair = ensure(tmp_path / "d", PLAN.names, AT).pair
    looks = [one.read() for one in ca_bundle_targets(api, "hooks")]
    assert judge(looks, pair.chain, AT) is expected


def test_an_api_server_that_forbids_looking_is_an_error_and_no_verdict(api, fake, tmp_path):
    from gpu_admission.pki.directory_store import ensure

    path = fake.add_webhooks(KINDS[0], "hooks", [encoded(OTHER.certificate)])
    fake.refuse["GET", path] = 403
    with pytest.raises(StoreError, match="not allowed to get"):
        WebhookCaBundle(api, KINDS[0], "hooks").read()
    pair = ensure(tmp_path / "d", PLAN.names, AT).pair
    assert judge([None], pair.chain, AT) is None
    assert judge([], pair.chain, AT) is None


def test_a_bundle_that_somebody_takes_out_is_put_back_at_the_next_look(api, fake, tmp_path):
    """Between two looks a minute apart, `run` looks every few seconds, at versions only."""
    path = fake.add_webhooks(KINDS[0], "hooks", [None])
    fake.add_secret("ns", "certs")
    store = SecretStore(api, "ns", "certs")
    rotator = Rotator(store, PLAN, targets=ca_bundle_targets(api, "hooks"), serving=tmp_path)

    class Stop:
        def __init__(self):
            self.waits = []

        def wait(self, seconds):
            self.waits.append(seconds)
            if len(self.waits) == 5:
                fake.add_webhooks(KINDS[0], "hooks", [None])
            return len(self.waits) == 10

    stop = Stop()
    run(rotator, stop, lambda: AT, lambda _: None, interval=60.0, look=3.0)
    assert bundles_of(fake, path) == [store.read().certificates.trusted]
    assert set(stop.waits) == {3.0}  # it never came to the end of the minute


@pytest.mark.parametrize("look", ["quiet", "unreadable"])
def test_looks_that_show_nothing_new_read_no_object(api, fake, tmp_path, look):
    path = fake.add_webhooks(KINDS[0], "hooks", [None])
    fake.add_secret("ns", "certs")
    rotator = Rotator(SecretStore(api, "ns", "certs"), PLAN, targets=ca_bundle_targets(api, "hooks"), serving=tmp_path)
    rotator.reconcile(AT)
    if look == "unreadable":
        fake.refuse["GET", path] = 403
    assert not rotator.has_news()
    if look == "quiet":
        certificates = SecretStore(api, "ns", "certs").read()
        SecretStore(api, "ns", "certs").write(certificates.certificates, certificates.version)
        assert rotator.has_news()  # another replica wrote the Secret


def test_a_configuration_that_comes_and_goes_is_news(api, fake, tmp_path):
    fake.add_secret("ns", "certs")
    rotator = Rotator(SecretStore(api, "ns", "certs"), PLAN, targets=ca_bundle_targets(api, "hooks"), serving=tmp_path)
    rotator.reconcile(AT)
    assert not rotator.has_news()
    path = fake.add_webhooks(KINDS[0], "hooks", [None])
    assert rotator.has_news()
    rotator.reconcile(AT)
    assert len(bundles_of(fake, path)[0]) == 1
    del fake.objects[path]
    assert rotator.has_news()
