"""``gpu-admission manifests``: webhook configurations and RBAC for a policy, in-tree policies, or chart values."""

from __future__ import annotations

import sys

from gpu_admission import __version__
from gpu_admission.policyfile import loader
from gpu_admission.registration import any_policy, chart_values, policy_access, server_access, webhook_configurations
from gpu_admission.registration.in_tree import coverage, versions
from gpu_admission.registration.in_tree import policies as in_tree

from . import manifests_checks
from .object_yaml import document, to_yaml

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from gpu_admission.policy.model import Policy

_CERT_MANAGER = "cert-manager.io/inject-ca-from"
_VALUES = """\
# Written by gpu-admission {0} (gpu-admission manifests --values). Use it together with your own values:
#   helm upgrade --install gpu-admission CHART --namespace gpu-admission --create-namespace -f THIS-FILE
# Write it again when a policy changes, and with each new version of the chart.
"""
# Options that locate the webhook, and their defaults.
_OF_THE_WEBHOOK: dict[str, object] = {
    "service": "gpu-admission",
    "namespace": "gpu-admission",
    "port": 443,
    "url": "",
    "secret": "gpu-admission-tls",
    "ca_bundle": None,
    "cert_manager": None,
    "route": "",
    "only": None,
}
_VALUES_DECIDE = {**_OF_THE_WEBHOOK, "name": "gpu-admission", "fail_open": False}
_NOT_WITH_CRD = {
    "--policy": "the webhooks are for any policy",
    "--values": "set the chart's policies.source to crd",
    "--in-tree": "the API server evaluates policies that are known",
    "--route": "objects come and go, and share the paths without a name",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``manifests``; `run` takes what it parses."""
    manifests = subparsers.add_parser("manifests", help="webhook configurations and RBAC for a policy")
    manifests.add_argument(
        "-p",
        "--policy",
        action="append",
        metavar="NAME|FILE",
        help="the policy; repeatable, in the order in which the server has them [default]",
    )
    manifests.add_argument(
        "--policy-source",
        choices=["files", "crd"],
        default="files",
        help="crd: the policies are GPUPolicy objects; their definition, and webhooks for any policy",
    )
    manifests.add_argument(
        "--every-pod", action="store_true", help="with crd: send all pods, for policies with visibleDevices.everyPod"
    )
    _add_webhook(manifests)
    _add_outputs(manifests)


def _add_webhook(manifests: argparse.ArgumentParser) -> None:
    """Add the flags that name and locate the webhook."""
    manifests.add_argument("--name", default="gpu-admission", help="name of the configurations [gpu-admission]")
    manifests.add_argument("--service", default="gpu-admission", help="the Service [gpu-admission]")
    manifests.add_argument("--namespace", default="gpu-admission", help="its namespace [gpu-admission]")
    manifests.add_argument("--port", type=int, default=443, help="its port [443]")
    manifests.add_argument("--url", default="", help="https://HOST:PORT of a server outside of the cluster, instead")
    manifests.add_argument("--secret", default="gpu-admission-tls", help="the Secret of the certificates")
    manifests.add_argument("--ca-bundle", metavar="FILE", help="PEM of the CA; without it the server fills it in")
    manifests.add_argument("--cert-manager", metavar="NS/CERTIFICATE", help="have cert-manager fill the CA in")
    manifests.add_argument("--route", default="", metavar="POLICY", help="call /validate/POLICY and /mutate/POLICY")
    manifests.add_argument("--fail-open", action="store_true", help="failurePolicy Ignore for Pods too")


def _add_outputs(manifests: argparse.ArgumentParser) -> None:
    """Add the flags that choose what is written instead of all objects of the webhook."""
    manifests.add_argument("--only", choices=["webhooks", "rbac", "crd"], help="only these objects")
    manifests.add_argument(
        "--values", action="store_true", help="values for the Helm chart instead, which has the rest (deploy/chart)"
    )
    manifests.add_argument(
        "--in-tree",
        action="store_true",
        help="ValidatingAdmissionPolicies and a MutatingAdmissionPolicy instead, which need no webhook",
    )
    manifests.add_argument(
        "--kubernetes-version",
        default=versions.text(versions.NEWEST),
        metavar="VERSION",
        help=f"the API server's; features that it lacks are left out [{versions.text(versions.NEWEST)}]",
    )


def run(options: argparse.Namespace) -> int:
    """Print the objects; return 2 where an option, the policy or the CA cannot be used."""
    try:
        version = manifests_checks.version(options.kubernetes_version)
        policies = _policies(options)
        manifests_checks.check(options, policies)
        if options.values:
            sys.stdout.write(_values(options, policies, version))
            return 0
        if options.in_tree:
            objects, notes = _in_tree(options, policies, version)
        else:
            objects = _objects(options, policies)
            notes = _without_conditions(objects, version)
    except (loader.PolicyError, ValueError) as error:
        print(f"gpu-admission manifests: {error}", file=sys.stderr)
        return 2
    sys.stdout.write("".join(f"# {line}\n" for line in notes) + to_yaml(objects))
    return 0


def _policies(options: argparse.Namespace) -> list[Policy]:
    """Return the policies that the webhooks are for. Raises PolicyError; ValueError for options that exclude crd."""
    if options.policy_source == "files":
        unused = ["--every-pod"] * options.every_pod + ["--only crd"] * (options.only == "crd")
        if unused:
            raise ValueError(f"{unused[0]} needs --policy-source crd: policy files define which pods they need")
        return [loader.load(name) for name in options.policy or ["default"]]
    given = {
        "--policy": options.policy,
        "--values": options.values,
        "--in-tree": options.in_tree,
        "--route": options.route,
    }
    if not versions.has_match_conditions(manifests_checks.version(options.kubernetes_version)):
        raise ValueError(
            "--policy-source crd needs Kubernetes 1.29, whose CustomResourceDefinitions can check quantities"
        )
    for flag in [flag for flag, value in given.items() if value]:
        raise ValueError(f"{flag} cannot be combined with --policy-source crd: {_NOT_WITH_CRD[flag]}")
    return [any_policy.widest(every_pod=options.every_pod)]


def _values(options: argparse.Namespace, policies: list[Policy], version: versions.Version) -> str:
    """Return the values file of these policies. Raises ValueError for an option that the chart has a value for."""
    for name, default in _VALUES_DECIDE.items():
        if getattr(options, name) != default:
            raise ValueError(f"--values cannot be combined with --{name.replace('_', '-')}: the chart decides that")
    if not versions.has_match_conditions(version):
        raise ValueError(f"--values: the chart needs Kubernetes 1.29, not {versions.text(version)}")
    if options.in_tree:
        objects, notes = _in_tree(options, policies, version)
        values = chart_values.in_tree_values(objects, options.name, __version__)
    else:
        values = chart_values.values(policies, [_source(name) for name in options.policy or ["default"]], __version__)
        notes = []
    text = _VALUES.format(__version__) + "".join(f"# {line}\n" for line in notes)
    return text + document(values)


def _source(name: str) -> str:
    path = loader.path_of(name)
    return loader.source(name) if path is not None else loader.content(name).decode("utf-8-sig")


def _in_tree(
    options: argparse.Namespace, policies: list[Policy], version: versions.Version
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the in-tree policies, and notes about them. Raises ValueError where the version serves none."""
    unused = [flag for flag, default in _OF_THE_WEBHOOK.items() if getattr(options, flag) != default]
    if unused:
        flag = unused[0].replace("_", "-")
        raise ValueError(f"--in-tree: there is no webhook, so --{flag} means nothing; leave one of the two out")
    if not versions.has_validating_policies(version):
        raise ValueError(
            f"--in-tree: Kubernetes {versions.text(version)} does not serve ValidatingAdmissionPolicy v1 (1.30 "
            "does); leave --in-tree out to use the webhook"
        )
    objects = in_tree.objects(policies, options.name, version, fail_open=options.fail_open)
    for obj in objects:
        name = obj["metadata"]["name"]
        if not manifests_checks.SUBDOMAIN.fullmatch(name):
            raise ValueError(f"--name: with the policy's name it makes {name!r}, which is not a valid Kubernetes name")
    return objects, list(coverage.notes(policies, version))


def _without_conditions(objects: list[dict[str, Any]], version: versions.Version) -> list[str]:
    """Remove the matchConditions where the API server does not support them; return a note about that."""
    if versions.has_match_conditions(version):
        return []
    for hook in [hook for obj in objects for hook in obj.get("webhooks", ())]:
        hook.pop("matchConditions", None)
    note = (
        f"Kubernetes {versions.text(version)} does not support these matchConditions (1.29 does): every pod is sent "
        "to the webhook, and while it is down no pod is created outside of exempt namespaces; --fail-open admits them."
    )
    print(f"gpu-admission manifests: {note}", file=sys.stderr)
    return [note]


def _objects(options: argparse.Namespace, policies: list[Policy]) -> list[dict[str, Any]]:
    where = _registration(options)
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "webhooks": lambda: _configurations(options, policies, where),
        "rbac": lambda: server_access.access(where, options.secret, keeps=not options.cert_manager),
    }
    if options.policy_source == "crd":
        from gpu_admission.policyfile import crd  # noqa: PLC0415 - start-up time: pydantic takes 100 ms

        own = parts["rbac"]
        parts = {
            "crd": lambda: [crd.definition()],
            **parts,
            "rbac": lambda: [*own(), *policy_access.access(where)],
        }
    return [obj for part, made in parts.items() if options.only in {None, part} for obj in made()]


def _registration(options: argparse.Namespace) -> webhook_configurations.RegistrationOptions:
    return webhook_configurations.RegistrationOptions(
        name=options.name,
        service=options.service,
        namespace=options.namespace,
        port=options.port,
        url=options.url,
        ca_bundle=manifests_checks.ca_bundle(options.ca_bundle),
        route=options.route,
        annotations={_CERT_MANAGER: options.cert_manager} if options.cert_manager else {},
        fail_open=options.fail_open,
    )


def _configurations(
    options: argparse.Namespace, policies: list[Policy], where: webhook_configurations.RegistrationOptions
) -> list[dict[str, Any]]:
    if options.policy_source == "crd":
        return any_policy.configurations(where, every_pod=options.every_pod)
    return webhook_configurations.configurations(policies, where)
