"""A small HTTP server on loopback in place of an API server, with an API server's failures.

Lists are paged with ``limit`` and ``continue``, in the order of namespace and name. `faults` are answered first, each
once: a function of the request (path, query) that returns a Reply, CUT (the connection breaks within the body), or
None to let the request through.
"""

import base64
import json
import threading
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import parse_qsl

from loopback import QuietHandler, serving

CUT = object()


class Reply(NamedTuple):
    status: int
    body: object = None
    headers: Mapping = MappingProxyType({})


class Stream(NamedTuple):
    """An answer that is sent piece by piece; then it ends, breaks (``cut``), or stays open for some ``seconds``."""

    pieces: list
    cut: bool = False
    seconds: float = 0.0


def event(kind, obj):
    """A line of a watch."""
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def status(code, message="", **metadata):
    body = {"kind": "Status", "apiVersion": "v1", "metadata": metadata, "message": message, "code": code}
    return Reply(code, body)


class ApiStandin:
    def __init__(self, *, aggregated=True):
        self.lists = {}  # path -> [objects]
        self.kinds = []  # (group, version, plural, kind, namespaced)
        self.single = {}  # path -> object
        self.watches = []  # Streams, one for each watch; an empty one when they are used up
        self.faults = []
        self.always = []  # functions as in faults that stay
        self.requests = []  # (path, query)
        self.headers = []
        self.written = []  # (method, path, query, body)
        self.aggregated = aggregated
        self.on_page = None  # called with (path, number of the page) before a page is made
        self._lock = threading.RLock()
        self.serve("", "v1", "pods", "Pod")
        self.serve("", "v1", "namespaces", "Namespace", namespaced=False)

    def serve(self, group, version, plural, kind, *, namespaced=True, objects=()):
        self.kinds.append((group, version, plural, kind, namespaced))
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        self.lists[f"{root}/{plural}"] = list(objects)
        return self.lists[f"{root}/{plural}"]

    def handle(self, method, path, query, body):
        with self._lock:
            self.requests.append((path, query))
            for fault in (*self.always, *self.faults[:1]):
                answer = fault(path, query)
                if fault not in self.always:
                    if answer is None:
                        continue
                    self.faults.pop(0)
                if answer is not None:
                    return answer
            if method != "GET":
                return self._write(method, path, query, body)
            if query.get("watch"):
                return self.watches.pop(0) if self.watches else Stream([])
            if path in ("/api", "/apis"):
                return Reply(200, self._discovery(path))
            if path in self.single:
                return Reply(200, self.single[path])
            return self._list(path, query) or self._group(path) or status(404, f"{path} was not found")

    def _write(self, method, path, query, body):
        self.written.append((method, path, query, body))
        return Reply(200, body)

    def _list(self, path, query):
        namespace = None
        parts = path.split("/")
        if "namespaces" in parts[:-2]:
            at = parts.index("namespaces")
            namespace, path = parts[at + 1], "/".join([*parts[:at], *parts[at + 2 :]])
        if path not in self.lists:
            return None
        found = [each for each in self.lists[path] if namespace in (None, each["metadata"].get("namespace"))]
        found.sort(key=_key)
        after = tuple(json.loads(base64.b64decode(query["continue"]))) if "continue" in query else None
        rest = [each for each in found if after is None or _key(each) > after]
        page = rest[: int(query.get("limit", len(rest) or 1))]
        metadata = {"resourceVersion": "1"}
        if len(page) < len(rest):
            metadata |= {"continue": token_after(page[-1]), "remainingItemCount": len(rest) - len(page)}
        return Reply(200, {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": page})

    def _discovery(self, path):
        chosen = [each for each in self.kinds if bool(each[0]) == (path == "/apis")]
        if self.aggregated:
            items = []
            for group in dict.fromkeys(each[0] for each in chosen):
                versions = [
                    {
                        "version": version,
                        "resources": [_resource(each) for each in chosen if each[:2] == (group, version)],
                    }
                    for version in dict.fromkeys(each[1] for each in chosen if each[0] == group)
                ]
                items.append({"metadata": {"name": group} if group else {}, "versions": versions})
            return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        groups = [
            {
                "name": group,
                "versions": [{"version": v} for v in dict.fromkeys(each[1] for each in chosen if each[0] == group)],
                "preferredVersion": {"version": next(each[1] for each in chosen if each[0] == group)},
            }
            for group in dict.fromkeys(each[0] for each in chosen)
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def _group(self, path):
        parts = path.strip("/").split("/")
        group, version = (parts[1], parts[2]) if parts[0] == "apis" and len(parts) == 3 else ("", parts[-1])
        chosen = [each for each in self.kinds if each[:2] == (group, version)]
        if not chosen or len(parts) != (3 if group else 2):
            return None
        resources = [
            {"name": plural, "kind": kind, "namespaced": namespaced, "verbs": ["get", "list"]}
            for _, _, plural, kind, namespaced in chosen
        ]
        resources.append({"name": f"{chosen[0][2]}/status", "kind": chosen[0][3], "verbs": ["get"]})
        return Reply(200, {"kind": "APIResourceList", "groupVersion": f"{group}/{version}", "resources": resources})


def _resource(each):
    _, _, plural, kind, namespaced = each
    scope = "Namespaced" if namespaced else "Cluster"
    return {"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": ["get", "list"]}


def _key(obj):
    return (obj["metadata"].get("namespace") or "", obj["metadata"]["name"])


def token_after(obj):
    """The continue token that goes on after an object."""
    return base64.b64encode(json.dumps(_key(obj)).encode()).decode()


def _handler(api):
    class Handler(QuietHandler):
        def _answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            path, _, query = self.path.partition("?")
            path = path.removeprefix("http://cluster.invalid")  # what a proxy is sent
            api.headers.append(self.headers)
            found = api.handle(self.command, path, dict(parse_qsl(query)), body)
            if isinstance(found, Stream):
                self._stream(found)
                return
            cut = found is CUT
            code, answer, headers = (200, {"items": ["x" * 1000]}, {}) if cut else found
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.begin(code, len(data), headers)
            self.wfile.write(data[: len(data) // 2] if cut else data)
            if cut:
                self.wfile.flush()
                self.close_connection = True

        def _stream(self, stream):
            self.send_response_only(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in stream.pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            time.sleep(stream.seconds)
            if stream.cut:
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names that http.server looks for

    return Handler


def standin(api):
    """Serve on a free port of loopback; a context manager of the URL."""
    return serving(_handler(api))


def kubeconfig(folder, url, *, user=None, **context):
    """Write a kubeconfig that leads to a URL; its path."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "right"} if user is None else user}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", **context}}],
        "current-context": "here",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)
