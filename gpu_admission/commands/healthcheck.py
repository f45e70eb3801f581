"""The image's HEALTHCHECK, ``python -m gpu_admission.commands.healthcheck``: check whether the server answers.

It requests /healthz at the address in GPU_ADMISSION_HEALTH_BIND. Kubernetes has its own probes and ignores this;
Docker, Compose and Podman show it as the container's health.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException

VARIABLE = "GPU_ADMISSION_HEALTH_BIND"
TIMEOUT = 4.0  # seconds
_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - a server bound to all addresses answers on loopback


def main() -> int:
    """Return 0 where the server answers 200, and 1 with the reason on standard error."""
    where = os.environ.get(VARIABLE, "")
    host, _, port = where.rpartition(":")
    host = host.strip("[]")
    if not (host and port.isascii() and port.isdigit() and int(port) < 65536):
        return _unhealthy(f"{VARIABLE}: expected HOST:PORT, got {where!r}")
    connection = HTTPConnection(_EVERY.get(host, host), int(port), timeout=TIMEOUT)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return _unhealthy(f"{where}: {str(error) or type(error).__name__}")
    finally:
        connection.close()
    return 0 if status == 200 else _unhealthy(f"{where}: /healthz answered {status}")


def _unhealthy(reason: str) -> int:
    print(f"unhealthy: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
