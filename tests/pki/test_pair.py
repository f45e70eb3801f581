"""Pairs on disk, good, bad and hostile."""

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gpu_admission.pki.authority import certificate_pem, create_authority, issue_leaf, key_pem
from gpu_admission.pki.errors import PairError
from gpu_admission.pki.serving_pair import check_pair, load_pair
from gpu_admission.pki.subject_alt_names import serving_names

AT = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = serving_names("gpu-admission", "gpu-admission")
CA = create_authority(AT)
LEAF, OTHER = issue_leaf(CA, NAMES, AT), issue_leaf(CA, NAMES, AT)
CERT, KEY = certificate_pem(LEAF.certificate), key_pem(LEAF.key)


def self_signed(key, algorithm):
    name = x509.Name([])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(AT - DAY)
        .not_valid_after(AT + DAY)
        .sign(key, algorithm)
    )
    return certificate_pem(certificate), key_pem(key)


RSA = self_signed(rsa.generate_private_key(65537, 2048), hashes.SHA256())
ED25519 = self_signed(ed25519.Ed25519PrivateKey.generate(), None)
P384 = self_signed(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256())
ENCRYPTED = LEAF.key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
)
OLD_ENCRYPTED = LEAF.key.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.BestAvailableEncryption(b"x"),
)
TRADITIONAL = LEAF.key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
DER = LEAF.certificate.public_bytes(serialization.Encoding.DER)
DER_KEY = LEAF.key.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


@pytest.mark.parametrize(
    ("chain", "key"),
    [
        (CERT, KEY),
        (CERT + certificate_pem(CA.certificate), KEY),
        (b"Bag Attributes\n" + CERT.replace(b"\n", b"\r\n"), b"# mine\n" + KEY),
        (CERT, TRADITIONAL),
        (CERT, KEY.rstrip()),
        RSA,
        P384,
        ED25519,
    ],
    ids=["plain", "chain", "crlf and text", "SEC1", "no final newline", "rsa", "p384", "ed25519"],
)
def test_good_pairs(tmp_path, chain, key):
    (tmp_path / "c").write_bytes(chain)
    (tmp_path / "k").write_bytes(key)
    pair = load_pair(tmp_path / "c", tmp_path / "k", AT)
    assert certificate_pem(pair.certificate).splitlines()[1] in chain
    pair.install(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


HOSTILE = {
    "empty certificate": (b"", KEY, "c: empty"),
    "blank certificate": (b" \n\n", KEY, "c: empty"),
    "empty key": (CERT, b"", "k: empty"),
    "DER certificate": (DER, KEY, "looks like DER"),
    "DER key": (CERT, DER_KEY, "no PEM private key"),
    "swapped": (KEY, CERT, "no PEM certificate"),
    "text": (b"hello", KEY, "no PEM certificate"),
    "broken block": (
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        KEY,
        "cannot be read",
    ),
    "broken second": (
        CERT + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        KEY,
        "cannot be read",
    ),
    "truncated certificate": (CERT[:200], KEY, "no PEM certificate"),
    "truncated key": (CERT, KEY[:60], "no PEM private key|TLS refuses"),
    "broken key": (CERT, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "TLS refuses"),
    "another key": (CERT, key_pem(OTHER.key), "does not belong"),
    "key of another type": (CERT, RSA[1], "does not belong"),
    "key of another curve": (CERT, P384[1], "does not belong"),
    "CA first": (certificate_pem(CA.certificate) + CERT, KEY, "must come first"),
    "encrypted": (CERT, ENCRYPTED, "encrypted"),
    "encrypted, old format": (CERT, OLD_ENCRYPTED, "encrypted"),
    "10 MB certificate": (CERT * 13_000, KEY, "larger than 1 MiB"),
    "10 MB key": (CERT, b"A" * (10 << 20), "larger than 1 MiB"),
    "zeros": (b"\0" * 4096, KEY, "no PEM certificate"),
    "begins without end": (b"-----BEGIN CERTIFICATE-----\n" * 30_000, KEY, "no PEM certificate"),
}


@pytest.mark.parametrize("case", HOSTILE.values(), ids=HOSTILE.keys())
def test_bad_pairs_are_named_in_one_line_without_the_key(tmp_path, case):
    chain, key, word = case
    (tmp_path / "c").write_bytes(chain)
    (tmp_path / "k").write_bytes(key)
    with pytest.raises(PairError, match=word) as caught:
        load_pair(tmp_path / "c", tmp_path / "k", AT)
    text = str(caught.value)
    assert "\n" not in text
    assert str(tmp_path) in text
    assert KEY.splitlines()[1].decode() not in text


def test_paths_that_are_no_files(tmp_path):
    (tmp_path / "k").write_bytes(KEY)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    for name, word in [
        ("loop", "a symbolic link loop"),
        ("dangling", "no such file"),
        ("missing", "no such file"),
        ("fifo", "not a regular file"),
        (".", "not a regular file|is a directory"),
        ("k/below", "not a directory"),
    ]:
        with pytest.raises(PairError, match=word):
            load_pair(tmp_path / name, tmp_path / "k", AT)
    with pytest.raises(PairError, match="not a regular file"):
        load_pair(Path("/dev/zero"), tmp_path / "k", AT)


@pytest.mark.parametrize(
    ("days", "word"),
    [(31, "expired on 2030-01-31 00:00:00 UTC"), (-1, "not valid before 2029-12-31 23:00:00 UTC")],
)
def test_a_pair_out_of_its_time(days, word):
    with pytest.raises(PairError, match=word):
        check_pair(CERT, KEY, AT + DAY * days)


def test_both_ends_of_a_life_belong_to_it():
    pair = check_pair(CERT, KEY, AT)
    for at in (pair.not_before, pair.not_after):
        assert check_pair(CERT, KEY, at).fingerprint == pair.fingerprint


def test_a_pair_shows_no_key():
    assert "PRIVATE" not in repr(check_pair(CERT, KEY, AT))
    assert "PRIVATE" not in repr((LEAF, CA))


def test_install_leaves_no_file_behind_and_works_without_memfd(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pair = check_pair(CERT, KEY, AT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair.install(context)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    descriptors = Path("/proc/self/fd")
    if descriptors.is_dir():
        before = len(list(descriptors.iterdir()))
        pair.install(context)
        assert len(list(descriptors.iterdir())) == before
