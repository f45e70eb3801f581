"""Space for metrics is reserved before it is used; where there is none, that is reported and no process dies."""

import errno
import json
import os
import subprocess
import sys

import pytest
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict
from webhook_server import ROOT

from gpu_admission.webhook import metrics_memory
from gpu_admission.webhook.metrics import Metrics
from gpu_admission.webhook.metrics_memory import FILE, ReservedDict
from gpu_admission.webhook.server.heartbeats import STALLED, Heartbeats


@pytest.fixture
def metrics():
    made = Metrics(["Pod"])
    yield made
    made.close()
    metrics_memory.uninstall()


def allocated(path):
    return os.stat(path).st_blocks * 512


def test_what_we_rely_on_of_the_library():
    """Private names of prometheus_client: a release that renames one must fail here, not in a cluster."""
    assert callable(values.MultiProcessValue)
    assert values.MutexValue._multiprocess is False
    assert {"MmapedDict", "ValueClass"} <= vars(values).keys()
    assert {"__init__", "_init_value", "read_value", "write_value", "close"} <= vars(MmapedDict).keys()


def test_space_is_reserved_and_grows(tmp_path):
    path = str(tmp_path / "counter_0.db")
    made = ReservedDict(path)
    assert allocated(path) >= FILE
    assert {"_f", "_m", "_used", "_capacity", "_positions"} <= vars(made).keys()
    for number in range(2000):
        made.write_value(f"key {number} {'x' * (number % 50)}", float(number), 0.0)
        assert made._used <= made._capacity <= allocated(path)
    made.write_value("k" * 3 * made._capacity, 1.0, 0.0)
    assert made._used <= made._capacity <= allocated(path)
    made.close()
    again = ReservedDict(path)
    assert again.read_value("key 1999 " + "x" * 49) == (1999.0, 0.0)
    again.close()


def no_space(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_no_room_to_grow_loses_a_series_and_nothing_else(metrics, monkeypatch):
    metrics.enter_slot(0)
    record = {"operation": "CREATE", "kind": "Pod", "decision": "allowed"}
    metrics.review("mutate", "default", record, 0.1)
    monkeypatch.setattr(os, "posix_fallocate", no_space)
    for number in range(1000):
        metrics.review("mutate", f"policy-{number}", record, 0.1)
    metrics.review("mutate", "default", record, 0.1)
    text = metrics.render().decode()
    counted = [line for line in text.splitlines() if line.startswith("gpu_admission_reviews_total{")]
    assert 10 < len(counted) < 1000
    assert any('policy="default"' in line and line.endswith(" 2.0") for line in counted)


def test_a_slot_that_cannot_be_opened_fails_no_review(metrics, monkeypatch):
    monkeypatch.setattr(metrics_memory, "reserve", no_space)
    metrics.enter_slot(77)
    for _ in range(3):
        metrics.review("mutate", "default", {}, 0.1)
    assert b"gpu_admission_build_info" in metrics.render()


def test_the_gauges_of_a_worker_that_is_gone_are_forgotten_and_their_room_kept(metrics):
    metrics.enter_slot(1)
    metrics.certificate_loaded(5.0)
    path = os.path.join(metrics._directory, "gauge_livemin_1.db")
    assert b"certificate_expiry_timestamp_seconds 5.0" in metrics.render()
    metrics.leave_slot(1)
    assert b"certificate_expiry" not in metrics.render()
    assert allocated(path) >= FILE
    metrics.enter_slot(2)
    metrics.certificate_loaded(7.0)
    assert b"certificate_expiry_timestamp_seconds 7.0" in metrics.render()


def test_every_file_is_there_before_a_worker_is(metrics):
    names = set(os.listdir(metrics._directory))
    for slot in range(4):
        metrics.enter_slot(slot)
        metrics.review("mutate", "default", {"rules": [("GPU001", "deny")]}, 0.1)
        metrics.certificate_loaded(1.0)
        metrics.policy_loaded("default", 1.0)
    assert set(os.listdir(metrics._directory)) == names


def test_without_any_room_each_process_counts_by_itself(monkeypatch):
    monkeypatch.setattr(metrics_memory, "_places", lambda: iter(()))
    metrics = Metrics(["Pod"])
    try:
        assert not metrics.shared
        metrics.enter_slot(0)
        metrics.review("mutate", "default", {"kind": "Pod"}, 0.1)
        metrics.certificate_loaded(5.0)
        metrics.leave_slot(0)
        text = metrics.render().decode()
        assert 'kind="Pod"' in text
        assert "certificate_expiry_timestamp_seconds 5.0" in text
    finally:
        metrics.close()


def test_a_place_without_room_is_named_and_left_clean(tmp_path, monkeypatch):
    small, large = tmp_path / "small", tmp_path / "large"
    for each in (small, large):
        each.mkdir()
    reserve = metrics_memory.reserve

    def refuse(path, size):
        if path.startswith(str(small)):
            no_space()
        reserve(path, size)

    monkeypatch.setattr(metrics_memory, "reserve", refuse)
    monkeypatch.setattr(metrics_memory, "_places", lambda: iter([str(tmp_path / "none"), str(small), str(large)]))
    directory, refused = metrics_memory.make_directory(2)
    assert directory.startswith(str(large))
    assert refused == f"{tmp_path}/none: No such file or directory; {small}: No space left on device"
    assert list(small.iterdir()) == []
    metrics_memory.remove_directory(directory)
    metrics_memory.remove_directory(directory)  # nothing there any more
    assert list(large.iterdir()) == []


def test_heartbeats_are_seen_by_other_processes():
    beats = Heartbeats()
    child = os.fork()
    if not child:
        beats.beat(3, 100.0)
        os._exit(0)
    os.waitpid(child, 0)
    assert [beats.stalled(now) for now in (100.0, 100.0 + STALLED, 100.1 + STALLED)] == [0, 0, 1]
    beats.beat(0, 104.0)
    beats.beat(100_000, 1.0)  # more workers than anybody has: not watched, and harmless
    assert beats.stalled(120.0) == 2
    beats.forget(3)
    assert beats.stalled(106.0) == 0


def test_in_use_it_is_one_import_away():
    """The library's own collectors read what is written through our files."""
    code = (
        "import json; from gpu_admission.webhook.metrics import Metrics; made = Metrics(['Pod']);"
        "made.enter_slot(0); made.refused(400); text = made.render().decode(); made.close(); print(json.dumps(text))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert 'gpu_admission_requests_refused_total{status="400"} 1.0' in json.loads(done.stdout)
