"""A stand-in for the decision, so that the server is tested by itself: policies are small JSON files.

A policy is ``{"name": ..., "version": ..., "refuse": [names]}``; a pod whose name is refused is denied, one
named ``crash`` raises, one named ``slow`` takes a while, one with the label ``mutate`` gets a patch.
"""

import base64
import json
import time
from typing import NamedTuple

from gpu_admission.webhook.review.types import JSON, PolicyError, Response, ReviewEngine


class StandinPolicy(NamedTuple):
    name: str
    version: str = "1"
    refuse: tuple[str, ...] = ()
    slow: float = 0.2

    def under(self, mode):
        """Return itself: a stand-in's answers know no mode."""
        return self


def load(source):
    if not source.endswith(".json"):
        return StandinPolicy(source)
    try:
        with open(source, encoding="utf-8") as file:
            found = json.load(file)
        return StandinPolicy(
            found["name"],
            str(found.get("version", "1")),
            tuple(found.get("refuse", ())),
            found.get("slow", 0.2),
        )
    except (OSError, ValueError, KeyError) as error:
        raise PolicyError(f"{source}: {type(error).__name__}") from error


def bad(sentence):
    return Response(400, json.dumps({"error": sentence, "status": 400}).encode() + b"\n", JSON, {"decision": "error"})


def judge(policy, request, endpoint):
    name = (request.get("object") or {}).get("metadata", {}).get("name", "")
    if name == "crash":
        raise KeyError("SECRET-VALUE")
    if name == "slow":
        time.sleep(policy.slow)
    if name in policy.refuse:
        return "denied", [("GPU005", "deny")], []
    if endpoint == "mutate" and "mutate" in request["object"].get("metadata", {}).get("labels", {}):
        return "mutated", [], ["GPU201"]
    return "allowed", [], []


def decider(policies):
    def decide(body, endpoint, name):
        policy = policies.get(name)
        try:
            review = json.loads(body)
            request = review["request"]
            uid = request["uid"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return bad("not an AdmissionReview")
        decision, rules, applied = judge(policy, request, endpoint)
        response = {"uid": uid, "allowed": decision != "denied"}
        if decision == "denied":
            response["status"] = {"code": 403, "reason": "Forbidden", "message": f"version {policy.version}"}
        else:
            response["warnings"] = [f"version {policy.version}"]
        if applied:
            patch = [{"op": "add", "path": "/spec/schedulerName", "value": "gpu"}]
            response.update(patchType="JSONPatch", patch=base64.b64encode(json.dumps(patch).encode()).decode())
        answer = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        record = {
            "uid": uid,
            "operation": request.get("operation", "CREATE"),
            "kind": request.get("kind", {}).get("kind", "Pod"),
            "namespace": request.get("namespace", ""),
            "name": request.get("name", ""),
            "decision": decision,
            "rules": rules,
            "applied": applied,
        }
        return Response(200, json.dumps(answer).encode(), JSON, record)

    return decide


ENGINE = ReviewEngine(load, decider)
