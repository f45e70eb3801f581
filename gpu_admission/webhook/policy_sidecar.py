"""The policy sidecar of the server: where policies are GPUPolicy objects of the cluster.

It is a separate program, ``PROGRAM``, as the certificate sidecar is: neither the forking server nor a worker ever
loads the Kubernetes client or has a watch. It writes the objects to a directory (`policyfile.object_files`), and the
arbiter and every worker load them from there.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from gpu_admission.policyfile import object_files
from gpu_admission.registration.policy_access import lease_name

from .metrics_memory import memory_directory
from .sidecar import Sidecar, SupervisedProcess

if TYPE_CHECKING:
    from gpu_admission.webhook.server.settings import ServerSettings

PROGRAM = "gpu_admission.commands.policy_sidecar"
FIRST_POLICIES = 15.0  # seconds to wait for them, so that workers inherit them; then the server starts, not ready


def is_wanted(settings: ServerSettings) -> bool:
    """Return whether these settings need a sidecar."""
    return settings.policy_source == "crd"


class PolicySidecar(Sidecar):
    """A sidecar, and the ``settings`` with which the server loads what it publishes."""

    def __init__(self, settings: ServerSettings) -> None:
        super().__init__("gpu-admission-policies-", memory_directory(room=object_files.MOST_BYTES))
        command = [sys.executable, "-m", PROGRAM, "--directory", self._directory]
        command += ["--lease", f"{settings.service_namespace}/{lease_name(settings.service_name)}"]
        command += ["--log-format", settings.log_format]
        self.process = SupervisedProcess(command)
        self.settings = replace(settings, policy_directory=self._directory)

    def begin(self) -> None:
        """Start the sidecar, and wait for a while until it has listed the objects or reported an error."""
        # The schema is loaded before the fork, so that the workers share its memory.
        from gpu_admission.policyfile import schema  # noqa: F401, PLC0415

        self._start(self._has_begun, FIRST_POLICIES)

    def _has_begun(self) -> bool:
        index = object_files.read_index(self._directory)
        return index.entries is not None or bool(index.problem)
