"""The matchConditions of many policies, evaluated by a real API server all at once and without a webhook.

One ValidatingAdmissionPolicy evaluates them on the same objects and by the same CEL as a webhook's conditions would
be, and answers by warnings: a dry run of a pod tells which policies it would be shown to.
"""

import re
import time

from gpu_admission.registration import webhook_configurations

GROUP = "admissionregistration.k8s.io/v1"
ROOT = f"/apis/{GROUP}"
MARK = re.compile(r"brings-(\d+)")


class EvaluatedConditions:
    """The conditions of policies, registered."""

    def __init__(self, api, policies):
        self._api = api
        expressions = {name: _expression(policy) for name, policy in policies.items()}
        self._distinct = list(dict.fromkeys(expressions.values()))
        self._names = {name: self._distinct.index(text) for name, text in expressions.items()}

    def __enter__(self):
        validations = [
            {"expression": f"!(\n{text})", "message": f"brings-{number}"} for number, text in enumerate(self._distinct)
        ]
        rules = [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": operations, "resources": [resource]}
            for resource, operations in (("pods", ["CREATE", "UPDATE"]), ("pods/ephemeralcontainers", ["UPDATE"]))
        ]
        spec = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}, "validations": validations}
        binding = {"policyName": "conditions", "validationActions": ["Warn"]}
        for kind, made in (("ValidatingAdmissionPolicy", spec), ("ValidatingAdmissionPolicyBinding", binding)):
            obj = {"apiVersion": GROUP, "kind": kind, "metadata": {"name": "conditions"}, "spec": made}
            answer = self._api.request("POST", f"{ROOT}/{_plural(kind)}", obj)
            assert answer.status == 201, answer
        probe = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": {"containers": [
            {"name": "c", "image": "i", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]}}  # fmt: skip
        deadline = time.monotonic() + 60
        while set(self.of(self._api.create(probe, dryRun="All"))) != set(self._names):
            assert time.monotonic() < deadline, "the API server did not take over the policy"
            time.sleep(0.2)
        return self

    def __exit__(self, *_):
        for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
            self._api.delete(f"{ROOT}/{_plural(kind)}/conditions")

    def of(self, answer):
        """The names of the policies whose conditions held for a request, by its answer."""
        texts = answer.warnings
        broken = [text for text in texts if "error" in text and not MARK.search(text)]
        assert not broken, broken
        held = {int(number) for text in texts for number in MARK.findall(text)}
        return [name for name, number in self._names.items() if number in held]


def _plural(kind):
    return (
        kind.lower().replace("policybinding", "policybindings")
        if kind.endswith("Binding")
        else "validatingadmissionpolicies"
    )


def _expression(policy):
    """All conditions of the webhook that validates pods, but for who is exempt."""
    hooks = webhook_configurations.configurations(policy, webhook_configurations.RegistrationOptions())[1]["webhooks"]
    (pods,) = (hook for hook in hooks if hook["name"].startswith("pods."))
    conditions = [each["expression"] for each in pods["matchConditions"] if each["name"] != "not-exempt"]
    return " &&\n".join(f"({text})" for text in conditions)
