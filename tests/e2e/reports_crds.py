"""The two kinds of policy report as a cluster serves them, with what their schemas check.

openreports/reports-api: apis/openreports.io/v1alpha1/report_types.go, and kubernetes-sigs/wg-policy-prototypes:
policy-report/crd/v1alpha2: required fields, enumerations and types; unknown fields are pruned.
"""

from e2e.webhooks import settled

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
REFERENCE = {
    "type": "object",
    "properties": dict.fromkeys(
        ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid"), TEXT
    ),
}
OLD_SEVERITIES = ("high", "low", "medium")
SEVERITIES = ("critical", *OLD_SEVERITIES, "info")


def schema(severities, *, source):
    stamp = {"type": "object", "required": ["nanos", "seconds"], "properties": {"nanos": NUMBER, "seconds": NUMBER}}
    result = {
        "type": "object",
        "required": ["policy"],
        "properties": {
            **dict.fromkeys(("category", "message", "policy", "rule", "source"), TEXT),
            "properties": {"type": "object", "additionalProperties": TEXT},
            "resources": {"type": "array", "items": REFERENCE},
            "result": {"type": "string", "enum": ["pass", "fail", "warn", "error", "skip"]},
            "scored": {"type": "boolean"},
            "severity": {"type": "string", "enum": list(severities)},
            "timestamp": stamp,
        },
    }
    counts = {"type": "object", "properties": dict.fromkeys(("error", "fail", "pass", "skip", "warn"), NUMBER)}
    properties = {"apiVersion": TEXT, "kind": TEXT, "metadata": {"type": "object"}, "scope": REFERENCE}
    properties |= {"summary": counts, "results": {"type": "array", "items": result}}
    return {"type": "object", "properties": properties | ({"source": TEXT} if source else {})}


GROUPS = {
    "openreports.io": ("v1alpha1", "Report", schema(SEVERITIES, source=True)),
    "wgpolicyk8s.io": ("v1alpha2", "PolicyReport", schema(OLD_SEVERITIES, source=False)),
}


def define(api, group):
    """Serve both kinds of a group; returns its path and the plurals."""
    version, kind, body = GROUPS[group]
    plurals = []
    for name, scope in ((kind, "Namespaced"), (f"Cluster{kind}", "Cluster")):
        plural = f"{name.lower()}s"
        plurals.append(plural)
        versions = [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": body}}]
        names = {"kind": name, "plural": plural, "singular": name.lower(), "listKind": f"{name}List"}
        made = api.create(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.{group}"},
                "spec": {"group": group, "scope": scope, "names": names, "versions": versions},
            },
            None,
        )
        assert made.status in {201, 409}, made
        settled(lambda plural=plural: api.get(f"/apis/{group}/{version}/{plural}").status == 200)
    return f"/apis/{group}/{version}", plurals
