"""The policy guardrails on a real API server: what its conditions let through to the rules."""

import pytest

pytestmark = pytest.mark.e2e


def pod(name, volumes=(), **container):
    made = {"name": "c", "image": "example.com/c:1", **container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [made], "volumes": list(volumes)},
    }


@pytest.mark.parametrize(
    "bad",
    [
        pod("privileged", securityContext={"privileged": True}),
        pod("capability", securityContext={"capabilities": {"add": ["CAP_SYS_ADMIN"]}}),
        *(
            pod(f"path-{number}", volumes=[{"name": "v", "hostPath": {"path": path}}])
            for number, path in enumerate(("/", "/dev", "/var/run/docker.sock", "/run/containerd/"))
        ),
    ],
    ids=lambda obj: obj["metadata"]["name"],
)
def test_pods_that_hold_the_node_are_denied_without_a_gpu(api, server, namespace, bad):
    with server.registered(api, "guardrails"):
        refused = api.create(bad, namespace)
        assert refused.status == 403, refused
        assert "GPU507 " in refused.message
        assert api.create(pod("plain"), namespace, dryRun="All").status == 201
