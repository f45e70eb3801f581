"""A client of the API server: JSON over connections that are kept, one a thread."""

import contextlib
import http.client
import json
import re
import ssl
import threading
from urllib.parse import urlencode

from gpu_admission.core.go_arithmetic import json_float
from gpu_admission.workloads.kinds import split_group

_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
_NUMBER = re.compile(r'"\\u0000([^"]*)"')


class Reply:
    """What the API server answered: ``status``, the ``object`` (a Status where it refused), ``warnings``."""

    def __init__(self, status, body, warnings):
        self.status = status
        self.object = body
        self.warnings = warnings

    @property
    def refused(self):
        return self.status >= 400

    @property
    def message(self):
        return self.object.get("message", "")

    @property
    def causes(self):
        """The fields that validation names, each with its message."""
        found = self.object.get("details", {}).get("causes", ())
        return [(cause.get("field", ""), cause.get("message", "")) for cause in found]

    def __repr__(self):
        return f"<{self.status} {self.message or self.object.get('kind')}>"


class Client:
    """Talks to 127.0.0.1; may be used by several threads."""

    def __init__(self, port, token, context):
        self._port = port
        self._context = context
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._local = threading.local()
        self._opened = []

    def close(self):
        for connection in self._opened:
            connection.close()

    def get(self, path):
        return self.request("GET", path)

    def create(self, obj, namespace="default", **query):
        return self.request("POST", collection(obj, namespace), obj, **query)

    def delete(self, path, **query):
        return self.request("DELETE", path, **query)

    def patch(self, path, change, kind="merge", **query):
        return self.request("PATCH", path, change, content_type=f"application/{kind}-patch+json", **query)

    def request(self, method, path, body=None, *, content_type="application/json", headers=None, **query):
        """One request; ``body`` is written as kubectl writes it."""
        if query:
            path = f"{path}?{urlencode(query)}"
        sent = None if body is None else dumps(body).encode()
        for last in (False, True):
            connection = self._connection()
            try:
                connection.request(
                    method, path, sent, {**self._headers, "Content-Type": content_type, **(headers or {})}
                )
                answer = connection.getresponse()
                content = answer.read()
            except (ConnectionError, ssl.SSLEOFError, http.client.HTTPException):  # closed for being idle
                connection.close()
                if last:
                    raise
            else:
                return Reply(answer.status, _parsed(content), _warnings(answer))
        raise AssertionError

    def _connection(self):
        with contextlib.suppress(AttributeError):
            return self._local.connection
        made = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=60, context=self._context)
        self._local.connection = made
        self._opened.append(made)
        return made


def _parsed(content):
    try:
        return json.loads(content)
    except ValueError:
        return {"message": content.decode(errors="replace")}


def _warnings(answer):
    lines = answer.headers.get_all("Warning") or ()
    return [re.sub(r"\\(.)", r"\1", text) for line in lines for text in _WARNING.findall(line)]


def collection(obj, namespace):
    """The path of the collection that an object belongs to; namespace None for objects of the cluster."""
    group, kind = split_group(obj["apiVersion"]), obj["kind"]
    plural = kind.lower() + ("es" if kind.endswith("s") else "s")
    root = f"/apis/{obj['apiVersion']}" if group else f"/api/{obj['apiVersion']}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def dumps(obj):
    """JSON as kubectl writes it: numbers beyond int64 become floats, and floats and texts are written as Go does.

    How a text is escaped matters: the API server reads quantities before it undoes the escapes.
    """
    text = _NUMBER.sub(r"\1", json.dumps(_go(obj), ensure_ascii=False))
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _go(value):
    if isinstance(value, dict):
        return {key: _go(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_go(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        value = float(value)
    return f"\0{json_float(value)}" if isinstance(value, float) else value
