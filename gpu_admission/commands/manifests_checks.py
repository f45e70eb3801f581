"""Checks of the options of ``gpu-admission manifests``: each error is a ValueError that names the option."""

from __future__ import annotations

import itertools
import re

from gpu_admission.registration.in_tree import versions
from gpu_admission.safe_files import FileReadError, read_small_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gpu_admission.policy.model import Policy

# The API server's patterns of names: of a Service or namespace, and of everything else here.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(rf"(?!.{{254}}){_LABEL.pattern}(\.{_LABEL.pattern})*")
# The API server refuses a URL with a user, a query or a fragment; our path is appended.
_URL = re.compile(r"https://([^\s/?#@:\[\]]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?(/[^\s?#]*)?")


def check(options: argparse.Namespace, policies: list[Policy]) -> None:
    """Refuse what the API server would, or what would only fail when it calls the webhook. Raises ValueError."""
    for flag, pattern in (("name", SUBDOMAIN), ("secret", SUBDOMAIN), ("service", _LABEL), ("namespace", _LABEL)):
        value = getattr(options, flag)
        if not pattern.fullmatch(value):
            raise ValueError(f"--{flag}: {value!r} is not a valid Kubernetes name")
    if not 1 <= options.port <= 65535:
        raise ValueError(f"--port: {options.port} is not between 1 and 65535")
    if options.url and not _URL.fullmatch(options.url):
        raise ValueError(f"--url: {options.url!r} is not https://HOST:PORT")
    namespace, _, certificate = (options.cert_manager or "").partition("/")
    if options.cert_manager and not (_LABEL.fullmatch(namespace) and SUBDOMAIN.fullmatch(certificate)):
        raise ValueError(f"--cert-manager: {options.cert_manager!r} is not NAMESPACE/CERTIFICATE")
    _check_policies(options, policies)


def _check_policies(options: argparse.Namespace, policies: list[Policy]) -> None:
    names = [policy.name for policy in policies]
    if len(set(names)) < len(names):
        raise ValueError(f"--policy: two policies have the same name, of {', '.join(names)}")
    if options.route and len(policies) > 1:
        raise ValueError("--route: names one policy, and several are given: they share the paths without a name")
    if options.route not in {"", *names}:
        # The server would answer 404, and under failurePolicy Fail no GPU pod could start.
        raise ValueError(f"--route: {options.route!r} is not the name of this policy, which is {names[0]!r}")
    for policy, shadowed in itertools.pairwise(policies):
        if not policy.match:
            raise ValueError(
                f"--policy: {policy.name} is for every namespace, so {shadowed.name} after it never judges: give "
                f"{policy.name} a spec.match, or put it last"
            )


def version(text: str) -> versions.Version:
    """Return the Kubernetes version of an option. Raises ValueError."""
    try:
        found = versions.parse(text)
    except ValueError as error:
        raise ValueError(f"--kubernetes-version: {error}") from None
    if not versions.has_webhook_configurations(found):
        raise ValueError(f"--kubernetes-version: {text} does not serve admissionregistration.k8s.io/v1; 1.16 does")
    return found


def ca_bundle(path: str | None) -> bytes:
    """Return the PEM certificates in a file, nothing without one. Raises ValueError."""
    if path is None:
        return b""
    try:
        data = read_small_file(path)
    except FileReadError as error:
        raise ValueError(f"--ca-bundle: {path}: {error}") from None
    if b"-----BEGIN CERTIFICATE-----" not in data or b"PRIVATE KEY" in data:
        raise ValueError(f"--ca-bundle: {path}: is not a PEM bundle of certificates only")
    return data
