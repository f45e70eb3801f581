"""An AdmissionReview (admission.k8s.io/v1) read from bytes and written to bytes.

Only the envelope is parsed here; the object inside stays raw.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

from gpu_admission.core.raw import as_dict, as_str

from . import json_codec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"

_OPEN = f'{{"apiVersion": "{API_VERSION}", "kind": "{KIND}", "response": {{"uid": '


class NotAReviewError(ValueError):
    """A body that is not an AdmissionReview; the message is the reason, in one line."""


class Request:
    """The request of an AdmissionReview. A field that was not sent is empty."""

    __slots__ = ("kind", "name", "namespace", "object", "old_object", "operation", "raw", "subresource", "uid", "user")

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.uid = as_str(raw.get("uid"))
        self.operation = as_str(raw.get("operation"))
        self.subresource = as_str(raw.get("subResource"))
        kind = as_dict(raw.get("kind"))
        self.kind = as_str(kind.get("kind"))
        self.namespace = as_str(raw.get("namespace"))
        self.user = as_str(as_dict(raw.get("userInfo")).get("username"))
        self.object = _typed(raw.get("object"), kind)
        self.old_object = _typed(raw.get("oldObject"), kind)
        self.name = as_str(raw.get("name")) or as_str(as_dict(as_dict(self.object).get("metadata")).get("name"))

    @property
    def is_new_pod(self) -> bool:
        """Whether the object of this request is a Pod that is about to be created."""
        return self.operation == "CREATE" and self.is_pod

    @property
    def is_pod(self) -> bool:
        """Whether the object of this request is a Pod (and not one of its subresources)."""
        return self.kind == "Pod" and not self.subresource and not as_str(as_dict(self.raw.get("kind")).get("group"))


def _typed(obj: Any, kind: Mapping[str, Any]) -> Any:
    """Return an object with its type, taken from the request where the object lacks it."""
    if not isinstance(obj, dict) or (obj.get("apiVersion") and obj.get("kind")):
        return obj
    group, version = as_str(kind.get("group")), as_str(kind.get("version"))
    return {**obj, "apiVersion": f"{group}/{version}" if group else version, "kind": as_str(kind.get("kind"))}


def decode(body: bytes) -> Request:
    """Return the request in a body.

    Raises NotAReviewError where the body is not JSON, or not an AdmissionReview of version v1 with a request that has
    a uid.
    """
    try:
        review = json_codec.read(body)
    except RecursionError:
        raise NotAReviewError("the body is nested too deeply") from None
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError among them
        raise NotAReviewError(f"the body is not JSON: {str(error)[:200]}") from None
    if not isinstance(review, dict) or review.get("kind") != KIND:
        raise NotAReviewError("the body is not an AdmissionReview")
    if review.get("apiVersion") != API_VERSION:
        raise NotAReviewError(f"the AdmissionReview is not of version {API_VERSION}")
    request = review.get("request")
    if not isinstance(request, dict):
        raise NotAReviewError("the AdmissionReview has no request")
    if not isinstance(request.get("uid"), str) or not request["uid"]:
        raise NotAReviewError("the request has no uid")
    return Request(request)


def encode_body(
    *,
    allowed: bool,
    message: str = "",
    warnings: Sequence[str] = (),
    patch: Sequence[Mapping[str, Any]] = (),
    audit: Mapping[str, str] | None = None,
) -> str:
    """Return the response after the request's uid; a denial is 403 Forbidden with the message.

    Joined from strings, because only a patch needs a JSON encoder.
    """
    parts = [', "allowed": true' if allowed else ', "allowed": false']
    if not allowed:
        parts += (', "status": {"code": 403, "reason": "Forbidden", "message": ', json_codec.quote(message), "}")
    if warnings:
        parts += (', "warnings": [', ", ".join(map(json_codec.quote, warnings)), "]")
    if patch:
        encoded = binascii.b2a_base64(json_codec.write(patch), newline=False).decode()
        parts += (', "patchType": "JSONPatch", "patch": "', encoded, '"')
    if audit:
        pairs = ", ".join([f"{json_codec.quote(key)}: {json_codec.quote(value)}" for key, value in audit.items()])
        parts += (', "auditAnnotations": {', pairs, "}")
    parts.append("}}")
    return "".join(parts)


def encode(uid: str, encoded: str) -> bytes:
    """Return the AdmissionReview that answers the request of that uid, with a result of ``encode_body``."""
    return f"{_OPEN}{json_codec.quote(uid)}{encoded}".encode()
