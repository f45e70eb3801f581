"""Metrics to a Pushgateway: https://github.com/prometheus/pushgateway#put-method."""

from __future__ import annotations

import urllib.error
import urllib.request
from urllib.parse import quote, urlsplit

TIMEOUT = 10.0  # seconds


class PushError(Exception):
    """The gateway did not accept the metrics; the message is one line."""


def check(url: str) -> None:
    """Raise PushError where a URL cannot be one of a Pushgateway."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        valid = False
    if not valid:
        raise PushError(f"{url!r} is not the URL of a Pushgateway; expected http://HOST:PORT")


def push(url: str, job: str, text: str) -> None:
    """Replace the metrics of a job. Raises PushError."""
    target = f"{url.rstrip('/')}/metrics/job/{quote(job, safe='')}"
    request = urllib.request.Request(  # noqa: S310 - `check` has seen the scheme
        target, data=text.encode(), method="PUT", headers={"Content-Type": "text/plain; version=0.0.4"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        detail = error.read(200).decode(errors="replace").strip()
        error.close()
        raise PushError(f"{target}: answered {error.code}{': ' + detail if detail else ''}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise PushError(f"{target}: cannot be reached: {reason}") from None
