"""What is logged and counted, and what must not be."""

import json
import logging
import os
import sys

import pytest

from gpu_admission.webhook import logs
from gpu_admission.webhook.metrics import Metrics

HOSTILE = 'a"\n\r\t\x00\x1b[31m\u2028é' + "x" * 1000
RECORD = {"uid": "u", "operation": "CREATE", "kind": "Pod", "namespace": "ns", "name": "p", "decision": "denied",
          "rules": [("GPU001", "deny"), ("GPU201", "warn")], "applied": ["GPU201"]}  # fmt: skip


def line(style, fields, message="m", exc_info=None):
    record = logging.LogRecord("n", logging.INFO, "f", 1, message, (), exc_info)
    record.fields = fields
    return logs.Lines(style).format(record)


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize("where", ["message", "field"])
def test_one_printable_line_whatever_comes(style, where):
    made = line(style, {"name": HOSTILE} if where == "field" else {}, HOSTILE if where == "message" else "m")
    assert made.isascii()
    assert made.isprintable()
    assert len(made) < 1000


def test_json_lines():
    made = json.loads(
        line("json", {"a": 1, "b": None, "c": True, "d": ["x", ("y", 2)], "e": {"k": 1}, "f": [], "g": 0.5})
    )
    assert made.pop("time").endswith("Z")
    assert made == {"level": "info", "message": "m", "a": 1, "b": None, "c": True, "d": ["x", ["y", 2]], "e": "{'k': 1}",
                    "f": [], "g": 0.5}  # fmt: skip


def test_text_lines():
    made = line("text", {"plain": "a/b:c", "spaced": "a b", "number": 1})
    assert made.partition("Z ")[2] == 'INFO m plain=a/b:c spaced="a b" number=1'


def test_exceptions_are_places_and_never_texts():
    try:
        int("SECRET")
    except ValueError:
        made = line("json", {}, exc_info=sys.exc_info())
    assert "SECRET" not in made
    assert json.loads(made)["error"] == "ValueError"
    assert "test_observing.py" in json.loads(made)["at"]


class Lines(list):
    """A log writer that keeps its lines."""

    def write(self, line, **_):
        self.append(line)


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_decision_is_written_as_any_line(style):
    written = Lines()
    logs.Decisions(style, "info", written).write("mutate", "default", 200, 0.00012345, RECORD)
    assert len(written) == 1
    if style == "json":
        made = json.loads(written[0])
        assert (made["message"], made["uid"], made["rules"], made["seconds"]) == (
            "review answered", "u", [["GPU001", "deny"], ["GPU201", "warn"]], 0.000123)  # fmt: skip


ODD_NAMES = ["p", HOSTILE, "é", "a\u2028b", '"', "\\", "\n", "\x7f", "\ud800", "x" * 200, "x" * 600, "x" * 100_000]


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: ascii(name)[:12])
def test_a_decision_is_one_short_line_whatever_its_name(style, name):
    written = Lines()
    many = [("GPU001", "deny")] * 500
    logs.Decisions(style, "info", written).write("mutate", "default", 200, 0.1, {**RECORD, "name": name, "rules": many})
    assert len(written) == 1
    assert written[0].isascii()
    assert "\n" not in written[0]
    assert len(written[0]) < 4000
    if style == "json":
        made = json.loads(written[0])
        assert made["name"] == (name if len(name) <= logs.LONGEST else name[: logs.LONGEST] + "…")
        assert len(made["rules"]) == 32


def test_decisions_are_not_written_above_info():
    written = Lines()
    logs.Decisions("json", "warning", written).write("mutate", "default", 200, 0.1, RECORD)
    assert not written


def test_a_flood_of_refusals_is_no_flood_of_lines():
    throttle = logs.Throttle(burst=3)
    passed = [throttle.admit(10.0 + number / 1000) for number in range(100)]
    assert passed[:4] == [0, 0, 0, None]
    assert throttle.admit(11.0) == 97


@pytest.fixture
def metrics():
    made = Metrics(["Pod", "Train"])
    yield made
    made.close()


def samples(metrics):
    return dict(each.rsplit(" ", 1) for each in metrics.render().decode().splitlines() if not each.startswith("#"))


def test_the_names_of_the_interface(metrics):
    metrics.enter_slot(0)
    metrics.review("mutate", "default", RECORD, 0.01)
    metrics.policy_loaded("default", 5.0)
    metrics.certificate_loaded(6.0)
    metrics.policy_failed()
    found = samples(metrics)
    labels = 'decision="denied",endpoint="mutate",kind="Pod",operation="CREATE",policy="default"'
    assert found[f"gpu_admission_reviews_total{{{labels}}}"] == "1.0"
    assert found['gpu_admission_findings_total{action="deny",rule="GPU001"}'] == "1.0"
    assert found['gpu_admission_patches_total{rule="GPU201"}'] == "1.0"
    assert found["gpu_admission_review_duration_seconds_count"] == "1.0"
    assert found['gpu_admission_policy_loaded_timestamp_seconds{policy="default"}'] == "5.0"
    assert found["gpu_admission_certificate_expiry_timestamp_seconds"] == "6.0"
    assert found["gpu_admission_policy_load_failures_total"] == "1.0"
    assert any(name.startswith("gpu_admission_build_info{") for name in found)


def test_without_a_certificate_there_is_no_expiry(metrics):
    assert not any("certificate_expiry" in name for name in samples(metrics))


def test_no_client_can_make_labels(metrics):
    metrics.enter_slot(0)
    metrics.review("mutate", "default", RECORD, 0.01)
    before = len(samples(metrics))
    for number in range(50):
        hostile = f"Kind{number}"
        record = {"operation": hostile, "kind": hostile, "decision": hostile, "uid": hostile, "name": hostile,
                  "rules": [(hostile, hostile)], "applied": [hostile]}  # fmt: skip
        metrics.review("mutate", "default", record, 0.01)
        metrics.review("mutate", "default", {"kind": ["x"], "operation": None}, 0.01)
    assert len(samples(metrics)) - before <= 4


def test_the_policies_own_kinds_are_named(metrics):
    metrics.enter_slot(0)
    metrics.review("validate", "default", {**RECORD, "kind": "Train"}, 0.01)
    assert any('kind="Train"' in name for name in samples(metrics))


def test_a_replaced_worker_goes_on_counting_and_leaves_no_files(metrics):
    for _ in range(5):
        metrics.enter_slot(0)
        metrics.review("mutate", "default", RECORD, 0.01)
        metrics.leave_slot(0)
    files = os.listdir(metrics._directory)
    assert samples(metrics)["gpu_admission_review_duration_seconds_count"] == "5.0"
    for _ in range(5):
        metrics.enter_slot(0)
        metrics.review("mutate", "default", RECORD, 0.01)
        metrics.leave_slot(0)
    assert sorted(os.listdir(metrics._directory)) == sorted(files)


def test_a_worker_that_is_gone_speaks_no_more_for_its_certificate(metrics):
    metrics.enter_slot(0)
    metrics.certificate_loaded(5.0)
    metrics.enter_slot(1)
    metrics.certificate_loaded(9.0)
    assert samples(metrics)["gpu_admission_certificate_expiry_timestamp_seconds"] == "5.0"
    metrics.leave_slot(0)
    assert samples(metrics)["gpu_admission_certificate_expiry_timestamp_seconds"] == "9.0"
