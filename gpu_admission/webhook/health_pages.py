"""Everything that is not a review: health, readiness, metrics, and an index page. Flask."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask, Response
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from gpu_admission import __version__
from gpu_admission.webhook.review.types import error_body

from .metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from gpu_admission.webhook.server.readiness import Readiness

    from .metrics import Metrics
    from .policy_store import PolicyStore

JSON = "application/json"
PAGE = Markup(
    "<!doctype html><html lang=en><meta charset=utf-8><title>gpu-admission</title>"
    "<h1>gpu-admission {version}</h1>"
    "<p>A Kubernetes admission webhook for GPU resource requests. The API server posts AdmissionReviews to"
    " <code>/validate</code> and <code>/mutate</code> (or <code>/validate/NAME</code>, <code>/mutate/NAME</code>).</p>"
    "<h2>Policies</h2><ul>{policies}</ul></html>\n"
)
ITEM = Markup("<li><code>{name}</code> loaded {when}</li>")


def create_pages(policies: PolicyStore, readiness: Readiness, metrics: Metrics, *, health: bool, index: bool) -> Flask:
    """Make the Flask application. ``health`` adds /healthz, /readyz and /metrics; ``index`` adds /."""
    app = Flask(__name__, static_folder=None)
    # A webhook that redirects can be used against the API server (CVE-2020-8561); both of these would redirect.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    if health:
        _add_health(app, readiness, metrics)
    if index:
        app.add_url_rule("/", "index", lambda: _index(policies))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, lambda error: _crash(app, error))
    return app


def _add_health(app: Flask, readiness: Readiness, metrics: Metrics) -> None:
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    def readyz() -> Response:
        reasons = readiness.reasons(time.time())
        if not reasons:
            return Response("ok\n", mimetype="text/plain")
        status = HTTPStatus.SERVICE_UNAVAILABLE
        body = error_body(status, "; ".join(reasons))
        return Response(body, status, {"Retry-After": "1"}, mimetype=JSON)

    def scrape() -> Response:
        return Response(metrics.render(), content_type=CONTENT_TYPE.decode())

    for view in (healthz, readyz):
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    app.add_url_rule("/metrics", view_func=scrape)


def _index(policies: PolicyStore) -> Response:
    items = Markup("").join(
        ITEM.format(name=name, when=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when)))
        for name, when in policies.times.items()
    )
    return Response(PAGE.format(version=__version__, policies=items), mimetype="text/html")


def _http_error(error: HTTPException) -> Response:
    status = error.code if error.code is not None and error.code >= HTTPStatus.BAD_REQUEST else HTTPStatus.NOT_FOUND
    allowed = getattr(error, "valid_methods", None)
    headers = {"Allow": ", ".join(sorted(allowed))} if allowed else {}
    return Response(error_body(status, HTTPStatus(status).phrase.lower()), status, headers, mimetype=JSON)


def _crash(app: Flask, error: Exception) -> Response:
    app.logger.error("page failed", exc_info=error)
    return Response(error_body(500, "internal error"), 500, mimetype=JSON)
