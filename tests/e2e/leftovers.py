"""The cluster as it was before a file of tests: what a file made and did not delete is deleted when it ends.

All files of a run share one cluster, in any order. A custom definition that one of them leaves is a kind that the next
audit finds; a Deployment in a namespace that no controller removes gets its pods from the controllers that a later file
starts. So the comparison is with the cluster as it started, and takes everything that the API server lists.
"""

from e2e.webhooks import settled

DISCOVERY = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
# The API server and the controllers write these for themselves, all the time.
OWN = {
    "events",
    "leases",
    "endpoints",
    "endpointslices",
    "apiservices",
    "ipaddresses",
    "servicecidrs",
    "flowschemas",
    "prioritylevelconfigurations",
    "componentstatuses",
    "storageversions",
}
SYSTEM = {"default", "kube-system", "kube-public", "kube-node-lease"}  # made a moment after the API server is ready
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAMESPACES = "/api/v1/namespaces"


def kinds(api):
    """The paths of all lists whose objects can be deleted, custom kinds included."""
    for root in ("/api", "/apis"):
        for group in api.request("GET", root, headers=DISCOVERY).object["items"]:
            name = group["metadata"].get("name")
            for version in group["versions"][:1]:
                base = f"/apis/{name}/{version['version']}" if name else f"/api/{version['version']}"
                for each in version.get("resources", ()):
                    if {"list", "delete"} <= set(each["verbs"]) and each["resource"] not in OWN:
                        yield f"{base}/{each['resource']}"


def objects(api):
    """The path of every object there is."""
    found = set()
    for path in kinds(api):
        base, _, plural = path.rpartition("/")
        for each in api.get(path).object.get("items") or ():
            metadata = each["metadata"]
            where = f"namespaces/{metadata['namespace']}/" if metadata.get("namespace") else ""
            found.add(f"{base}/{where}{plural}/{metadata['name']}")
    return found


def restore(api, before):
    """Delete what is new; namespaces and definitions last, waiting until they are deleted."""
    extra = objects(api) - before
    extra = {path for path in extra if not _is_the_controllers(path)}
    spaces = {path for path in extra if path.startswith(f"{NAMESPACES}/") and path.count("/") == 4}
    for path in sorted(extra - spaces, key=lambda path: path.startswith(DEFINITIONS)):
        _delete(api, path)
    for path in sorted(spaces):
        _delete(api, path)
        api.request("PUT", f"{path}/finalize", {**api.get(path).object, "spec": {"finalizers": []}})
    removed = [path for path in extra if path in spaces or path.startswith(DEFINITIONS)]
    settled(lambda: all(api.get(path).status == 404 for path in removed))


def _delete(api, path):
    api.delete(path, gracePeriodSeconds=0, propagationPolicy="Background")
    if api.get(path).object.get("metadata", {}).get("finalizers"):
        api.patch(path, {"metadata": {"finalizers": None}})


def _is_the_controllers(path):
    """Whether the controllers made it, in a namespace that stays: its account, the cluster's certificate, their own."""
    parts = path.split("/")
    if parts[:3] != ["", "api", "v1"] or parts[4] not in SYSTEM:
        return False
    return (
        len(parts) == 5
        or parts[5:] in (["configmaps", "kube-root-ca.crt"], ["serviceaccounts", "default"])
        or (parts[4:6] in (["kube-system", "serviceaccounts"], ["kube-system", "configmaps"]))
    )
