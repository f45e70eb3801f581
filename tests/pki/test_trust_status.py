"""What workers learn about the certificate that they serve: written by the process that reads the bundles."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from gpu_admission.pki.authority import certificate_pem, create_authority, issue_leaf
from gpu_admission.pki.bundle import BundleState
from gpu_admission.pki.errors import StoreError
from gpu_admission.pki.subject_alt_names import serving_names
from gpu_admission.pki.trust_status import RECENT, CertificateObserver, judge, read_status, write_status

# ---------------------------------------------------------------- what workers read

AT = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = serving_names("gpu-admission", "gpu-admission")
CA = create_authority(AT)
LEAF = issue_leaf(CA, NAMES, AT)


class Board:
    """A target that contains what a test puts there."""

    def __init__(self, *bundles):
        self.bundles = bundles

    def read(self):
        if self.bundles == ("forbidden",):
            raise StoreError("not allowed to look")
        return BundleState(self.bundles, tuple(not one for one in self.bundles), "1")


OURS, THEIRS = (CA.certificate,), (create_authority(AT).certificate,)


@pytest.mark.parametrize(
    ("bundles", "expected"),
    [
        ([], None),
        ([[]], None),
        ([["forbidden"]], None),
        ([[()]], None),  # blank: the API server trusts what its host trusts
        ([[OURS]], True),
        ([[OURS, THEIRS]], False),
        ([[OURS], ["forbidden"]], None),
        ([[THEIRS], ["forbidden"]], False),
        ([[(*THEIRS, *OURS)], []], True),
    ],
)
def test_what_an_observer_of_somebody_elses_certificate_tells(tmp_path, bundles, expected):
    (tmp_path / "tls.crt").write_bytes(certificate_pem(LEAF.certificate))
    (tmp_path / "status").mkdir()
    boards = [Board(*one) for one in bundles]
    observer = CertificateObserver(boards, tmp_path / "tls.crt", tmp_path / "status", lambda: 5.0)
    events = observer.reconcile(AT)
    leaf = LEAF.certificate.fingerprint(SHA256()).hex()
    assert read_status(tmp_path / "status", leaf, 5.0) is expected
    assert bool(events) == (["forbidden"] in bundles)


def test_an_answer_that_is_old_or_about_another_certificate_is_none(tmp_path):
    write_status(tmp_path, "a", False, 1000.0, AT)
    assert read_status(tmp_path, "a", 1000.0 + RECENT) is False
    assert read_status(tmp_path, "a", 1001.0 + RECENT) is None
    assert read_status(tmp_path, "a", 999.0) is None  # of before the machine was started again
    assert read_status(tmp_path, "b", 1000.0) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"leaf": "a"}', '{"leaf": "a", "verifies": 0, "monotonic": 1000.0}',
     '{"leaf": "a", "verifies": false, "monotonic": "1000"}', '{"leaf": "a", "verifies": false, "monotonic": NaN}',
     '{"leaf": "a", "verifies": false, "monotonic": 1e999}', "[" * 100_000, "x" * (2 << 20), "\udcff"],
    ids=range(12),
)  # fmt: skip
def test_an_answer_that_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / "published.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert read_status(tmp_path, "a", 1000.0) is None


def test_a_status_file_planted_as_a_link_is_replaced_and_its_target_left_alone(tmp_path):
    (tmp_path / "victim").write_text("x")
    (tmp_path / "published.json").symlink_to("victim")
    write_status(tmp_path, "a", True, 1.0, AT)
    assert (tmp_path / "victim").read_text() == "x"
    assert read_status(tmp_path, "a", 1.0) is True


def test_nothing_seen_is_no_verdict():
    assert judge([], (LEAF.certificate,), AT) is None
    assert judge([None], (LEAF.certificate,), AT) is None
