"""``gpu-admission manifests``: webhook configurations and RBAC for a policy, in-tree policies, or chart values."""

from __future__ import annotations

import re
import sys

import yaml

from gpu_admission import __version__
from gpu_admission.policyfile import loader
from gpu_admission.registration import any_policy, chart_values, policy_access, webhook_configurations
from gpu_admission.registration.in_tree import coverage, versions
from gpu_admission.registration.in_tree import policies as in_tree
from gpu_admission.safe_files import FileReadError, read_small_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from gpu_admission.policy.model import Policy

_CERT_MANAGER = "cert-manager.io/inject-ca-from"
_VALUES = """\
# Written by gpu-admission {0} (gpu-admission manifests --values). Use it beside values of your own:
#   helm upgrade --install gpu-admission CHART --namespace gpu-admission --create-namespace -f THIS-FILE
# Make it again when a policy changes, and with each new version of the chart.
"""
# Options that say where the webhook is, and their defaults.
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
    "--policy": "the webhooks are for whatever policies there will be",
    "--values": "set the chart's policies.source to crd",
    "--in-tree": "the API server evaluates policies that are known",
    "--route": "objects come and go, and share the paths without a name",
}
# What the API server takes as names: of a Service or namespace, and of everything else here.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"(?!.{{254}}){_LABEL.pattern}(\.{_LABEL.pattern})*")
# It refuses a URL with a user, a query or a fragment, and our path is put behind it.
_URL = re.compile(r"https://([^\s/?#@:\[\]]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?(/[^\s?#]*)?")


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
        help="crd: the policies are GPUPolicy objects; their definition, and webhooks that any policy will do with",
    )
    manifests.add_argument(
        "--every-pod", action="store_true", help="with crd: send all pods, for policies with visibleDevices.everyPod"
    )
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
    _add_outputs(manifests)


def _add_outputs(manifests: argparse.ArgumentParser) -> None:
    """Add what else can be written than all objects of the webhook."""
    manifests.add_argument("--only", choices=["webhooks", "rbac", "crd"], help="only these objects")
    manifests.add_argument(
        "--values", action="store_true", help="values for the Helm chart instead, which holds all else (deploy/chart)"
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
        help=f"what the API server serves; what it lacks is left out [{versions.text(versions.NEWEST)}]",
    )


def run(options: argparse.Namespace) -> int:
    """Print the objects; return 2 where an option, the policy or the CA is of no use."""
    try:
        version = _version(options.kubernetes_version)
        policies = _policies(options)
        _check(options, policies)
        if options.values:
            sys.stdout.write(_values(options, policies, version))
            return 0
        if options.in_tree:
            objects, notes = _in_tree(options, policies, version)
        else:
            objects, notes = _objects(options, policies, _bundle(options.ca_bundle)), []
            notes += _without_conditions(objects, version)
    except (loader.PolicyError, ValueError) as error:
        print(f"gpu-admission manifests: {error}", file=sys.stderr)
        return 2
    sys.stdout.write("".join(f"# {line}\n" for line in notes) + to_yaml(objects))
    return 0


def _policies(options: argparse.Namespace) -> list[Policy]:
    """Return the policies that the webhooks are for. Raises PolicyError, ValueError for what crd rules out."""
    if options.policy_source == "files":
        unused = ["--every-pod"] * options.every_pod + ["--only crd"] * (options.only == "crd")
        if unused:
            raise ValueError(f"{unused[0]} needs --policy-source crd: policies that are files say what they see")
        return [loader.load(name) for name in options.policy or ["default"]]
    given = {
        "--policy": options.policy,
        "--values": options.values,
        "--in-tree": options.in_tree,
        "--route": options.route,
    }
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
    return text + yaml.dump(values, Dumper=_Dumper, sort_keys=False, width=1 << 30)


def _source(name: str) -> str:
    path = loader.path_of(name)
    return loader.source(name) if path is not None else loader.content(name).decode("utf-8-sig")


def _version(text: str) -> versions.Version:
    try:
        version = versions.parse(text)
    except ValueError as error:
        raise ValueError(f"--kubernetes-version: {error}") from None
    if not versions.has_webhook_configurations(version):
        raise ValueError(f"--kubernetes-version: {text} does not serve admissionregistration.k8s.io/v1; 1.16 does")
    return version


def _in_tree(
    options: argparse.Namespace, policies: list[Policy], version: versions.Version
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the in-tree policies, and what to know about them. Raises ValueError where the version serves none."""
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
        if not _SUBDOMAIN.fullmatch(name):
            raise ValueError(f"--name: with the policy's name it makes {name!r}, which is not a valid Kubernetes name")
    return objects, list(coverage.notes(policies, version))


def _without_conditions(objects: list[dict[str, Any]], version: versions.Version) -> list[str]:
    """Take the matchConditions away where the API server does not know them; return what to know about that."""
    if versions.has_match_conditions(version):
        return []
    for hook in [hook for obj in objects for hook in obj.get("webhooks", ())]:
        hook.pop("matchConditions", None)
    note = (
        f"Kubernetes {versions.text(version)} does not know these matchConditions (1.29 does): every pod is sent "
        "to the webhook, and waits for it while it is down."
    )
    print(f"gpu-admission manifests: {note}", file=sys.stderr)
    return [note]


def _objects(options: argparse.Namespace, policies: list[Policy], bundle: bytes) -> list[dict[str, Any]]:
    annotations = {_CERT_MANAGER: options.cert_manager} if options.cert_manager else {}
    where = webhook_configurations.RegistrationOptions(
        name=options.name,
        service=options.service,
        namespace=options.namespace,
        port=options.port,
        url=options.url,
        ca_bundle=bundle,
        route=options.route,
        annotations=annotations,
        fail_open=options.fail_open,
    )
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "webhooks": lambda: _configurations(options, policies, where),
        "rbac": lambda: webhook_configurations.access(where, options.secret, keeps=not options.cert_manager),
    }
    if options.policy_source == "crd":
        from gpu_admission.policyfile import crd  # noqa: PLC0415 - 100 ms of pydantic

        own = parts["rbac"]
        parts = {
            "crd": lambda: [crd.definition()],
            **parts,
            "rbac": lambda: [*own(), *policy_access.access(where)],
        }
    return [obj for part, made in parts.items() if options.only in {None, part} for obj in made()]


def _configurations(
    options: argparse.Namespace, policies: list[Policy], where: webhook_configurations.RegistrationOptions
) -> list[dict[str, Any]]:
    if options.policy_source == "crd":
        return any_policy.configurations(where, every_pod=options.every_pod)
    return webhook_configurations.configurations(policies, where)


def _check(options: argparse.Namespace, policies: list[Policy]) -> None:
    """Refuse what the API server would, or what would only fail when it calls. Raises ValueError."""
    for flag, shape in (("name", _SUBDOMAIN), ("secret", _SUBDOMAIN), ("service", _LABEL), ("namespace", _LABEL)):
        value = getattr(options, flag)
        if not shape.fullmatch(value):
            raise ValueError(f"--{flag}: {value!r} is not a valid Kubernetes name")
    if not 1 <= options.port <= 65535:
        raise ValueError(f"--port: {options.port} is not between 1 and 65535")
    if options.url and not _URL.fullmatch(options.url):
        raise ValueError(f"--url: {options.url!r} is not https://HOST:PORT")
    namespace, _, certificate = (options.cert_manager or "").partition("/")
    if options.cert_manager and not (_LABEL.fullmatch(namespace) and _SUBDOMAIN.fullmatch(certificate)):
        raise ValueError(f"--cert-manager: {options.cert_manager!r} is not NAMESPACE/CERTIFICATE")
    names = [policy.name for policy in policies]
    if len(set(names)) < len(names):
        raise ValueError(f"--policy: two policies have the same name, of {', '.join(names)}")
    if options.route and len(policies) > 1:
        raise ValueError("--route: names one policy, and several are given: they share the paths without a name")
    if options.route not in {"", *names}:
        # The server would answer 404, and under failurePolicy Fail no GPU pod could start.
        raise ValueError(f"--route: {options.route!r} is not the name of this policy, which is {names[0]!r}")


def _bundle(path: str | None) -> bytes:
    if path is None:
        return b""
    try:
        data = read_small_file(path)
    except FileReadError as error:
        raise ValueError(f"--ca-bundle: {path}: {error}") from None
    if b"-----BEGIN CERTIFICATE-----" not in data or b"PRIVATE KEY" in data:
        raise ValueError(f"--ca-bundle: {path}: is not a PEM bundle of certificates only")
    return data


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes texts of several lines as blocks, so that a CEL expression can be read and reviewed."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
_Dumper.ignore_aliases = lambda *_: True


def to_yaml(objects: list[dict[str, Any]]) -> str:
    """Return objects as one YAML stream."""
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=1 << 30, explicit_start=True)
