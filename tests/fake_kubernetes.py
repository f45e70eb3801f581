"""A small API server on loopback: objects with resourceVersions, conflicts, refusals and outages.

Driven by the real Kubernetes client, so that what tests see is what a cluster would be sent.
"""

import json
import threading

from loopback import QuietHandler, serving

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


class FakeKubernetes:
    def __init__(self):
        self.objects = {}
        self.requests = []
        self.tokens = set()
        self.refuse = {}  # (method, path) -> status
        self.before_put = []  # called once each, outside the lock, before the next PUT is looked at
        self.query, self.accept = "", ""  # of the last request
        self.date = None  # what answers say instead of the right time
        self._lock = threading.Lock()
        self._version = 100

    def add(self, path, body):
        with self._lock:
            self._store(path, json.loads(json.dumps(body)))

    def add_secret(self, namespace, name, data=None, **fields):
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        metadata = {"name": name, "namespace": namespace, "labels": {"keep": "me"}}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", **fields}
        self.add(path, body if data is None else {**body, "data": data})
        return path

    def add_webhooks(self, kind, name, bundles):
        path = f"{ADMISSION}/{kind.lower()}s/{name}"
        webhooks = []
        for number, bundle in enumerate(bundles):
            config = {"service": {"name": "gpu-admission", "namespace": "gpu-admission", "path": "/x"}}
            if bundle is not None:
                config["caBundle"] = bundle
            webhooks.append(
                {"name": f"w{number}.gpu-admission.io", "clientConfig": config, "futureField": {"kept": True}}
            )
        body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}}
        self.add(path, {**body, "webhooks": webhooks})
        return path

    def handle(self, method, path, body):
        self.requests.append((method, path))
        if method == "PUT" and self.before_put:
            self.before_put.pop(0)()
        with self._lock:
            if (method, path) in self.refuse:
                return self._status(self.refuse[method, path])
            if path not in self.objects:
                return self._status(404)
            if method == "GET":
                return 200, self.objects[path]
            if method != "PUT":
                return self._status(405)
            sent = body["metadata"].get("resourceVersion")
            if sent is not None and sent != self.objects[path]["metadata"]["resourceVersion"]:
                return self._status(409)
            return 200, self._store(path, body)

    def _store(self, path, body):
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self.objects[path] = body
        return body

    @staticmethod
    def _status(code):
        return code, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}


def _handler(fake):
    class Handler(QuietHandler):
        def _answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            fake.tokens.add(self.headers.get("Authorization"))
            fake.query, fake.accept = self.path.partition("?")[2], self.headers.get("Accept")
            code, answer = fake.handle(self.command, self.path.partition("?")[0], body)
            data = json.dumps(answer).encode()
            self.begin(code, len(data), {"Date": self.date_time_string() if fake.date is None else fake.date})
            self.wfile.write(data)

        do_GET = do_PUT = _answer  # noqa: N815 - the names that http.server looks for

    return Handler


def served(fake):
    """Serve on a free port of loopback; a context manager of the URL."""
    return serving(_handler(fake))
