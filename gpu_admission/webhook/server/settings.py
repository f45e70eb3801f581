"""The settings of the server: one frozen record, from flags, the environment or a gunicorn configuration.

Every field can be given as the environment variable ``GPU_ADMISSION_<FIELD>``; lists are separated by commas.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gpu_admission.core.typos import meant, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_admission.policy.model import Mode

PREFIX = "GPU_ADMISSION_"
MIB = 1 << 20
_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "": False, "0": False, "false": False, "no": False,
             "off": False}  # fmt: skip
_SERVICE_LINK = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)$")
# Zero of these means at once, or none; zero of any other number would make the server useless.
_MAY_BE_ZERO = frozenset({"lame_duck", "graceful_timeout", "linger", "large_body", "large_body_wait", "max_discard"})


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSettings:
    """Settings of ``gpu-admission serve``. Times are seconds, sizes bytes, addresses ``HOST:PORT``."""

    policy: tuple[str, ...] = ("default",)
    policy_source: str = "files"
    """Where policies come from: ``files`` (``policy``), or ``crd``: the cluster's GPUPolicy objects."""
    policy_directory: str = ""
    """Directory to which the policy sidecar writes those objects."""
    mode: Mode = "enforce"
    """A ceiling on the mode of every policy: enforce, warn or audit."""
    bind: str = "0.0.0.0:8443"
    tls_cert: str = ""
    tls_key: str = ""
    self_signed: str = ""
    """Directory of the server's own CA and certificate, used when no certificate is given."""
    service_name: str = "gpu-admission"
    service_namespace: str = "gpu-admission"
    san: tuple[str, ...] = ()
    """Further names of the server's own certificate: DNS names and IP addresses."""
    secret: str = ""
    """NAMESPACE/NAME of the Secret of the server's own certificate, in place of a directory."""
    webhook_configuration: tuple[str, ...] = ()
    """Webhook configurations whose CA bundle must verify the certificate; it is updated if the CA is the server's."""
    keeper_interval: float = 60.0
    """Seconds between the certificate sidecar's checks of the Secret and the configurations."""
    status: str = ""
    """Directory of the certificate sidecar's trust status; the certificate's when not given."""
    http: bool = False
    client_ca: str = ""
    health_bind: str = ""
    workers: int = 2
    log_format: str = "json"
    log_level: str = "info"

    # The API server closes idle connections after 90 s: the server must not close them earlier.
    keepalive: int = 120
    lame_duck: float = 10.0
    graceful_timeout: int = 10
    reload_interval: float = 1.0

    handshake_timeout: float = 5.0
    header_timeout: float = 10.0
    body_timeout: float = 10.0
    write_timeout: float = 10.0
    linger: float = 2.0
    max_connections: int = 500

    # The API server's object limit (3 MiB) twice, since an UPDATE contains the old object, plus 1 MiB.
    max_body: int = 7 * MIB
    max_discard: int = 16 * MIB
    # Larger ones are decided one at a time, in a thread.
    large_body: int = MIB // 4
    max_buffered: int = 48 * MIB
    large_body_wait: float = 2.0
    # How late the event loop may be before reviews are refused: less than a mutating webhook's 2 to 3 s.
    overload: float = 1.0

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], **given: Any) -> ServerSettings:
        """Read what ``given`` (flags, None for unset) does not set from ``GPU_ADMISSION_*``; raises SettingsError."""
        values = {name: value for name, value in given.items() if value is not None}
        for field in fields(cls):
            text = environ.get(PREFIX + field.name.upper())
            if text is not None and field.name not in values:
                values[field.name] = _parse(field.name, text, type(field.default))
        if values.get("policy_source") == "crd" and "policy" in values:
            raise SettingsError(
                "policy cannot be combined with policy-source crd: the policies are the cluster's GPUPolicy objects"
            )
        return cls(**values)

    @property
    def tls(self) -> bool:
        """Whether the review port uses TLS."""
        return not self.http


def _parse(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.strip().lower() not in _BOOLEANS:
            raise SettingsError(f"{PREFIX}{name.upper()}: {text!r} is neither true nor false")
        return _BOOLEANS[text.strip().lower()]
    if kind is tuple:
        return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)
    try:
        return kind(text)
    except ValueError as error:
        raise SettingsError(f"{PREFIX}{name.upper()}: {text!r} is not a number") from error


def address(text: str, name: str = "bind") -> tuple[str, int]:
    """Split ``HOST:PORT`` or ``[IPv6]:PORT``; raises SettingsError."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise SettingsError(f"{name}: {text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def misspelt(environ: Mapping[str, str]) -> list[str]:
    """Return a message for each variable that is probably a misspelt setting.

    Others with our prefix are not mistakes: Kubernetes sets some for each Service (GPU_ADMISSION_PORT, ...).
    """
    known = [f"{PREFIX}{field.name.upper()}" for field in fields(ServerSettings)]
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in {*known, f"{PREFIX}STATE"})
    unknown = [name for name in unknown if not _SERVICE_LINK.search(name)]
    pairs = ((name, meant(name.removeprefix(PREFIX), (one.removeprefix(PREFIX) for one in known))) for name in unknown)
    return [f"{name} is not a setting{suggestion(PREFIX + near)}" for name, near in pairs if near]


_MOST = 2**31  # the limit of a C int


def _check_numbers(settings: ServerSettings) -> None:
    for field in fields(ServerSettings):
        value, name = getattr(settings, field.name), field.name.replace("_", "-")
        if type(field.default) not in {int, float}:
            continue
        if not math.isfinite(value):
            raise SettingsError(f"{name}: must be a finite number, got {value}")
        if value < 0 or (value == 0 and field.name not in _MAY_BE_ZERO):
            least = "0 or more" if field.name in _MAY_BE_ZERO else "greater than 0"
            raise SettingsError(f"{name}: must be {least}, got {value}")
        if value >= _MOST:
            raise SettingsError(f"{name}: must be less than {_MOST}, got {value}")


def _check(settings: ServerSettings) -> None:
    if not settings.policy:
        raise SettingsError("policy: at least one is required")
    _check_numbers(settings)
    if settings.keepalive < 100:
        raise SettingsError("keepalive: must be at least 100 s, or the API server loses requests on idle connections")
    if settings.policy_source not in {"files", "crd"}:
        raise SettingsError(f"policy-source: {settings.policy_source!r} is neither files nor crd")
    if settings.mode not in {"enforce", "warn", "audit"}:
        raise SettingsError(f"mode: {settings.mode!r} is not enforce, warn or audit")
    if settings.log_format not in {"json", "text"}:
        raise SettingsError(f"log-format: {settings.log_format!r} is neither json nor text")
    if settings.log_level not in {"debug", "info", "warning", "error"}:
        raise SettingsError(f"log-level: {settings.log_level!r} is not debug, info, warning or error")
    if settings.client_ca and settings.http:
        raise SettingsError("client-ca: client certificates need TLS")
    address(settings.bind)
    if settings.health_bind:
        address(settings.health_bind, "health-bind")
    _check_certificate(settings)


def _check_certificate(settings: ServerSettings) -> None:
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise SettingsError("tls-cert and tls-key must be given together")
    if bool(settings.tls_cert) + bool(settings.self_signed) + bool(settings.secret) + settings.http > 1:
        raise SettingsError("tls-cert, self-signed, secret and http are mutually exclusive")
    if settings.http and settings.webhook_configuration:
        raise SettingsError("webhook-configuration cannot be combined with http: it compares certificates")
    if (settings.secret and not all(settings.secret.partition("/"))) or settings.secret.count("/") > 1:
        raise SettingsError(f"secret: {settings.secret!r} is not NAMESPACE/NAME")
