"""A release of the chart on the real API server, and this machine as its node.

There is no kubelet: the tests start what the Deployment says, by its own command line, and a URL stands in for the
Service. All else is Helm's and the API server's.
"""

import contextlib
import stat
import sys
import threading
import time

import pytest
import yaml
from e2e.balancer import Balancer
from helm import CHART, helm
from serve_process import Served, run
from webhook_server import until

RELEASE, NAMESPACE = "gpus", "helm-e2e"
NAME = f"{RELEASE}-gpu-admission"
PATHS = {
    "deployment": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}",
    "policy": f"/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}-policy",
    "secret": f"/api/v1/namespaces/{NAMESPACE}/secrets/{NAME}-tls",
    "service": f"/api/v1/namespaces/{NAMESPACE}/services/{NAME}",
    "mutating": f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{NAME}",
    "validating": f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{NAME}",
}
# Helm hands it all objects but hooks.
RENDERER = """\
#!{python}
import sys, yaml
objects = [each for each in yaml.load_all(sys.stdin, Loader=yaml.CSafeLoader) if each]
for hook in (hook for each in objects for hook in each.get("webhooks", ())):
    hook["clientConfig"] = {{"url": "{url}" + hook["clientConfig"]["service"]["path"]}}
yaml.dump_all(objects, sys.stdout, Dumper=yaml.CSafeDumper)
"""


class Release:
    """Runs helm against a cluster; ``url`` takes the Service's place where it is given."""

    def __init__(self, cluster, folder, url=""):
        self.cluster = cluster
        self._env = {"KUBECONFIG": str(cluster.kubeconfig)}
        self._env |= {f"HELM_{each}_HOME": str(folder / each.lower()) for each in ("CACHE", "CONFIG", "DATA")}
        self._rendered = []
        if url:
            if not helm("version", "--short").stdout.startswith("v3."):
                pytest.skip("only helm 3 takes a program for a post-renderer, which puts a URL in the Service's place")
            script = folder / "renderer"
            script.write_text(RENDERER.format(python=sys.executable, url=url))
            script.chmod(script.stat().st_mode | stat.S_IXUSR)
            self._rendered = ["--post-renderer", script]

    def helm(self, *arguments, **options):
        return helm(*arguments, "--namespace", NAMESPACE, env=self._env, **options)

    def upgrade(self, *values):
        """Install or upgrade, with these values and nothing that was set before."""
        arguments = ("--install", "--create-namespace", "--reset-values", *self._rendered, *values)
        return self.helm("upgrade", RELEASE, CHART, *arguments)

    def rollback(self, revision):
        return self.helm("rollback", RELEASE, revision)

    def uninstall(self, *arguments):
        return self.helm("uninstall", RELEASE, *arguments)

    def forget_test(self):
        """Delete what ``helm test`` made: Helm keeps a failed test for inspection."""
        for namespace in (NAMESPACE, "default"):
            arguments = ("delete", "pods,serviceaccounts,roles,rolebindings", "-n", namespace, "--ignore-not-found")
            self.cluster.kubectl(*arguments, "--field-selector", f"metadata.name={NAME}-test")

    def get(self, what):
        found = self.cluster.api.get(PATHS[what])
        return found.object if found.status == 200 else None

    def args(self):
        """The Deployment's command line."""
        return self.get("deployment")["spec"]["template"]["spec"]["containers"][0]["args"]

    def bundles(self):
        return [
            hook["clientConfig"].get("caBundle", "")
            for kind in ("mutating", "validating")
            for hook in (self.get(kind) or {"webhooks": ()})["webhooks"]
        ]


class Node:
    """Runs the Deployment's replicas as a rolling update would, and mounts the ConfigMap as a kubelet does."""

    def __init__(self, release, folder, env):
        self.release = release
        self.replicas = []
        self.balancer = None
        self._folder = folder
        self._env = env
        self._count = 0

    def mount(self):
        """Write the policy's files as they are in the ConfigMap now; there is none where policies are objects."""
        policy = self.release.get("policy")
        if policy is None:
            return
        mounted = self._folder / "policy"
        mounted.mkdir(exist_ok=True)
        for name, text in policy["data"].items():
            (mounted / f"{name}.new").write_text(text)
            (mounted / f"{name}.new").replace(mounted / name)

    def start(self):
        """Start one replica by the Deployment's command line; it is ready when this returns."""
        folder = self._folder / f"replica{self._count}"
        folder.mkdir()
        self._count += 1
        own = ("--bind=", "--health-bind=", "--lame-duck=")
        arguments = [arg for arg in self.release.args()[1:] if not arg.startswith(own)]
        arguments = [arg.replace("/etc/gpu-admission/", f"{self._folder}/policy/") for arg in arguments]
        replica = Served(folder, *arguments, "--lame-duck", "2", env=self._env)
        self.replicas.append(replica)
        return replica

    def balance(self):
        self.balancer.replicas[:] = self.replicas

    def roll(self):
        """A rolling update: a new replica is ready before an old one goes (maxUnavailable 0, maxSurge 1)."""
        self.mount()
        for old in list(self.replicas):
            self.start()
            self.replicas.remove(old)
            self.balance()
            time.sleep(1)  # as preStop: the endpoints are updated before the process ends
            assert old.stop(seconds=40) == 0

    def stop(self):
        for replica in self.replicas:
            replica.stop()
        self.replicas.clear()


@contextlib.contextmanager
def node(release, folder, port, count=2):
    """The replicas of an installed release, reachable at this port and trusted by the API server; yields the Node."""
    made = Node(release, folder, {"KUBECONFIG": str(release.cluster.kubeconfig)})
    try:
        made.mount()
        for _ in range(count):
            made.start()
        with Balancer(made.replicas, port) as made.balancer:
            until(lambda: all(release.bundles()), 60)
            yield made
    finally:
        made.stop()


class Kubelet(threading.Thread):
    """Runs the pod of ``helm test`` on this machine, under its service account."""

    def __init__(self, cluster, folder, path):
        super().__init__(daemon=True)
        self.output = ""
        self._cluster, self._folder, self._path = cluster, folder, path

    def run(self):
        api = self._cluster.api
        until(lambda: api.get(self._path).status == 200, 60)
        spec = api.get(self._path).object["spec"]
        token = api.request(
            "POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{spec['serviceAccountName']}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        ).object["status"]["token"]  # fmt: skip
        config = yaml.safe_load(self._cluster.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        kubeconfig = self._folder / "test.kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(config))
        done = run(*spec["containers"][0]["args"], KUBECONFIG=str(kubeconfig))
        self.output = done.stdout + done.stderr
        phase = "Failed" if done.returncode else "Succeeded"
        assert api.patch(f"{self._path}/status", {"status": {"phase": phase}}).status == 200
