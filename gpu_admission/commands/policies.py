"""``gpu-admission policy``: list, show, check and draft policies, and print their schema."""

from __future__ import annotations

import json
import sys

from gpu_admission.policyfile import loader

from .cluster_flags import add_cluster_flags, connection_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gpu_admission.cluster_policy.observation import Observation
    from gpu_admission.policy.model import Policy


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``policy`` and its actions; `run` takes what they parse."""
    policy = subparsers.add_parser("policy", help="list, show, check and draft policies")
    actions = policy.add_subparsers(dest="action", required=True, metavar="list | show | check | init | schema")
    actions.add_parser("list", help="the names of the shipped policies")
    show = actions.add_parser("show", help="print a shipped policy, as a starting point for your own")
    show.add_argument("name", metavar="NAME")
    check = actions.add_parser("check", help="check policy files, and what has drifted between them and a cluster")
    check.add_argument("files", metavar="FILE", nargs="*", help="the policy files; at least one")
    check.add_argument(
        "--cluster",
        action="store_true",
        help="compare them with the cluster too; implied by --context and --kubeconfig",
    )
    add_cluster_flags(check, namespaces=False)
    init = actions.add_parser(
        "init", help="write a commented policy for a cluster: its backend, cards, taints, namespaces, queues"
    )
    init.add_argument("--name", default="cluster", help="the policy's name [cluster]")
    add_cluster_flags(init, namespaces=False)
    actions.add_parser("schema", help="print the JSON Schema of policy files")


def run(options: argparse.Namespace) -> int:
    """Return 0, 1 where a checked file is not valid or has drifted, 2 for an unknown name or a cluster's error."""
    actions = {"list": _list, "show": _show, "check": _check, "init": _init, "schema": _schema}
    return actions[options.action](options)


def _list(_: argparse.Namespace) -> int:
    for name in loader.shipped():
        print(f"{name:<14} {loader.summary(name)}")
    return 0


def _show(options: argparse.Namespace) -> int:
    try:
        sys.stdout.write(loader.source(options.name))
    except loader.PolicyError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _check(options: argparse.Namespace) -> int:
    if not options.files:
        print(
            "gpu-admission policy check: name the policy file to check, as in gpu-admission policy check policy.yaml"
            " --cluster (gpu-admission policy init writes one for a cluster)",
            file=sys.stderr,
        )
        return 2
    policies = _valid(options.files)
    worst = 0 if len(policies) == len(options.files) else 1
    if policies and (options.cluster or options.context or options.kubeconfig):
        worst = max(worst, _drift(options, policies))
    return worst


def _valid(files: list[str]) -> list[tuple[str, Policy]]:
    """Load policy files and print whether each is valid; return the valid ones with their paths."""
    policies = []
    for path in files:
        try:
            policy = loader.parse(loader.content(path), path)
        except loader.PolicyError as error:
            print(error, file=sys.stderr)
        else:
            print(f"{path}: policy {policy.name} is valid: backend {policy.backend.name}, mode {policy.mode}")
            policies.append((path, policy))
    return policies


def _drift(options: argparse.Namespace, policies: list[tuple[str, Policy]]) -> int:
    """Print what has drifted between policies and the cluster; return the exit code."""
    from gpu_admission.cluster_policy.drift import drift  # noqa: PLC0415 - start-up time: needed only with a cluster

    observed = _observed(options, "check")
    if observed is None:
        return 2
    for problem in observed.problems:
        print(f"gpu-admission policy check: {problem}", file=sys.stderr)
    worst = 0
    for path, policy in policies:
        lines = drift(policy, observed)
        print("".join(f"{path}: {line}\n" for line in lines) or f"{path}: agrees with the cluster\n", end="")
        worst = max(worst, 1 if lines else 0)
    return worst


def _init(options: argparse.Namespace) -> int:
    from gpu_admission.cluster_policy.write import policy_text  # noqa: PLC0415 - start-up time: needed only with a cluster

    observed = _observed(options, "init")
    if observed is None:
        return 2
    sys.stdout.write(policy_text(observed, name=options.name, cluster=options.context or "the cluster"))
    for problem in observed.problems:
        print(f"gpu-admission policy init: {problem}", file=sys.stderr)
    return 0


def _observed(options: argparse.Namespace, action: str) -> Observation | None:
    """Return what was observed in the cluster; None, after a line on standard error, where it cannot be read."""
    from gpu_admission.cluster.errors import ClusterError  # noqa: PLC0415 - start-up time: needed only with a cluster
    from gpu_admission.cluster_policy.collect import observe  # noqa: PLC0415

    try:
        return observe(connection_of(options))
    except ClusterError as error:
        print(f"gpu-admission policy {action}: {error}", file=sys.stderr)
        return None


def _schema(_: argparse.Namespace) -> int:
    from gpu_admission.policyfile import schema  # noqa: PLC0415 - start-up time: pydantic is needed only here

    print(json.dumps(schema.schema(), indent=2, ensure_ascii=False))
    return 0
