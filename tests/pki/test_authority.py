import shutil
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509 import verification

from gpu_admission.pki.authority import certificate_pem, create_authority, is_ours, issue_leaf, made_at
from gpu_admission.pki.bundle import dump_bundle, parse_bundle, unexpired, verifies
from gpu_admission.pki.directory_store import ensure
from gpu_admission.pki.errors import PkiError
from gpu_admission.pki.subject_alt_names import parse_name, serving_names

NOW = datetime.now(UTC)  # handshakes and openssl read the clock, so these certificates must be valid now
AT = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOST = "gpu-admission.gpu-admission.svc"
NAMES = serving_names("gpu-admission", "gpu-admission")


def test_lives_and_names():
    authority = create_authority(AT)
    leaf = issue_leaf(authority, NAMES, AT).certificate
    hour = timedelta(hours=1)
    assert authority.certificate.not_valid_before_utc == leaf.not_valid_before_utc == AT - hour
    assert authority.certificate.not_valid_after_utc == AT + DAY * 365
    assert leaf.not_valid_after_utc == AT + DAY * 30
    assert is_ours(authority.certificate)
    assert not is_ours(leaf)
    long_after = issue_leaf(authority, NAMES, AT + DAY * 350).certificate
    assert long_after.not_valid_after_utc == AT + DAY * 365  # no longer than its CA


def test_what_we_make_says_when():
    authority = create_authority(AT)
    leaf = issue_leaf(authority, NAMES, AT + DAY * 40).certificate
    assert made_at(authority.certificate) == AT
    assert made_at(leaf) == AT + DAY * 40
    assert leaf.not_valid_before_utc == authority.certificate.not_valid_before_utc
    successor = create_authority(AT + DAY * 300, predecessor=authority.certificate).certificate
    assert (made_at(successor), successor.not_valid_before_utc) == (AT + DAY * 300, AT - timedelta(hours=1))
    earlier = create_authority(AT - DAY, predecessor=authority.certificate).certificate
    assert earlier.not_valid_before_utc == AT - DAY - timedelta(hours=1)


@pytest.mark.parametrize(
    "names",
    [[], ["gpu-admission CA 12345678"], ["x 2030-13-45T99:00:00Z"], ["x 2030-01-01T00:00:00"], ["", "2030"]],
    ids=str,
)
def test_of_what_does_not_say_when_it_was_made_the_start_counts(names):
    from cryptography.hazmat.primitives import hashes

    key = create_authority(AT).key
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name) for name in names if name])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7)
    certificate = builder.not_valid_before(AT).not_valid_after(AT + DAY).sign(key, hashes.SHA256())
    assert made_at(certificate) == AT + timedelta(hours=1)


def test_serial_numbers_and_keys_are_fresh_each_time():
    made = [create_authority(AT).certificate for _ in range(20)]
    assert len({one.serial_number for one in made}) == 20
    assert len({one.public_key().public_numbers().x for one in made}) == 20
    assert len({one.subject for one in made}) == 20
    assert all(one.serial_number.bit_length() <= 159 for one in made)


@pytest.mark.parametrize("days", [-1, 366])
def test_a_ca_signs_only_while_it_is_valid(days):
    with pytest.raises(PkiError, match="the CA is not valid now"):
        issue_leaf(create_authority(AT), NAMES, AT + DAY * days)


def test_a_certificate_needs_a_name_and_a_time_its_zone():
    with pytest.raises(PkiError, match="at least one name"):
        issue_leaf(create_authority(AT), (), AT)
    with pytest.raises(ValueError, match="zone"):
        create_authority(datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("name", ["localhost", "::1", "10.0.0.1", "a.b-c.d", "X.Example.COM"])
def test_good_names(name):
    assert str(parse_name(name).value) == name.lower()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a..b",
        "-a",
        "a-",
        "*.a",
        "a b",
        "a\n",
        "ä.de",
        "a" * 64,
        ".".join(["a"] * 200),
        "1.2.3.4/24",
        "a,b",
        "x\0y",
    ],
)
def test_bad_names(name):
    with pytest.raises(PkiError, match="neither a DNS name nor an IP address"):
        parse_name(name)


def test_a_service_name_longer_than_a_common_name_may_be(tmp_path):
    names = serving_names("s" * 63, "n" * 63)
    pair = ensure(tmp_path / "d", names, AT).pair
    assert pair.names == names


# ---------------------------------------------------------------- other verifiers


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_openssl_in_strict_mode_agrees(tmp_path, host):
    made = ensure(tmp_path / "d", NAMES, NOW)
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-check_ss_sig"]
    done = subprocess.run(
        [*command, "-verify_hostname", host, "-CAfile", made.ca_crt, made.tls_crt],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_web_pki_profile_of_cryptography_agrees():
    authority = create_authority(AT)
    leaf = issue_leaf(authority, NAMES, AT).certificate
    builder = verification.PolicyBuilder().store(verification.Store([authority.certificate])).time(AT)
    chain = builder.build_server_verifier(x509.DNSName(HOST)).verify(leaf, [])
    assert chain == [leaf, authority.certificate]


def handshake(pair, ca_pem, host):
    """Shake hands over loopback; returns what the client saw, or raises what it raised."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.minimum_version = ssl.TLSVersion.TLSv1_2
    pair.install(server_context)
    client_context = ssl.create_default_context(cadata=ca_pem.decode())
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    theirs.settimeout(20)

    def serve():
        try:
            with server_context.wrap_socket(theirs, server_side=True) as connection:
                connection.recv(1)
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client_context.wrap_socket(ours, server_hostname=host) as connection:
            return connection.getpeercert(binary_form=True)
    finally:
        ours.close()
        thread.join()


@pytest.mark.parametrize("host", [HOST, "localhost", "127.0.0.1"])
def test_a_real_handshake_by_the_name_the_api_server_uses(tmp_path, host):
    made = ensure(tmp_path / "d", NAMES, NOW)
    seen = handshake(made.pair, made.ca_crt.read_bytes(), host)
    assert x509.load_der_x509_certificate(seen) == made.pair.certificate


@pytest.mark.parametrize(
    ("host", "other_ca", "word"),
    [("gpu-admission.other.svc", False, "Hostname mismatch"), (HOST, True, "self-signed|unable to get")],
)
def test_a_handshake_that_must_fail(tmp_path, host, other_ca, word):
    made = ensure(tmp_path / "d", NAMES, NOW)
    trusted = certificate_pem(create_authority(NOW).certificate) if other_ca else made.ca_crt.read_bytes()
    with pytest.raises(ssl.SSLCertVerificationError, match=word):
        handshake(made.pair, trusted, host)


# ---------------------------------------------------------------- bundles


def intermediate(root, at, *, ca=True, days=100):
    """Sign another CA (or a leaf that poses as one) with a root, as cert-manager setups do."""
    from cryptography.hazmat.primitives import hashes

    made = create_authority(at, DAY * days)
    certificate = (
        x509.CertificateBuilder(issuer_name=root.certificate.subject, subject_name=made.certificate.subject)
        .public_key(made.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(made.certificate.not_valid_before_utc)
        .not_valid_after(made.certificate.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(made.key.public_key()), critical=False)
        .sign(root.key, hashes.SHA256())
    )
    return type(made)(certificate, made.key)


@pytest.mark.parametrize(
    ("chain", "bundle", "day", "expected"),
    [
        ("leaf", "root", 0, False),
        ("leaf middle", "root", 0, True),
        ("leaf root middle", "root", 0, True),  # in any order
        ("leaf middle", "middle", 0, True),  # an anchor need not be self-signed
        ("leaf", "leaf", 0, True),  # Go trusts a leaf that is in the pool
        ("leaf middle", "other", 0, False),
        ("leaf middle", "", 0, False),
        ("", "root", 0, False),
        ("leaf middle", "other root", 0, True),
        ("leaf middle", "root", 31, False),  # the leaf has expired
        ("leaf middle", "root", -1, False),  # not valid yet
        ("under-leaf false-ca", "root", 0, False),  # signed by what is no CA
        ("leaf old-middle", "root", 20, False),  # a link on the way has expired
    ],
)
def test_what_verifies_against_a_bundle(chain, bundle, day, expected):
    root = create_authority(AT)
    middle = intermediate(root, AT)
    false_ca = intermediate(root, AT, ca=False)
    old = intermediate(root, AT, days=10)
    leaf = issue_leaf(middle, NAMES, AT)
    if "old-middle" in chain:
        leaf = issue_leaf(old, NAMES, AT, DAY * 30)
    known = {
        "root": root,
        "middle": middle,
        "leaf": leaf,
        "other": create_authority(AT),
        "false-ca": false_ca,
        "under-leaf": issue_leaf(false_ca, NAMES, AT),
        "old-middle": old,
    }
    certificates = {name: pair.certificate for name, pair in known.items()}
    presented = tuple(certificates[name] for name in chain.split())
    trusted = tuple(certificates[name] for name in bundle.split())
    assert verifies(trusted, presented, AT + DAY * day) is expected


def test_a_bundle_is_read_as_leniently_as_the_api_server_does():
    one, two = (create_authority(AT).certificate for _ in range(2))
    text = (
        b"# ours\n" + certificate_pem(one) + b"junk\r\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )
    text += certificate_pem(two, one).replace(b"\n", b"\r\n")
    assert parse_bundle(text) == (one, two)
    assert parse_bundle(dump_bundle((one, two))) == (one, two)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\x00" * 100,
        b"-----BEGIN CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n" * 10_000,
        b"x" * (2 << 20),
        certificate_pem(create_authority(AT).certificate) * 3_000,
    ],
    ids=["empty", "newline", "zeros", "open", "only-begins", "2MiB", "over-1MiB"],
)
def test_hostile_bundles_are_empty_and_quick(data):
    assert parse_bundle(data) == ()


def test_at_most_so_many_certificates_are_considered():
    authority = create_authority(AT)
    certificates = [issue_leaf(authority, NAMES, AT).certificate for _ in range(300)]
    assert len(parse_bundle(certificate_pem(*certificates))) == 256
    assert not verifies((create_authority(AT).certificate,), certificates, AT)


def test_expired_certificates_leave_a_bundle_and_future_ones_stay():
    old, now, future = (create_authority(AT + DAY * days).certificate for days in (-400, 0, 400))
    assert unexpired((old, now, future), AT) == (now, future)


def test_a_ca_renewed_with_the_same_name_and_key_verifies_what_its_predecessor_signed():
    """What certs/cert-manager.yaml relies on where cainjector keeps no old CA."""
    from cryptography.hazmat.primitives import hashes

    old = create_authority(AT)
    renewed = x509.CertificateBuilder(
        old.certificate.subject,
        old.certificate.subject,
        old.key.public_key(),
        x509.random_serial_number(),
        AT + DAY * 243,
        AT + DAY * 608,
        old.certificate.extensions,
    ).sign(old.key, hashes.SHA256())
    at = AT + DAY * 244
    leaves = [issue_leaf(old, NAMES, at), issue_leaf(type(old)(renewed, old.key), NAMES, at)]
    for leaf in leaves:
        for ca in (old.certificate, renewed):
            assert verifies((ca,), (leaf.certificate,), at)
