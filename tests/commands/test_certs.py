"""gpu-admission certs, through its parser."""

import argparse
import base64
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from fake_kubernetes import FakeKubernetes, served

from gpu_admission.commands import certs
from gpu_admission.pki.authority import certificate_pem, create_authority
from gpu_admission.pki.bundle import parse_bundle, verifies
from gpu_admission.pki.directory_store import DirectoryStore
from gpu_admission.pki.rotation import RotationPlan, RotationStep
from gpu_admission.pki.rotation_steps import perform
from gpu_admission.pki.serving_pair import load_pair
from gpu_admission.pki.subject_alt_names import names_of, serving_names

AT = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Shell:
    def __init__(self, capsys):
        self.capsys = capsys
        self.at = AT
        self.api = None
        self.pauses = []
        self.pause = self.pauses.append

    def __call__(self, *arguments):
        parser = argparse.ArgumentParser(prog="gpu-admission")
        certs.add_parser(parser.add_subparsers())
        args = parser.parse_args(["certs", *map(str, arguments)])
        code = certs.run(args, clock=lambda: self.at, connect=lambda context: self.api, pause=self.pause)
        out, err = self.capsys.readouterr()
        assert "PRIVATE" not in out + err
        assert err.count("\n") == (code != 0)
        assert (code == 0) == (not err)
        return code, out, err


@pytest.fixture
def shell(capsys):
    return Shell(capsys)


@pytest.fixture
def fake(shell):
    client = pytest.importorskip("kubernetes.client")
    from gpu_admission.cluster.api import KubernetesApi

    fake = FakeKubernetes()
    with served(fake) as url:
        configuration = client.Configuration(host=url)
        configuration.retries = False
        with client.ApiClient(configuration) as connection:
            shell.api = KubernetesApi(connection)
            yield fake


def leaf_and_bundle(directory, at=AT):
    pair = load_pair(directory / "tls.crt", directory / "tls.key", at)
    bundle = parse_bundle((directory / "ca.crt").read_bytes())
    assert verifies(bundle, pair.chain, at)
    return pair, bundle


def published(fake, path):
    return [
        parse_bundle(base64.b64decode(one["clientConfig"].get("caBundle", "")))
        for one in fake.objects[path]["webhooks"]
    ]


def test_issue_makes_once_and_keeps(shell, tmp_path):
    code, out, _ = shell("issue", "--dir", tmp_path / "d", "--service", "s", "--namespace", "n", "--san", "::1")
    assert code == 0
    assert "s.n.svc, localhost, 127.0.0.1, ::1" in out
    first, _ = leaf_and_bundle(tmp_path / "d")
    assert shell("issue", "--dir", tmp_path / "d")[0] == 0
    assert leaf_and_bundle(tmp_path / "d")[0].fingerprint == first.fingerprint
    shell("issue", "--dir", tmp_path / "d", "--san", "more.example.com")
    again, _ = leaf_and_bundle(tmp_path / "d")
    assert set(first.names) < set(again.names)


def test_rotate_is_a_new_certificate_from_the_same_ca_for_the_same_names(shell, tmp_path):
    shell("issue", "--dir", tmp_path / "d", "--service", "s", "--namespace", "n")
    first, bundle = leaf_and_bundle(tmp_path / "d")
    assert shell("rotate", "--dir", tmp_path / "d", "--days", 7)[0] == 0
    second, same = leaf_and_bundle(tmp_path / "d")
    assert same == bundle
    assert second.fingerprint != first.fingerprint
    assert second.names == first.names
    assert second.not_after == AT + DAY * 7


def test_rotate_with_a_new_ca_keeps_the_old_one_trusted_until_its_certificate_ends(shell, tmp_path):
    shell("issue", "--dir", tmp_path / "d")
    first, (old,) = leaf_and_bundle(tmp_path / "d")
    assert shell("rotate", "--ca", "--dir", tmp_path / "d")[0] == 0
    second, bundle = leaf_and_bundle(tmp_path / "d")
    assert len(bundle) == 2
    assert old in bundle
    assert verifies(bundle, first.chain, AT)
    assert not verifies((old,), second.chain, AT)
    assert shell.pauses == []


def test_rotate_in_two_steps_for_those_who_publish_by_hand(shell, tmp_path):
    shell("issue", "--dir", tmp_path / "d")
    first, (old,) = leaf_and_bundle(tmp_path / "d")
    for _ in range(2):
        assert shell("rotate", "--ca", "--stage", "--dir", tmp_path / "d")[0] == 0
        same, bundle = leaf_and_bundle(tmp_path / "d")
        assert same.fingerprint == first.fingerprint
        assert len(bundle) == 2
    assert shell("rotate", "--ca", "--dir", tmp_path / "d")[0] == 0
    second, after = leaf_and_bundle(tmp_path / "d")
    assert set(after) == set(bundle)
    assert not verifies((old,), second.chain, AT)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_verifies_old_and_new_after_a_rotation_of_the_ca(shell, tmp_path):
    shell.at = datetime.now(UTC)
    shell("issue", "--dir", tmp_path / "d")
    shutil.copy(tmp_path / "d" / "tls.crt", tmp_path / "before.crt")
    shell("rotate", "--ca", "--dir", tmp_path / "d")
    for leaf in (tmp_path / "before.crt", tmp_path / "d" / "tls.crt"):
        command = ["openssl", "verify", "-x509_strict", "-CAfile", tmp_path / "d" / "ca.crt", leaf]
        subprocess.run(command, check=True, capture_output=True, timeout=30)


def test_rotate_of_the_ca_is_published_and_read_back_before_it_signs(shell, fake, tmp_path):
    paths = [fake.add_webhooks(kind, "hooks", [None, None]) for kind in KINDS]
    fake.add_secret("ns", "certs")
    place = ("--secret", "ns/certs")
    assert shell("issue", *place)[0] == 0
    assert shell("inject", *place, "--webhook-configuration", "hooks")[0] == 0
    fake.requests.clear()
    code, out, _ = shell("rotate", "--ca", *place, "--webhook-configuration", "hooks")
    assert code == 0
    assert out.count("published 2 CA certificates") == 2
    assert len(shell.pauses) == 1
    writes = [path for method, path in fake.requests if method == "PUT"]
    secret = "/api/v1/namespaces/ns/secrets/certs"
    assert writes == [secret, *paths, secret]
    for path in paths:
        assert [len(bundle) for bundle in published(fake, path)] == [2, 2]


KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def test_a_ca_that_cannot_be_published_does_not_sign(shell, fake, tmp_path):
    path = fake.add_webhooks(KINDS[0], "hooks", [None])
    shell("issue", "--dir", tmp_path / "d")
    first, _ = leaf_and_bundle(tmp_path / "d")
    fake.refuse["PUT", path] = 403
    code, _, err = shell("rotate", "--ca", "--dir", tmp_path / "d", "--webhook-configuration", "hooks")
    assert code == 1
    assert "RBAC" in err
    assert leaf_and_bundle(tmp_path / "d")[0].fingerprint == first.fingerprint
    del fake.refuse["PUT", path]
    assert shell("rotate", "--ca", "--dir", tmp_path / "d", "--webhook-configuration", "hooks")[0] == 0
    assert leaf_and_bundle(tmp_path / "d")[0].fingerprint != first.fingerprint
    assert len(published(fake, path)[0]) == 2


def test_a_ca_that_somebody_takes_out_again_does_not_sign(shell, fake, tmp_path):
    fake.add_webhooks(KINDS[0], "hooks", [None])
    shell("issue", "--dir", tmp_path / "d")
    first, _ = leaf_and_bundle(tmp_path / "d")
    shell.pause = lambda seconds: fake.add_webhooks(KINDS[0], "hooks", [None])
    code, _, err = shell("rotate", "--ca", "--dir", tmp_path / "d", "--webhook-configuration", "hooks")
    assert code == 1
    assert "the old CA stays in use" in err
    assert leaf_and_bundle(tmp_path / "d")[0].fingerprint == first.fingerprint


def test_a_maintainer_that_promotes_the_next_ca_meanwhile_is_no_error(shell, fake, tmp_path):
    fake.add_webhooks(KINDS[0], "hooks", [None])
    store = DirectoryStore(tmp_path / "d")
    shell("issue", "--dir", tmp_path / "d")

    def maintainer(seconds):
        found = store.read()
        store.write(
            perform(RotationStep.PROMOTE, found.certificates, AT, RotationPlan(serving_names("s", "n"))), found.version
        )

    shell.pause = maintainer
    code, _, _ = shell("rotate", "--ca", "--dir", tmp_path / "d", "--webhook-configuration", "hooks")
    assert code == 0
    assert len(leaf_and_bundle(tmp_path / "d")[1]) == 2


def test_inject_merges_replaces_and_is_idempotent(shell, fake, tmp_path):
    stranger = create_authority(AT).certificate
    before = base64.b64encode(certificate_pem(stranger)).decode()
    path = fake.add_webhooks(KINDS[1], "hooks", [before])
    shell("issue", "--dir", tmp_path / "d")
    _, bundle = leaf_and_bundle(tmp_path / "d")
    command = ("inject", "--dir", tmp_path / "d", "--webhook-configuration", "hooks")
    assert "published 1 CA certificate\n" in shell(*command)[1]
    assert published(fake, path) == [(*bundle, stranger)]
    version = fake.objects[path]["metadata"]["resourceVersion"]
    assert "up to date" in shell(*command)[1]
    assert fake.objects[path]["metadata"]["resourceVersion"] == version
    shell(*command, "--replace")
    assert published(fake, path) == [bundle]


def test_inject_tries_again_when_somebody_else_writes(shell, fake, tmp_path):
    path = fake.add_webhooks(KINDS[0], "hooks", [None])
    shell("issue", "--dir", tmp_path / "d")
    fake.before_put += [lambda: fake.add_webhooks(KINDS[0], "hooks", [None, None])] * 2
    assert shell("inject", "--dir", tmp_path / "d", "--webhook-configuration", "hooks")[0] == 0
    assert published(fake, path) == [leaf_and_bundle(tmp_path / "d")[1]] * 2
    fake.add_webhooks(KINDS[0], "hooks", [None])
    fake.before_put += [lambda: fake.add_webhooks(KINDS[0], "hooks", [None])] * 20
    code, _, err = shell("inject", "--dir", tmp_path / "d", "--webhook-configuration", "hooks")
    assert code == 1
    assert "another client keeps writing" in err


def test_inject_publishes_a_ca_of_ones_own_and_refuses_one_that_denies_its_certificate(shell, fake, tmp_path):
    path = fake.add_webhooks(KINDS[0], "hooks", [None])
    shell("issue", "--dir", tmp_path / "ours")
    other = create_authority(AT).certificate
    own = tmp_path / "own"
    own.mkdir()
    for name in ("tls.crt", "tls.key", "ca.crt"):
        shutil.copy(tmp_path / "ours" / name, own / name)
    command = ("inject", "--dir", own, "--webhook-configuration", "hooks")
    assert shell(*command)[0] == 0
    assert len(published(fake, path)[0]) == 1
    (own / "ca.crt").write_bytes(certificate_pem(other))
    code, _, err = shell(*command)
    assert code == 1
    assert "does not verify against ca.crt" in err
    shell.at = AT + DAY * 400
    code, _, err = shell(*command)
    assert code == 1
    assert "expired" in err


def test_force_replaces_what_is_not_ours(shell, tmp_path):
    (tmp_path / "tls.crt").write_text("somebody's")
    code, _, err = shell("issue", "--dir", tmp_path)
    assert code == 1
    assert "--force" in err
    assert (tmp_path / "tls.crt").read_text() == "somebody's"
    assert shell("issue", "--dir", tmp_path, "--force")[0] == 0
    leaf_and_bundle(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["issue", "--dir", "D", "--days", "0"], 2, "must be 1 to 365"),
        (["issue", "--dir", "D", "--days", "366"], 2, "must be 1 to 365"),
        (["issue", "--dir", "D", "--san", "a b"], 2, "neither a DNS name nor an IP address"),
        (["issue", "--dir", "D", "--san", ""], 2, "neither a DNS name nor an IP address"),
        (["issue", "--dir", "D", "--service", "a.b"], 2, "not the name of a Service"),
        (["issue", "--secret", "name"], 2, "expected NAMESPACE/NAME"),
        (["issue", "--secret", "a/b/c"], 2, "expected NAMESPACE/NAME"),
        (["inject", "--dir", "D"], 2, "needs --webhook-configuration"),
        (["rotate", "--dir", "D", "--stage"], 2, "need --ca"),
        (["rotate", "--dir", "D", "--webhook-configuration", "x"], 2, "need --ca"),
        (["rotate", "--dir", "D"], 1, "run gpu-admission certs issue first"),
        (["rotate", "--dir", "D", "--ca"], 1, "run gpu-admission certs issue first"),
        (["issue", "--dir", "D/file/x"], 1, "not a directory|file exists"),
    ],
)
def test_mistakes_are_one_line(shell, tmp_path, arguments, code, text):
    (tmp_path / "file").write_text("")
    arguments = [word.replace("D", str(tmp_path)) if word.startswith("D") else word for word in arguments]
    got, out, err = shell(*arguments)
    assert (got, out) == (code, "")
    assert any(part in err for part in text.split("|"))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["issue"],
        ["issue", "--dir", "x", "--secret", "a/b"],
        ["issue", "--dir"],
        ["issue", "--dir", ""],
        ["rotate", "--dir", "x", "--days", "y"],
    ],
)
def test_what_the_parser_refuses(shell, arguments):
    with pytest.raises(SystemExit) as caught:
        shell(*arguments)
    assert caught.value.code == 2


def test_objects_that_do_not_exist(shell, fake, tmp_path):
    shell("issue", "--dir", tmp_path / "d")
    code, _, err = shell("inject", "--dir", tmp_path / "d", "--webhook-configuration", "nothing")
    assert (code, "there is no Mutating- or ValidatingWebhookConfiguration nothing" in err) == (1, True)
    code, _, err = shell("issue", "--secret", "ns/nothing")
    assert (code, "create it empty first" in err) == (1, True)
    fake.add_webhooks(KINDS[0], "hooks", [None])
    code, _, err = shell("inject", "--dir", tmp_path / "empty", "--webhook-configuration", "hooks")
    assert (code, "ca.crt is missing" in err) == (1, True)


def test_without_a_cluster_the_error_is_clear(shell, monkeypatch, tmp_path):
    pytest.importorskip("kubernetes.client")
    from gpu_admission.cluster.api import connect

    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for content in (None, "", "not: a kubeconfig", "[" * 50, "\0"):
        path = tmp_path / "config"
        if content is not None:
            path.write_text(content)
        monkeypatch.setenv("KUBECONFIG", str(path))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
        with pytest.raises(Exception, match="no cluster to talk to") as caught:
            connect("nowhere")
        assert "\n" not in str(caught.value)


def test_an_expired_certificate_is_replaced_and_an_expired_ca_too(shell, tmp_path):
    shell("issue", "--dir", tmp_path / "d")
    shell.at = AT + DAY * 40
    assert shell("issue", "--dir", tmp_path / "d")[0] == 0
    leaf_and_bundle(tmp_path / "d", shell.at)
    shell.at = AT + DAY * 400
    code, _, err = shell("rotate", "--dir", tmp_path / "d")
    assert (code, "the CA is not valid now: expired on 2031-01-01" in err) == (1, True)
    assert shell("rotate", "--ca", "--dir", tmp_path / "d")[0] == 0
    pair, _ = leaf_and_bundle(tmp_path / "d", shell.at)
    assert names_of(pair.certificate)


def test_keys_are_private_on_disk(shell, tmp_path):
    before = os.umask(0)
    try:
        shell("issue", "--dir", tmp_path / "d")
    finally:
        os.umask(before)
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "d" / "tls.key").stat().st_mode & 0o777 == 0o600
