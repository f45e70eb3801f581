"""Webhooks for tests on a real API server: one that only records, and configurations that come and go."""

import contextlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from webhook_server import free_port, pair

from gpu_admission.registration import webhook_configurations

PATHS = {
    kind: f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}s/"
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
}
PROBE = {"nvidia.com/gpu": "1"}


def pod(name="p", resources=None, **spec):
    """A pod; ``resources`` are limits."""
    container = {"name": "c", "image": "example.com/c:1"}
    if resources is not None:
        container["resources"] = {"limits": resources}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container], **spec}}


class Recorder:
    """Allows everything, and records the requests."""

    def __init__(self, folder):
        self.port = free_port()
        certificate, key = pair(folder, "recorder")
        self.ca = Path(certificate).read_bytes()
        self.url = f"https://127.0.0.1:{self.port}"
        self.seen = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
                recorder.seen.append((self.path.partition("?")[0], request["kind"]["kind"], request["operation"]))
                response = {"uid": request["uid"], "allowed": True}
                review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
                body = json.dumps(review).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def registered(api, objects):
    """Create the configurations, and take them away again."""
    made = []
    try:
        for obj in objects:
            answer = api.create(obj, None)
            assert answer.status == 201, answer
            made.append(obj)
        yield
    finally:
        for obj in made:
            api.delete(PATHS[obj["kind"]] + obj["metadata"]["name"])


def options(name, url, ca, **more):
    return webhook_configurations.RegistrationOptions(name=name, url=url, ca_bundle=ca, **more)


def settled(check, seconds=30):
    """Wait until the API server has noticed a change of configurations."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "the API server did not take over the configurations"
        time.sleep(0.1)
