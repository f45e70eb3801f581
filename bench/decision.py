"""The cost of one decision without a server: per kind of pod, per stage, per rule and per container.

Every time is CPU time, the least of several rounds, and is also given as a multiple of ``json.loads`` of the
same body in the same round: machines differ, and a busy one slows both. The calls of functions that one
decision makes do not depend on the machine at all.

    python bench/decision.py [--rounds 25] [--policy default]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.webhook.review import admission_review
from gpu_admission.webhook.review.handler import Decider
from gpu_admission.workloads import workload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu_admission.core.finding import Problem
    from gpu_admission.engine.rule import Rule
    from gpu_admission.workloads.workload import Workload

CALLS = 60  # a slice: short enough that most slices are not interrupted
MANY = 10  # containers

GPU = {"nvidia.com/gpu": "1"}
PORTABLE = {"gpu-admission.io/gpu-mem": "8Gi"}
UNREADY = [
    {"key": f"node.kubernetes.io/{state}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for state in ("not-ready", "unreachable")
]
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def container(name: str, amounts: dict[str, str]) -> dict[str, Any]:
    """A container as the API server defaults it, with ten variables and the usual mount."""
    return {
        "name": name,
        "image": "registry.example.com/team/train:1.2.3",
        "command": ["python", "train.py"],
        "env": [{"name": f"SETTING_{number}", "value": f"value-{number}"} for number in range(10)],
        "resources": {"limits": amounts, "requests": amounts},
        "volumeMounts": [
            {"name": "token", "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
        ],
        "terminationMessagePath": "/dev/termination-log",
        "imagePullPolicy": "IfNotPresent",
    }


def review(amounts: dict[str, str], *, tolerates: bool, containers: int = 1) -> bytes:
    """An AdmissionReview of a new Pod of a ReplicaSet."""
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "generateName": "train-",
            "labels": {"app": "train", "pod-template-hash": "6d4cf56db6"},
            "annotations": {"example.com/commit": "3f786850e387550fdab836ed7e6dc881de23001b"},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "train", "uid": "1", "controller": True}
            ],
        },
        "spec": {
            "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
            "containers": [container(f"train-{number}", {"cpu": "4", **amounts}) for number in range(containers)],
            "tolerations": [*UNREADY, *([TOLERATION] if tolerates else ())],
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
        },
    }
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": "CREATE",
        "namespace": "research",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": pod,
        "oldObject": None,
    }
    return json.dumps(
        {"apiVersion": admission_review.API_VERSION, "kind": admission_review.KIND, "request": request}
    ).encode()


BODIES = {
    "GPU pod, mutated": (review(GPU, tolerates=False), "mutate"),
    "GPU pod, fine": (review(GPU, tolerates=True), "mutate"),
    "GPU pod, fine, validated": (review(GPU, tolerates=True), "validate"),
    "pod without GPUs": (review({}, tolerates=False), "mutate"),
    "pod without GPUs, validated": (review({}, tolerates=False), "validate"),
    f"{MANY} containers with GPUs": (review(GPU, tolerates=True, containers=MANY), "mutate"),
}


def cost(act: Callable[[], object], rounds: int) -> float:
    """The least CPU seconds of one call of ``act``."""
    act()
    best = float("inf")
    for _ in range(rounds):
        begun = time.thread_time()
        for _ in range(CALLS):
            act()
        best = min(best, (time.thread_time() - begun) / CALLS)
    return best


def calls(act: Callable[[], object]) -> int:
    """The number of function calls of one call of ``act``, including functions in C."""
    act()
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


def decisions(policy: Policy, rounds: int) -> dict[str, float]:
    """Print the cost of each body; return the seconds by label."""
    decide = Decider(lambda _: policy)
    print(f"{'one decision':34}{'bytes':>7}{'µs':>8}{'x json':>8}{'calls':>7}")
    spent = {}
    for label, (body, endpoint) in BODIES.items():
        unit, seconds = least([partial(json.loads, body), partial(decide, body, endpoint)], rounds)
        spent[label] = seconds
        count = calls(partial(decide, body, endpoint))
        print(f"{label:34}{len(body):7}{seconds * 1e6:8.0f}{seconds / unit:8.1f}{count:7}")
    return spent


def claims(policy: Policy, rounds: int) -> None:
    """Print the cost of a decision about a pod with a claim, as a multiple of one with nvidia.com/gpu."""
    spec = {**policy.spec, "cluster": {**policy.spec.get("cluster", {}), "claims": {"templates": ["gpu"]}}}
    decide = Decider(partial(_always, Policy(policy.name, spec)))
    print(f"\n{'a claim, against nvidia.com/gpu':34}{'µs':>8}{'x':>8}{'calls':>7}{'x':>7}")
    for label in ("GPU pod, mutated", "GPU pod, fine", "GPU pod, fine, validated"):
        body, endpoint = BODIES[label]
        acts = [partial(decide, each, endpoint) for each in (_claiming(body), body)]
        seconds, counted = least(acts, rounds), [calls(act) for act in acts]
        ratios = seconds[0] / seconds[1], counted[0] / counted[1]
        print(f"{label:34}{seconds[0] * 1e6:8.0f}{ratios[0]:8.2f}{counted[0]:7}{ratios[1]:7.2f}")


def _claiming(body: bytes) -> bytes:
    """The review of the same pod with a claim in place of the resource."""
    sent = json.loads(body)
    spec = sent["request"]["object"]["spec"]
    spec["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]
    for each in spec["containers"]:
        amounts = {name: value for name, value in each["resources"]["limits"].items() if name not in GPU}
        each["resources"] = {"limits": amounts, "requests": amounts, "claims": [{"name": "gpu"}]}
    return json.dumps(sent).encode()


def least(acts: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """The least costs of some acts, taken in turn."""
    return [min(costs) for costs in zip(*([cost(act, 1) for act in acts] for _ in range(rounds)), strict=True)]


def stages(policy: Policy, rounds: int) -> None:
    """Print the time for the GPU pod without findings, stage by stage."""
    body = BODIES["GPU pod, fine"][0]
    engine = Engine(rules.ALL, policy)
    pod = admission_review.decode(body).object
    unit = cost(lambda: json.loads(body), rounds)
    looked = cost(lambda: workload.read(pod, policy, "admission"), rounds)
    mutated = cost(lambda: engine.mutate(pod, "admission"), rounds)
    whole = cost(lambda: engine.remaining(engine.mutate(pod, "admission")), rounds)
    output = admission_review.encode_body(allowed=True)
    rows = {
        "json.loads": unit,
        "envelope": cost(lambda: admission_review.decode(body), rounds) - unit,
        "views of pod and containers": looked,
        "rules that repair": mutated - looked,
        "all other rules": whole - mutated,
        "answer": cost(lambda: admission_review.encode("705ab4f5-6393-11e8-b7cc-42010a800002", output), rounds),
    }
    print(f"\n{'GPU pod, fine: where it goes':34}{'µs':>8}{'x json':>8}")
    for label, seconds in rows.items():
        print(f"{label:34}{seconds * 1e6:8.1f}{seconds / unit:8.2f}")


def each_rule(policy: Policy, rounds: int) -> None:
    """Print the cost of every enabled rule on the GPU pod without findings, the highest first."""
    body = BODIES["GPU pod, fine"][0]
    pod = admission_review.decode(body).object
    unit = cost(lambda: json.loads(body), rounds)
    engine = Engine(rules.ALL, policy)
    rows = []
    for rule in engine.rules:
        views = workload.read(pod, policy, "file")
        seconds = cost(partial(_checked, rule, views, policy), rounds)
        rows.append((seconds, rule))
    print(f"\n{'rule, on that pod':34}{'µs':>8}{'x json':>8}")
    for seconds, rule in sorted(rows, key=lambda row: -row[0]):
        name = f"{rule.id} {rule.name}"
        print(f"{name:34.34}{seconds * 1e6:8.1f}{seconds / unit:8.2f}")


def _checked(rule: Rule, views: list[Workload], policy: Policy) -> list[list[Problem]]:
    return [list(rule.check(view, policy)) for view in views]


def translation(rounds: int) -> None:
    """Print the cost of the rules on sharing under each policy that shares GPUs.

    For a pod in the backend's own words as it was admitted, and for one in portable words; the same review of the
    same pod, judged with those rules and without. An object that is mutated is read, and judged, a second time.
    """
    units = f"{'µs':>8}{'without':>8}"
    print(f"\n{'what sharing adds to a decision':34}{units}{'own':>7}{units}{'portable':>10}")
    for name in loader.shipped():
        policy = loader.load(name)
        sharing = [rule.id for rule in rules.ALL if rule.id.startswith("GPU1") or rule.id == "GPU202"]
        off = dict.fromkeys(sharing, "off")
        without = Policy(name, {**policy.spec, "rules": {**policy.spec.get("rules", {}), **off}})
        portable = review(PORTABLE, tolerates=True)
        row = f"{name:34}"
        for body in (_admitted(portable, policy), portable):
            deciders = [Decider(partial(_always, each)) for each in (policy, without)]
            whole, rest = least([partial(decide, body, "mutate") for decide in deciders], rounds)
            row += f"{whole * 1e6:8.0f}{rest * 1e6:8.0f}{(whole / rest - 1) * 100:+6.0f}%"
        print(row)


def _always(policy: Policy, _name: str | None) -> Policy:
    return policy


def _admitted(body: bytes, policy: Policy) -> bytes:
    """The review of the same pod as admission leaves it."""
    sent = json.loads(body)
    pod = Engine(rules.ALL, policy).mutate(sent["request"]["object"], "admission").object
    return json.dumps({**sent, "request": {**sent["request"], "object": pod}}).encode()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--policy", default="default")
    options = parser.parse_args()
    policy = loader.load(options.policy)
    spent = decisions(policy, options.rounds)
    further = (spent[f"{MANY} containers with GPUs"] - spent["GPU pod, fine"]) / (MANY - 1)
    print(f"each further container {further * 1e6:.0f} µs, its share of the body's parsing included")
    claims(policy, options.rounds)
    stages(policy, options.rounds)
    each_rule(policy, options.rounds)
    translation(options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
