"""The policy sidecar beside the server: where policies are GPUPolicy objects of the cluster.

It is a program of its own, ``PROGRAM``, as the certificate sidecar is: neither the forking server nor a worker ever
loads the Kubernetes client or holds a watch. What it sees it leaves in a directory (`policyfile.object_files`), and the
arbiter and every worker load that as they load files.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from gpu_admission.policyfile import object_files
from gpu_admission.registration.policy_access import lease_name

from .certificate_sidecar import SupervisedProcess
from .metrics_memory import memory_directory

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from gpu_admission.webhook.server.settings import ServerSettings

PROGRAM = "gpu_admission.commands.policy_sidecar"
FIRST_POLICIES = 15.0  # seconds to wait for them, so that workers inherit them; later they come while we are not ready


def is_wanted(settings: ServerSettings) -> bool:
    """Tell whether these settings need a sidecar."""
    return settings.policy_source == "crd"


class PolicySidecar:
    """A sidecar, and the ``settings`` with which the server judges by what it leaves.

    Whoever makes one closes it, in the process that made it: workers are forks, and their end comes by there too.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._owner = os.getpid()
        self._directory = tempfile.mkdtemp(
            prefix="gpu-admission-policies-", dir=memory_directory(room=object_files.MOST_BYTES)
        )
        command = [sys.executable, "-m", PROGRAM, "--directory", self._directory]
        command += ["--lease", f"{settings.service_namespace}/{lease_name(settings.service_name)}"]
        command += ["--log-format", settings.log_format]
        self.process = SupervisedProcess(command)
        self.settings = replace(settings, policy_directory=self._directory)

    def begin(self) -> None:
        """Start the sidecar, and wait for a while until it has listed the objects, or says why it cannot."""
        # What checks them is loaded before the fork, so that the workers share it.
        from gpu_admission.policyfile import schema  # noqa: F401, PLC0415

        self.process.watch(time.monotonic())
        end = time.monotonic() + FIRST_POLICIES
        while self.process.running and not self._has_begun() and time.monotonic() < end:
            time.sleep(0.05)

    def _has_begun(self) -> bool:
        index = object_files.read_index(self._directory)
        return index.entries is not None or bool(index.problem)

    def close(self) -> None:
        """End the sidecar and remove what lies in memory; nothing in a fork, or when done already."""
        if os.getpid() == self._owner:
            self.process.stop()
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()
