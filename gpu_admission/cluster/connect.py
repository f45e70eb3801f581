"""From kubectl's flags to a `Connection`: kubeconfig, or the pod's service account, through the official client."""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from . import kubeconfig
from .connection import READ_TIMEOUT, TRIES, Connection
from .errors import ConnectError
from .replies import short

if TYPE_CHECKING:
    from collections.abc import Iterator

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class ConnectOptions(NamedTuple):
    """The values of kubectl's flags of the same names; ``request_timeout`` in seconds, None for the default.

    ``tries`` is how often a request is sent that fails.
    """

    context: str | None = None
    kubeconfig: str | None = None
    request_timeout: float | None = None
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()
    tries: int = TRIES


def connect(options: ConnectOptions | None = None) -> Connection:
    """Return a connection to the cluster that the options choose; nothing has been sent over it yet.

    As kubectl does: ``--kubeconfig``, then KUBECONFIG, then ``~/.kube/config``, and where there is no such file, the
    service account of the pod that we run in. Raises ConnectError; ModuleNotFoundError where the client is missing.
    """
    options = options or ConnectOptions()
    if options.as_groups and not options.as_user:
        raise ConnectError("--as-group needs --as: say which user the groups are for")
    files = kubeconfig.paths(options.kubeconfig)
    if options.kubeconfig and not files:
        raise ConnectError(f"{options.kubeconfig}: there is no such kubeconfig file: check --kubeconfig")
    if files:
        return _from_files(files, options)
    if "KUBERNETES_SERVICE_HOST" in os.environ and options.context is None:
        return _from_service_account(options)
    tried = os.environ.get("KUBECONFIG") or kubeconfig.DEFAULT
    raise ConnectError(
        f"no kubeconfig found ({tried}) and not inside of a cluster: give one with --kubeconfig or KUBECONFIG"
    )


def _from_files(files: tuple[str, ...], options: ConnectOptions) -> Connection:
    context = kubeconfig.choose(files, options.context)
    config, settings = import_module("kubernetes.config"), _settings()
    complaints = _Complaints()
    with complaints:
        try:
            config.load_kube_config(os.pathsep.join(files), context.name, client_configuration=settings)
        except Exception as error:  # noqa: BLE001 - any error of paths, PEM and plugins in it
            raise ConnectError(f"context {context.name}: the kubeconfig cannot be used: {short(error)}") from None
    if complaints.lines and not settings.api_key and not settings.cert_file:
        raise ConnectError(
            f"context {context.name}: no credentials ({short(complaints.lines[0])}): run its credential plugin or"
            " log in again"
        )
    user = options.as_user or context.as_user
    groups = options.as_groups or (() if options.as_user else context.as_groups)
    return _connection(settings, options, f"context {context.name}", context.namespace, (user, groups))


def _from_service_account(options: ConnectOptions) -> Connection:
    config, settings = import_module("kubernetes.config"), _settings()
    try:
        config.load_incluster_config(client_configuration=settings)
    except Exception as error:  # noqa: BLE001 - a token that is not mounted, and others
        raise ConnectError(
            f"inside of a cluster, but its service account cannot be used: {short(error)}: set"
            " automountServiceAccountToken, or give --kubeconfig"
        ) from None
    return _connection(settings, options, "the cluster", _own_namespace(), (options.as_user or "", options.as_groups))


def _connection(
    settings: Any, options: ConnectOptions, name: str, namespace: str, impersonated: tuple[str, tuple[str, ...]]
) -> Connection:
    client = import_module("kubernetes.client")
    if not settings.verify_ssl:  # the user's choice, which kubectl accepts without a warning too
        import_module("urllib3").disable_warnings(import_module("urllib3.exceptions").InsecureRequestWarning)
    try:
        api_client = client.ApiClient(settings)
    except Exception as error:  # noqa: BLE001 - invalid certificates and proxies
        raise ConnectError(f"{name}: the connection cannot be set up: {short(error)}: check the kubeconfig") from None
    timeout = options.request_timeout or READ_TIMEOUT
    return Connection(
        api_client,
        name=name,
        namespace=namespace,
        timeout=timeout,
        tries=options.tries,
        headers=tuple(_impersonation(*impersonated)),
    )


def _impersonation(user: str, groups: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the headers of impersonation: one per group, because the API server does not split at commas."""
    if user:
        yield "Impersonate-User", user
    for group in groups:
        yield "Impersonate-Group", group


def _settings() -> Any:
    client = import_module("kubernetes.client")
    # Releases before 37 log every answer at debug level: Secrets too.
    logging.getLogger("kubernetes.client.rest").setLevel(logging.INFO)
    return client.Configuration()


def _own_namespace() -> str:
    try:
        with open(f"{_ACCOUNT}/namespace", encoding="utf-8") as file:
            return file.read(256).strip() or "default"
    except (OSError, ValueError):
        return "default"


class _Complaints(logging.Handler):
    """What the official client logs while it loads credentials: it does not raise when a plugin fails."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line instead of printing it."""
        self.lines.append(record.getMessage())

    def __enter__(self) -> None:
        """Add this handler to the root logger, which the client uses."""
        logging.getLogger().addHandler(self)

    def __exit__(self, *_: object) -> None:
        """Remove the handler."""
        logging.getLogger().removeHandler(self)
