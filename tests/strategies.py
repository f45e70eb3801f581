"""Hypothesis strategies: pods and workloads as people write and break them, and arbitrary JSON."""

import disorder
import manifests
from hypothesis import strategies as st

# A seed and no more: what shrinks draw by draw takes minutes to shrink an object of this size.
rngs = st.randoms(use_true_random=True)


@st.composite
def pods(draw, clean=0.7):
    """Pods of the right shape with anything wrong inside."""
    return disorder.pod(draw(rngs), clean)


@st.composite
def workloads(draw):
    """Objects of every kind of the table, one in three with a broken structure."""
    rng = draw(rngs)
    made = disorder.workload(rng)
    return disorder.broken(rng, made) if rng.random() < 0.35 else made


@st.composite
def whole_workloads(draw):
    """Objects of any kind that could come from a file and from the API server alike."""
    rng = draw(rngs)
    made = disorder.workload(rng)
    return made if manifests.filled_in(made) else disorder.pod(rng, clean=1)


keywords = st.sampled_from(
    (
        "apiVersion", "kind", "metadata", "spec", "template", "containers", "initContainers", "ephemeralContainers",
        "resources", "limits", "requests", "env", "name", "value", "image", "tolerations", "annotations", "volumes",
        "hostPath", "path", "items", "securityContext", "v1", "Pod", "List", "Deployment", "apps/v1", "nvidia.com/gpu",
        "gpu", "NVIDIA_VISIBLE_DEVICES", "labels", "status", "spec.template", "*", "-", "~1", "nodeSelector", "hard",
    )
)  # fmt: skip
texts = st.one_of(keywords, st.text(max_size=20), st.sampled_from(manifests.KNOWN))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.sampled_from([odd for odd in manifests.ODD if not isinstance(odd, (dict, list))]),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=5)),
    max_leaves=25,
)


@st.composite
def documents(draw):
    """Arbitrary JSON with a type, so that it is taken for a Kubernetes object."""
    types = st.sampled_from(
        (("v1", "Pod"), ("apps/v1", "Deployment"), ("v1", "List"), ("x.io/v1", "X"), ("v1", "PodList"))
    )
    api_version, kind = draw(types)
    body = draw(st.dictionaries(texts, json_values, max_size=4))
    return {**body, "apiVersion": api_version, "kind": kind, "spec": draw(json_values)}
