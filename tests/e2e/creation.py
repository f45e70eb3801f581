"""Pods that are created without a pause, while something happens to the webhook."""

import time

from e2e.webhooks import PROBE, pod
from webhook_server import Clients, until

GPU = "nvidia.com/gpu"


class Creation(Clients):
    """Creates GPU pods without a pause; ``failed`` holds what the API server refused or left unrepaired."""

    def __init__(self, api, namespace, clients=4):
        self.made, self.failed = 0, []
        self._api, self._namespace = api, namespace
        super().__init__(clients)

    def wait(self, more, seconds=60):
        target = self.made + more
        until(lambda: self.made >= target, seconds)

    def _run(self):
        obj = pod(resources=PROBE)
        obj["metadata"] = {"generateName": "p-"}
        while not self._stop.is_set():
            answer = self._api.create(obj, self._namespace)
            tolerated = [each.get("key") for each in answer.object.get("spec", {}).get("tolerations", ())]
            with self._lock:
                self.made += 1
                if answer.status != 201 or GPU not in tolerated:
                    self.failed.append(answer.message or "it was not repaired")
            time.sleep(0.01)
