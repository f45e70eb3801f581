"""Pods of manifests in a folder, for tests that compare two judges on whatever people have written."""

import copy
from pathlib import Path

from gpu_admission.core import pointer
from gpu_admission.manifests import reader
from gpu_admission.policyfile import loader
from gpu_admission.workloads import workload

SUFFIXES = {".yaml", ".yml", ".json"}
ELSEWHERE = {"priorityClassName", "serviceAccountName", "serviceAccount"}  # what they name is not on the API server


def pods(folder):
    """Yield the file and a Pod for each complete pod spec, once for those that are alike."""
    policy, seen = loader.load("any"), set()
    for path in sorted(each for each in Path(folder).rglob("*") if each.suffix in SUFFIXES):
        for document in reader.read(path.read_bytes(), path.name).documents:
            for view in (view for found in workload.read(document.object, policy) for view in found.pods):
                spec = pointer.resolve(document.object, view.pointer)
                if not view.complete or not isinstance(spec, dict) or repr(spec) in seen:
                    continue
                seen.add(repr(spec))
                yield str(path.relative_to(folder)), _pod(view, spec)


def _pod(view, spec):
    metadata = view.metadata if isinstance(view.metadata, dict) else {}
    kept = {name: copy.deepcopy(metadata[name]) for name in ("labels", "annotations") if metadata.get(name)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", **kept}, "spec": _spec(spec)}


def _spec(spec):
    return copy.deepcopy({name: value for name, value in spec.items() if name not in ELSEWHERE})
