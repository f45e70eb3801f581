"""Laws of translation, over every pair of backends."""

import copy

import pytest
from backends.sharing import CORE, COUNT, MEM, POLICIES, admitted, container, pod, policy, resources, understood
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpu_admission.backends import cards
from gpu_admission.backends.portable import SEVENTHS, GpuShare
from gpu_admission.core import quantity

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

MIB, GIB = quantity.MIB, quantity.GIB
UNBOUND = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
PAIRS = [(source, target) for source in POLICIES for target in POLICIES if source != target]
CARDS = {"mig", "mps"}

memory = st.none() | st.integers(100 * MIB, 100 * GIB)
requests = st.builds(
    lambda memory, count, cores: GpuShare(memory, count, None if cores is None else cores * SEVENTHS),
    memory,
    st.integers(1, 4) | st.just(1),
    st.none() | st.integers(1, 100),
)


def portable(request):
    """The request in portable names."""
    said = {COUNT: str(request.count)}
    if request.memory is not None:
        said[MEM] = str(request.memory)
    if request.cores is not None:
        said[CORE] = str(request.percent)
    return said


def given_by(name, target, document):
    """What a pod gets under a policy, as a portable request; None without a request in the backend's names."""
    if name == "dra":
        claims = document["spec"].get("resourceClaims", ())
        return GpuShare(None, len(claims)) if claims else None
    request = understood(target, document).get("main")
    if request is None:
        plain = document["spec"]["containers"][0].get("resources", {}).get("limits", {}).get("nvidia.com/gpu")
        return GpuShare(None, int(plain)) if name == "mig" and plain else None
    if name == "exclusive":
        return with_affinity(request, document)
    return request


def with_affinity(request, document):
    """Whole cards are as large as the node affinity says, and the compute is all of them."""
    said = document["spec"].get("affinity")
    if not said:
        return request
    terms = said["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    least = int(terms[0]["matchExpressions"][0]["values"][0]) + 1
    return GpuShare(least * MIB, request.count)


def enough(name, given, asked):
    """Return whether the given request covers the original (nothing enforces memory under time-slicing)."""
    if name in {"time-slicing", "mps"} and given.memory is None:
        return given.count >= asked.count
    return given.covers(asked)


@pytest.mark.parametrize("name", POLICIES)
class TestOneBackend:
    @UNBOUND
    @given(asked=requests)
    def test_a_portable_request_is_given_in_full_or_refused(self, name, asked):
        before = pod(portable(asked))
        kept = copy.deepcopy(before)
        after, findings = admitted(policy(name), before)
        assert before == kept
        given = given_by(name, policy(name), after)
        if given is None:
            assert after == before
            assert [finding for finding in findings if finding.action == "deny"]
        else:
            assert enough(name, given, asked)
            assert not [finding for finding in findings if finding.action == "deny"]
            assert "gpu-admission.io" not in str(after)

    @UNBOUND
    @given(asked=requests)
    def test_translating_twice_changes_nothing(self, name, asked):
        once, _ = admitted(policy(name), pod(portable(asked)))
        twice, _ = admitted(policy(name), once)
        assert twice == once


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=lambda name: name)
@settings(UNBOUND, max_examples=8)
@given(asked=requests)
def test_what_was_written_for_one_backend_is_given_in_full_by_another_or_refused_or_left(source, target, asked):
    there, _ = admitted(policy(source), pod(portable(asked)))
    written = given_by(source, policy(source), there)
    if written is None:
        return
    there["spec"]["schedulerName"] = "default-scheduler"
    here, findings = admitted(policy(target), there)
    given = given_by(target, policy(target), here)
    denied = [finding for finding in findings if finding.action == "deny"]
    if given is not None:
        if set(resources(there) or ()) == {"nvidia.com/gpu"} and target in {"time-slicing", "mps"}:
            return  # nvidia.com/gpu is a share there: the policy decides
        meant = portable_meaning(source, there, written)
        assert enough(target, given, meant) or denied
        if source not in {"time-slicing", "mps", "exclusive", "mig"} and not denied:
            assert enough(target, given, asked)
    else:  # rejected, or names that something else on the cluster serves: unchanged either way
        assert here["spec"]["containers"] == there["spec"]["containers"]
        assert here["metadata"] == there["metadata"]


@pytest.mark.parametrize("target", sorted(set(POLICIES) - {"kai"}))
@settings(UNBOUND, max_examples=12)
@given(asked=requests, older=st.booleans())
def test_what_kais_annotations_ask_is_given_in_full_by_another_or_refused(target, asked, older):
    said = {"gpu-fraction-num-devices": str(asked.count)}
    if older:
        said["gpu-memory"] = str((asked.memory or 100 * MIB) // MIB)
    else:
        said["nvidia.com/container.main.gpu-memory.request"] = str(asked.memory or 100 * MIB)
    if asked.cores is not None:
        said["nvidia.com/container.main.gpu-compute.request"] = str(asked.percent / 100)
    before = pod(annotations=said)
    (meant,) = understood(policy("kai"), before).values()
    after, findings = admitted(policy(target), before)
    given = given_by(target, policy(target), after)
    if given is None:
        assert after == before
        assert [finding for finding in findings if finding.action == "deny"]
    else:
        assert meant.cores == asked.cores
        assert enough(target, given, meant)
        assert "annotations" not in after["metadata"]
        assert admitted(policy(target), after)[0] == after


def portable_meaning(source, document, written):
    """A pod without its node selection, the part of exclusive's requests that no other backend reads."""
    if source in {"exclusive", "dra", "time-slicing", "mps"} and document["spec"].get("affinity"):
        return GpuShare(None, written.count)
    if source in {"time-slicing", "mps"}:
        return GpuShare(None, written.count, share=True)
    return written


@pytest.mark.parametrize("target", sorted(set(POLICIES) - {"dra"}))
@UNBOUND
@given(first=requests, second=requests)
def test_a_pod_is_never_half_translated(target, first, second):
    before = pod(containers=[container(portable(first), "main"), container(portable(second), "second")])
    after, findings = admitted(policy(target), before)
    said = str(after)
    if any(finding.action == "deny" for finding in findings):
        assert after == before
    else:
        assert "gpu-admission.io" not in said
        served = [one for one in after["spec"]["containers"] if given_by(target, policy(target), only(after, one))]
        assert len(served) == 2


def only(document, one):
    """The pod with one of its containers, under the name that the tests look for."""
    return {**document, "spec": {**document["spec"], "containers": [{**one, "name": "main"}]}}


@UNBOUND
@given(
    model=st.sampled_from(cards.models()),
    asked=st.integers(100 * MIB, 180 * GIB),
    percent=st.none() | st.integers(1, 100),
)
def test_the_chosen_profile_is_the_smallest_that_fits(model, asked, percent):
    target = policy("mig", [model])
    said = {MEM: str(asked)} | ({} if percent is None else {CORE: str(percent)})
    after, _ = admitted(target, pod(said))
    card = cards.gpu_model({"model": model})
    fitting = [
        profile
        for profile in card.profiles
        if not profile.modifier
        and profile.memory >= asked
        and (percent is None or profile.slices * 100 >= percent * card.slices)
    ]
    given = understood(target, after).get("main")
    if not fitting:
        assert given is None
    else:
        best = min(fitting, key=lambda profile: (profile.memory, profile.slices))
        assert after["spec"]["containers"][0]["resources"]["limits"] == {best.resource: 1}
