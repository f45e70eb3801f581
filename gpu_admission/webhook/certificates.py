"""The serving certificate: checked before it is used, replaced without dropping a connection."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_admission.pki.errors import PairError
from gpu_admission.pki.serving_pair import load_pair, read_pem_file
from gpu_admission.pki.trust_status import read_status, read_time

from .file_watch import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_admission.pki.serving_pair import ServingPair

    from .file_watch import Fingerprint


def _ignore(_: object) -> None: ...


class ServingCertificate:
    """A TLS server context made from files, made again when they change.

    A rotation makes a *new* context for new connections; open ones keep theirs. Loading a new pair into the old
    context could change neither the type of key (OpenSSL keeps one certificate per type and would still offer the old
    one) nor the CAs of client certificates.

    ``status`` is the directory of pki.trust_status, the certificate's own when not given.
    ``loaded(unix_seconds_of_expiry)`` and ``failed(message)`` are called for every change, not for every check.
    """

    def __init__(
        self,
        cert: str,
        key: str,
        client_ca: str = "",
        *,
        status: str = "",
        loaded: Callable[[float], None] = _ignore,
        failed: Callable[[str], None] = _ignore,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cert = Path(cert)
        self._key = Path(key)
        self._client_ca = client_ca
        self._status = Path(status) if status else self._cert.parent
        self._paths = tuple(path for path in (cert, key, client_ca) if path)
        self._loaded = loaded
        self._failed = failed
        self._monotonic = monotonic
        self._seen: tuple[Fingerprint, str] | None = None
        self._pair: ServingPair | None = None
        self._context: ssl.SSLContext | None = None

    @property
    def context(self) -> ssl.SSLContext | None:
        """The context for new connections, None while no pair has ever been good."""
        return self._context

    def context_at(self, now: float) -> ssl.SSLContext | None:
        """The context for a connection at ``now`` (Unix seconds).

        Where there is none yet, the files are read at once: the first certificate may have just been written, and
        another worker may already have reported that the server is ready.
        """
        if self._context is None:
            self.refresh(now)
        return self._context

    @property
    def not_after(self) -> float:
        """When the serving certificate expires, in Unix seconds; 0 while there is none."""
        return self._pair.not_after.timestamp() if self._pair is not None else 0.0

    def valid_at(self, now: float) -> bool:
        """Whether a certificate is served and valid at ``now`` (Unix seconds)."""
        at = self._time(now)
        return self._pair is not None and self._pair.not_before <= at < self._pair.not_after

    def _time(self, now: float) -> datetime:
        """Return the API server's time where the certificate sidecar has recorded it, else our clock's (``now``)."""
        recorded = read_time(self._status, self._monotonic())
        return datetime.fromtimestamp(now if recorded is None else recorded, UTC)

    def refresh(self, now: float) -> bool:
        """Load a pair that changed on disk; True when it is served from now on, else the old one stays.

        Files that were refused are tried again each time: a pair that was written in two steps is valid a moment
        later, and one that is not valid yet becomes so without changing.
        """
        mark = fingerprint(self._paths)
        if self._seen == (mark, ""):
            return False
        try:
            pair = load_pair(self._cert, self._key, self._time(now))
            context = server_context(pair, self._client_ca)
        except PairError as error:
            if self._seen != (mark, str(error)):
                self._failed(str(error))
            self._seen = mark, str(error)
            return False
        self._seen = mark, ""
        self._pair, self._context = pair, context
        self._loaded(self.not_after)
        return True

    @property
    def distrusted(self) -> bool:
        """Whether the published CA bundle recently did not verify what is served (see pki.trust_status)."""
        if self._pair is None:
            return False
        return read_status(self._status, self._pair.fingerprint, self._monotonic()) is False


def server_context(pair: ServingPair, client_ca: str = "") -> ssl.SSLContext:
    """Make a TLS 1.2+ context that requires client certificates when ``client_ca`` names a PEM file.

    Raises PairError. HTTP/2 is deliberately not offered: it would pin an API server's whole load to one worker.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 1  # two cost more, and the API server keeps its connections anyway
    context.set_alpn_protocols(["http/1.1"])
    pair.install(context)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(cadata=read_pem_file(Path(client_ca)).decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise PairError(f"{client_ca}: no PEM certificate in it") from None
    return context
