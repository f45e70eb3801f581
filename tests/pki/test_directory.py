"""Certificates in a directory: modes, atomicity, several processes, and what is not ours."""

import fcntl
import os
import shutil
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gpu_admission.pki import atomic_directory
from gpu_admission.pki.atomic_directory import locked, read_directory, write_directory
from gpu_admission.pki.authority import certificate_pem, create_authority, issue_leaf, key_pem
from gpu_admission.pki.bundle import parse_bundle, verifies
from gpu_admission.pki.certificate_set import FILES, KEYS, from_files, to_files
from gpu_admission.pki.directory_store import DirectoryStore, ensure, mirror
from gpu_admission.pki.errors import CertificateSetError, ConflictError, ForeignError, PkiError, StoreError
from gpu_admission.pki.rotation import RotationPlan, RotationStep
from gpu_admission.pki.rotation_steps import perform
from gpu_admission.pki.rotator import Rotator, run
from gpu_admission.pki.serving_pair import load_pair
from gpu_admission.pki.subject_alt_names import serving_names

AT = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = serving_names("gpu-admission", "gpu-admission")
PLAN = RotationPlan(NAMES)
ROOT = Path(__file__).parents[2]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777, 0o277])
def test_modes_under_odd_umasks(tmp_path, umask):
    before = os.umask(umask)
    try:
        for _ in range(2):
            made = ensure(tmp_path / "d", NAMES, AT)
    finally:
        os.umask(before)
    assert mode(tmp_path / "d") == 0o700
    assert mode(tmp_path / "d" / "..data") == 0o700
    assert {mode(tmp_path / "d" / name) for name in ("ca.key", "tls.key")} == {0o600}
    assert mode(made.ca_crt) == mode(made.tls_crt) == 0o644


def test_what_is_good_stays_and_what_is_due_is_renewed(tmp_path):
    first = ensure(tmp_path / "d", NAMES, AT)
    again = ensure(tmp_path / "d", NAMES, AT + DAY * 19)
    assert again.pair.fingerprint == first.pair.fingerprint
    renewed = ensure(tmp_path / "d", NAMES, AT + DAY * 20)
    assert renewed.pair.fingerprint != first.pair.fingerprint
    assert verifies(parse_bundle(renewed.ca_crt.read_bytes()), renewed.pair.chain, AT + DAY * 20)


def test_a_directory_left_alone_for_years_comes_up_again(tmp_path):
    ensure(tmp_path / "d", NAMES, AT)
    for days in (300, 800, 4000):
        at = AT + DAY * days
        made = ensure(tmp_path / "d", NAMES, at)
        assert load_pair(made.tls_crt, made.tls_key, at).fingerprint == made.pair.fingerprint
        assert verifies(parse_bundle(made.ca_crt.read_bytes()), made.pair.chain, at)


@pytest.mark.parametrize("lost", [["tls.crt"], ["tls.key"], ["tls.crt", "tls.key"], ["..data/tls.crt"]])
def test_lost_parts_of_the_certificate_come_back_from_the_same_ca(tmp_path, lost):
    authority = ensure(tmp_path / "d", NAMES, AT).ca_crt.read_bytes()
    for name in lost:
        (tmp_path / "d" / name).unlink()
    made = ensure(tmp_path / "d", NAMES, AT)
    assert load_pair(made.tls_crt, made.tls_key, AT)
    assert made.ca_crt.read_bytes() == authority


def test_a_damaged_certificate_is_replaced_and_a_damaged_ca_is_refused(tmp_path):
    made = ensure(tmp_path / "d", NAMES, AT)
    made.tls_crt.write_bytes(b"garbage")
    assert ensure(tmp_path / "d", NAMES, AT).pair.fingerprint != made.pair.fingerprint
    (tmp_path / "d" / "ca.key").write_bytes(b"garbage")
    with pytest.raises(CertificateSetError, match=r"ca\.key: not an unencrypted EC private key"):
        ensure(tmp_path / "d", NAMES, AT)


CA = create_authority(AT)
LEAF = issue_leaf(CA, NAMES, AT)


def strangers_ca():
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "corp CA")])
    builder = x509.CertificateBuilder(name, name, CA.key.public_key(), 7)
    builder = builder.not_valid_before(AT - DAY).not_valid_after(AT + DAY)
    return builder.sign(CA.key, hashes.SHA256())


FOREIGN = {
    "a pair without CA": (
        {"tls.crt": certificate_pem(LEAF.certificate), "tls.key": key_pem(LEAF.key)},
        ForeignError,
    ),
    "a lone key": ({"tls.key": key_pem(LEAF.key)}, ForeignError),
    "another CA": ({"ca.crt": certificate_pem(strangers_ca()), "ca.key": key_pem(CA.key)}, ForeignError),
    "another CA beside ours": (
        {"ca.crt": certificate_pem(CA.certificate, strangers_ca()), "ca.key": key_pem(CA.key)},
        ForeignError,
    ),
    "our CA without its key": ({"ca.crt": certificate_pem(CA.certificate)}, CertificateSetError),
    "our CA with another key": (
        {"ca.crt": certificate_pem(CA.certificate), "ca.key": key_pem(LEAF.key)},
        CertificateSetError,
    ),
    "garbage": ({"ca.crt": b"hello", "ca.key": key_pem(CA.key)}, CertificateSetError),
    "a huge ca.crt": ({"ca.crt": b"A" * (10 << 20)}, StoreError),
}


@pytest.mark.parametrize("case", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_is_not_ours_or_broken_is_never_overwritten(tmp_path, case):
    files, error = case
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(error) as caught:
        ensure(tmp_path, NAMES, AT)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert {name: (tmp_path / name).read_bytes() for name in files} == files
    assert not list(tmp_path.glob("..*"))


def test_our_own_files_laid_down_plainly_are_taken_over(tmp_path):
    certificates = perform(RotationStep.CREATE, None, AT, PLAN)
    for name, data in to_files(certificates).items():
        (tmp_path / name).write_bytes(data)
    assert ensure(tmp_path, NAMES, AT).pair.certificate == certificates.leaf.certificate
    assert read_directory(tmp_path).files == to_files(certificates)
    renewed = ensure(tmp_path, NAMES, AT + DAY * 21)
    assert verifies(certificates.trusted, renewed.pair.chain, AT + DAY * 21)
    assert mode(tmp_path / "ca.key") == 0o600


def test_a_certificate_copied_over_ours_is_seen_and_not_hidden_by_the_link(tmp_path):
    made = ensure(tmp_path / "d", NAMES, AT)
    made.tls_crt.unlink()
    made.tls_crt.write_bytes(certificate_pem(LEAF.certificate))
    files = read_directory(tmp_path / "d").files
    assert files["tls.crt"] == certificate_pem(LEAF.certificate)


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    for place, word in [
        (tmp_path / "file", "not a directory"),
        (tmp_path / "file" / "below", "not a directory|file exists"),
        (tmp_path / "loop", "not a directory|symbolic"),
        (Path("/proc/nothing-here"), "no such file"),
    ]:
        with pytest.raises(StoreError, match=word) as caught:
            ensure(place, NAMES, AT)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_key_that_another_user_laid_out_for_us_is_refused(tmp_path, monkeypatch):
    ensure(tmp_path / "d", NAMES, AT)
    os.chown(tmp_path / "d" / "..data" / "tls.key", 4242, 4242)
    ensure(tmp_path / "d", NAMES, AT)  # root may use anybody's
    monkeypatch.setattr(os, "geteuid", lambda: 4243)
    with pytest.raises(StoreError, match="belongs to another user"):
        ensure(tmp_path / "d", NAMES, AT)
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    ensure(tmp_path / "d", NAMES, AT)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_write_permission(tmp_path):
    (tmp_path / "d").mkdir(mode=0o500)
    with pytest.raises(StoreError, match="permission denied"):
        ensure(tmp_path / "d", NAMES, AT)


def test_a_disk_that_fills_up_leaves_what_was_there(tmp_path, monkeypatch):
    made = ensure(tmp_path / "d", NAMES, AT)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="no space left"):
        ensure(tmp_path / "d", NAMES, AT + DAY * 21)
    monkeypatch.undo()
    assert load_pair(made.tls_crt, made.tls_key, AT).fingerprint == made.pair.fingerprint
    ensure(tmp_path / "d", NAMES, AT + DAY * 21)


@pytest.mark.parametrize("number", range(12))
def test_a_crash_before_any_rename_or_file_leaves_a_whole_pair(tmp_path, monkeypatch, number):
    ensure(tmp_path / "d", NAMES, AT)
    (tmp_path / "d" / "old.crt").unlink(missing_ok=True)

    class Crash(BaseException):
        pass

    remaining = [number]

    def counting(original):
        def call(*args, **kwargs):
            if not remaining[0]:
                raise Crash
            remaining[0] -= 1
            return original(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", counting(Path.replace))
        patch.setattr(Path, "symlink_to", counting(Path.symlink_to))
        patch.setattr(os, "fsync", counting(os.fsync))
        with suppress(Crash):
            ensure(tmp_path / "d", NAMES, AT + DAY * 20)
    at = AT + DAY * 20
    assert load_pair(tmp_path / "d" / "tls.crt", tmp_path / "d" / "tls.key", at)
    assert from_files(read_directory(tmp_path / "d").files).leaf is not None
    made = ensure(tmp_path / "d", NAMES, at)
    assert verifies(parse_bundle(made.ca_crt.read_bytes()), made.pair.chain, at)
    assert len(list((tmp_path / "d").glob("..v-*"))) <= 3


def test_readers_never_see_a_certificate_beside_the_key_of_another(tmp_path):
    target = tmp_path / "d"
    store = DirectoryStore(target)
    materials = [perform(RotationStep.CREATE, None, AT, PLAN) for _ in range(8)]
    store.write(materials[0], None)
    done = threading.Event()
    failures = []

    def read():
        while not done.is_set():
            files = read_directory(target).files
            if from_files(files).leaf is None:
                failures.append("mixed snapshot")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(150):
            store.write(materials[number % 8], None)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert failures == []
    assert len(list(target.glob("..v-*"))) == 2


def test_several_processes_that_start_at_once_agree(tmp_path):
    code = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from gpu_admission.pki.directory_store import ensure\n"
        "from gpu_admission.pki.subject_alt_names import serving_names\n"
        "made = ensure(Path(sys.argv[1]), serving_names('s', 'n'), datetime(2030, 1, 1, tzinfo=UTC))\n"
        "print(made.pair.fingerprint)\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "d"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) for _ in range(4)]
    outputs = {process.communicate(timeout=60)[0] for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert len(outputs) == 1


def test_a_lock_that_is_never_let_go_is_an_error_and_no_hang(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_directory, "PATIENCE", (2, 0.01))
    ensure(tmp_path / "d", NAMES, AT)
    with (tmp_path / "d" / ".lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another process holds its lock"):
            ensure(tmp_path / "d", NAMES, AT)
    ensure(tmp_path / "d", NAMES, AT)


def test_a_lock_file_planted_as_a_link_is_refused(tmp_path):
    (tmp_path / "victim").write_text("x")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / ".lock").symlink_to(tmp_path / "victim")
    with pytest.raises(StoreError), locked(tmp_path / "d"):
        raise AssertionError


def test_a_data_link_that_leads_elsewhere_is_not_followed_for_writing(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "..data").symlink_to("../elsewhere")
    ensure(tmp_path / "d", NAMES, AT)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_of_two_writers_that_read_the_same_version_one_wins(tmp_path):
    store = DirectoryStore(tmp_path / "d")
    version = store.read().version
    first, second = (perform(RotationStep.CREATE, None, AT, PLAN) for _ in range(2))
    store.write(first, version)
    with pytest.raises(ConflictError):
        store.write(second, version)
    assert store.read().certificates.trusted == first.trusted


@pytest.mark.skipif(shutil.which("cp") is None, reason="there is no cp")
@pytest.mark.parametrize("options", ["-rL", "-a", "-r", "-rLp"])
@pytest.mark.parametrize("days", [0, 21])
def test_a_copy_of_the_directory_works_like_the_original(tmp_path, options, days):
    original = ensure(tmp_path / "d", NAMES, AT)
    ensure(tmp_path / "d", NAMES, AT + DAY * 20)  # two versions lie there
    before = (tmp_path / "d" / "tls.crt").read_bytes()
    subprocess.run(["cp", options, tmp_path / "d", tmp_path / "copy"], check=True)
    at = AT + DAY * (20 + days)
    made = ensure(tmp_path / "copy", NAMES, at)
    assert (made.tls_crt.read_bytes() == before) == (days == 0)
    assert verifies(parse_bundle(original.ca_crt.read_bytes()), made.pair.chain, at)
    for _ in range(3):
        at += DAY * 21
        made = ensure(tmp_path / "copy", NAMES, at)
        assert load_pair(made.tls_crt, made.tls_key, at)
    assert sorted(path.name for path in (tmp_path / "copy").iterdir() if not path.name.startswith("..v-")) == [
        "..data", ".lock", "ca.crt", "ca.key", "old.crt", "tls.crt", "tls.key",
    ]  # fmt: skip
    assert len(list((tmp_path / "copy").glob("..v-*"))) == 2
    assert mode(tmp_path / "copy" / "tls.key") == mode(tmp_path / "copy" / "ca.key") == 0o600


def test_what_stands_where_the_link_belongs_is_an_error_without_leftovers(tmp_path, monkeypatch):
    ensure(tmp_path / "d", NAMES, AT)
    names = sorted(os.listdir(tmp_path / "d"))

    def refuse(self, target):
        raise OSError(1, "Operation not permitted", str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StoreError, match="operation not permitted"):
        ensure(tmp_path / "d", NAMES, AT + DAY * 21)
    assert sorted(os.listdir(tmp_path / "d")) == names


def test_files_that_are_no_more_disappear(tmp_path):
    certificates = perform(RotationStep.CREATE, None, AT, PLAN)
    staged = perform(RotationStep.STAGE, certificates, AT, PLAN)
    write = DirectoryStore(tmp_path / "d").write
    write(staged, None)
    assert (tmp_path / "d" / "ca-next.key").exists()
    write(perform(RotationStep.PROMOTE, staged, AT, PLAN), None)
    assert not os.path.lexists(tmp_path / "d" / "ca-next.key")


def test_a_mirror_holds_no_key_of_a_ca(tmp_path):
    certificates = perform(RotationStep.CREATE, None, AT, PLAN)
    assert mirror(tmp_path / "m", certificates)
    assert not mirror(tmp_path / "m", certificates)
    assert set(read_directory(tmp_path / "m").files) == {"ca.crt", "tls.crt", "tls.key"}
    assert set(FILES) >= KEYS


def test_a_maintainer_of_a_directory_lives_for_years_and_never_serves_what_its_ca_crt_denies(tmp_path):
    target = tmp_path / "d"
    maintainer = Rotator(DirectoryStore(target), PLAN, serving=target)
    seen = set()
    for day in range(0, 800, 4):
        at = AT + DAY * day
        events = maintainer.reconcile(at)
        assert not [event for event in events if event.failed]
        pair = load_pair(target / "tls.crt", target / "tls.key", at)
        bundle = parse_bundle((target / "ca.crt").read_bytes())
        assert verifies(bundle, pair.chain, at)
        seen.add(bundle[0])
    assert len(seen) == 3  # it changed its CA each year, near the end of the old one's life


def test_the_loop_outlives_any_error(tmp_path):
    class Broken:
        def reconcile(self, at):
            raise RuntimeError("secret detail")

        def has_news(self):
            return False

    stop, calls = threading.Event(), []

    def report(event):
        calls.append(event)
        if len(calls) == 3:
            stop.set()

    run(Broken(), stop, lambda: AT, report, interval=0)
    assert [event.failed for event in calls] == [True] * 3
    assert "RuntimeError" in calls[0].message
    assert "secret detail" not in calls[0].message


def test_writing_into_a_directory_that_vanished_is_an_error(tmp_path):
    with pytest.raises(PkiError):
        write_directory(tmp_path / "gone", {})
