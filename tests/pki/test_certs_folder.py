"""certs/: manifests for cert-manager, the trust model, and never a key."""

import re
from pathlib import Path

import fast_yaml
import pytest

FOLDER = Path(__file__).parents[2] / "certs"
OBJECTS = {
    (one["kind"], one["metadata"]["name"]): one
    for one in fast_yaml.load_all((FOLDER / "cert-manager.yaml").read_text(encoding="utf-8"))
}


def test_the_chain_of_references_holds():
    ca, leaf = OBJECTS["Certificate", "gpu-admission-ca"], OBJECTS["Certificate", "gpu-admission-tls"]
    assert ca["spec"]["isCA"] is True
    assert "selfSigned" in OBJECTS["Issuer", ca["spec"]["issuerRef"]["name"]]["spec"]
    issuer = OBJECTS["Issuer", leaf["spec"]["issuerRef"]["name"]]
    assert issuer["spec"]["ca"]["secretName"] == ca["spec"]["secretName"]
    assert {one["metadata"]["namespace"] for one in OBJECTS.values()} == {"gpu-admission"}


@pytest.mark.parametrize("name", ["gpu-admission-ca", "gpu-admission-tls"])
def test_every_key_is_p256_and_every_certificate_is_renewed_at_two_thirds(name):
    spec = OBJECTS["Certificate", name]["spec"]
    assert (spec["privateKey"]["algorithm"], spec["privateKey"]["size"]) == ("ECDSA", 256)
    life, renew_before = (int(spec[key].removesuffix("h")) for key in ("duration", "renewBefore"))
    assert abs(renew_before - life / 3) < 1


def test_the_name_that_the_api_server_verifies_and_the_ca_that_keeps_its_key():
    assert "gpu-admission.gpu-admission.svc" in OBJECTS["Certificate", "gpu-admission-tls"]["spec"]["dnsNames"]
    assert OBJECTS["Certificate", "gpu-admission-ca"]["spec"]["privateKey"]["rotationPolicy"] == "Never"
    assert OBJECTS["Certificate", "gpu-admission-tls"]["spec"]["privateKey"]["rotationPolicy"] == "Always"


def test_no_key_and_no_certificate_is_kept_in_the_folder():
    for path in FOLDER.rglob("*"):
        assert path.suffix in {".md", ".yaml"}
        assert not re.search("-----BEGIN", path.read_text(encoding="utf-8"))
