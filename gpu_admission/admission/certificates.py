"""The certificate in service: checked before it is taken, replaced without dropping a connection."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509

from gpu_admission.admission.watch import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_admission.admission.watch import Fingerprint


class CertificateError(Exception):
    """A certificate, key or client CA that cannot be used; the message holds a cause and never key material."""


def _ignore(_: object) -> None: ...


class ServingCertificate:
    """A TLS server context made from files, made anew when they change.

    A rotation makes a *new* context, which the listener hands to connections from then on; those that are
    open keep theirs. Loading a new pair into the old context in place would be neither atomic nor able to
    change the key type (OpenSSL keeps one certificate a type and would go on offering the old one).
    """

    def __init__(
        self,
        cert: str,
        key: str,
        client_ca: str = "",
        *,
        loaded: Callable[[float], None] = _ignore,
        failed: Callable[[str], None] = _ignore,
    ) -> None:
        self._cert = cert
        self._key = key
        self._client_ca = client_ca
        self._paths = tuple(path for path in (cert, key, client_ca) if path)
        self._loaded = loaded
        self._failed = failed
        self._seen: Fingerprint | None = None
        self._context: ssl.SSLContext | None = None
        self.not_before = 0.0
        self.not_after = 0.0
        """Unix seconds; both zero while no pair has ever loaded."""

    @property
    def context(self) -> ssl.SSLContext | None:
        """The context for new connections, None while no pair has ever loaded."""
        return self._context

    def valid_at(self, now: float) -> bool:
        """Whether a certificate is served and ``now`` (Unix seconds) is inside its life."""
        return self._context is not None and self.not_before <= now < self.not_after

    def refresh(self, now: float) -> bool:
        """Take over a pair that changed on disk; True when it is served from now on, else the old one stays."""
        mark = fingerprint(self._paths)
        if mark == self._seen:
            return False
        self._seen = mark
        try:
            context = server_context(self._cert, self._key, self._client_ca)
            begins, ends = lifetime(self._cert)
            if self.valid_at(now) and not begins <= now < ends:
                raise CertificateError("the new certificate is not valid now and the old one is")  # noqa: TRY301
        except CertificateError as error:
            self._failed(str(error))
            return False
        self._context, self.not_before, self.not_after = context, begins, ends
        self._loaded(ends)
        return True


def server_context(cert: str, key: str, client_ca: str = "") -> ssl.SSLContext:
    """A TLS 1.2+ server context, demanding client certificates when ``client_ca`` is given.

    Raises CertificateError when a file is missing, does not parse, or key and certificate do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # One ticket instead of two: the API server keeps its connections, and a ticket costs a signature's time.
    context.num_tickets = 1
    # HTTP/2 is left off on purpose: it would pin an API server's whole load to one worker.
    context.set_alpn_protocols(["http/1.1"])
    try:
        # An encrypted key must fail instead of asking a terminal for its password.
        context.load_cert_chain(cert, key, password=lambda: "")
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        cause = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise CertificateError(f"{cert}, {key}: {cause}") from None
    return context


def lifetime(cert: str) -> tuple[float, float]:
    """NotBefore and NotAfter of the first certificate of a PEM file, in Unix seconds; raises CertificateError."""
    try:
        leaf = x509.load_pem_x509_certificate(Path(cert).read_bytes())
    except (OSError, ValueError) as error:
        raise CertificateError(f"{cert}: {type(error).__name__}") from None
    return leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
