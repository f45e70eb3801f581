"""Subject alternative names: what a serving certificate is valid for."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from cryptography import x509

from .errors import PkiError

if TYPE_CHECKING:
    from collections.abc import Iterable

Name = x509.DNSName | x509.IPAddress

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
LONGEST_NAME = 253


def parse_name(text: str) -> Name:
    """Turn ``example.com``, ``127.0.0.1`` or ``::1`` into a name. Raises PkiError for anything else."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    host = text.lower()
    if len(host) > LONGEST_NAME or not all(LABEL.fullmatch(label) for label in host.split(".")):
        raise PkiError(f"{text[:80]!r} is neither a DNS name nor an IP address")
    return x509.DNSName(host)


def service_names(service: str, namespace: str) -> tuple[Name, ...]:
    """Return the name under which the API server calls a Service: it verifies ``<service>.<namespace>.svc``."""
    for label in (service, namespace):
        if not LABEL.fullmatch(label):
            raise PkiError(f"{label[:80]!r} is not the name of a Service or namespace")
    return (parse_name(f"{service}.{namespace}.svc"),)


def serving_names(service: str, namespace: str) -> tuple[Name, ...]:
    """Return the names of a self-signed certificate: the Service, localhost and 127.0.0.1."""
    return (*service_names(service, namespace), parse_name("localhost"), parse_name("127.0.0.1"))


def names_of(certificate: x509.Certificate) -> tuple[Name, ...]:
    """List the DNS names and IP addresses of a certificate, in its order; none if it has no SAN."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ()
    return tuple(name for name in extension.value if isinstance(name, x509.DNSName | x509.IPAddress))


def merged(*groups: Iterable[Name]) -> tuple[Name, ...]:
    """Join names in order, each once."""
    return tuple(dict.fromkeys(name for group in groups for name in group))
