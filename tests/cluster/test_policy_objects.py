"""GPUPolicy objects become files for the server, and get a status."""

import datetime as dt
import json

import pytest
from api_standin import ApiStandin, kubeconfig, standin, status
from policy_objects import policy

from gpu_admission.cluster import policy_status
from gpu_admission.cluster.connect import ConnectOptions, connect
from gpu_admission.cluster.policy_objects import RETRY, PolicyObjects, StatusWriter
from gpu_admission.cluster.watch import Seen
from gpu_admission.policyfile import object_files
from gpu_admission.policyfile.crd import LONGEST_MESSAGE, PATH
from gpu_admission.policyfile.object_files import ObjectWriter, read_index, read_object

NOW = "2026-01-01T00:00:00Z"


def seen(name, spec=None, version=1, **more):
    obj = {**policy(spec, name, generation=more.pop("generation", 1)), **more}
    return Seen(name, f"u-{name}", str(version), json.dumps(obj).encode())


def take(objects, *found, problem=""):
    objects.take({each.name: each for each in found}, problem)
    return {state.seen.name: state for state in objects.states}


@pytest.fixture
def objects(tmp_path):
    return PolicyObjects(ObjectWriter(str(tmp_path)))


class TestFiles:
    def test_one_file_each_in_the_order_of_names(self, objects, tmp_path):
        take(objects, seen("b", {"mode": "warn"}), seen("a"))
        index = read_index(str(tmp_path))
        assert [(entry.name, entry.was_active) for entry in index.entries] == [("a", False), ("b", False)]
        assert read_object(str(tmp_path), "b") == policy({"mode": "warn"}, "b")

    def test_what_goes_takes_its_file_along(self, objects, tmp_path):
        take(objects, seen("a"), seen("b"))
        take(objects, seen("b"))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["b.json", "index"]
        take(objects)
        assert [path.name for path in tmp_path.iterdir()] == ["index"]
        assert read_index(str(tmp_path)).entries == ()

    def test_a_status_or_a_label_is_no_new_version(self, objects, tmp_path):
        take(objects, seen("a", {"mode": "warn"}))
        before = (tmp_path / "a.json").stat().st_ino
        other = seen("a", {"mode": "warn"}, 2, status={"conditions": []}, generation=1)
        take(objects, other)
        assert (tmp_path / "a.json").stat().st_ino == before
        take(objects, seen("a", {"mode": "audit"}, 3, generation=2))
        assert (tmp_path / "a.json").stat().st_ino != before

    def test_an_object_that_was_active_is_required(self, objects, tmp_path):
        take(objects, seen("a", status={"activeGeneration": 3}), seen("b", status={"activeGeneration": "x"}))
        assert [entry.was_active for entry in read_index(str(tmp_path)).entries] == [True, False]

    def test_a_problem_leaves_what_is_known(self, objects, tmp_path):
        take(objects, seen("a"))
        writer = ObjectWriter(str(tmp_path))  # a sidecar that was started anew
        writer.write_problem("the API server is away")
        index = read_index(str(tmp_path))
        assert [entry.name for entry in index.entries] == ["a"]
        assert index.problem == "the API server is away"
        assert (tmp_path / "a.json").exists()

    def test_before_the_first_list_nothing_is_known(self, tmp_path):
        assert read_index(str(tmp_path)).entries is None
        ObjectWriter(str(tmp_path)).write_problem("no route")
        index = read_index(str(tmp_path))
        assert (index.entries, index.problem) == (None, "no route")

    @pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"entries": 5, "problem": ""}', '{"entries": [["a"]]}'])
    def test_an_index_that_cannot_be_read_is_none(self, tmp_path, text):
        (tmp_path / "index").write_text(text)
        assert read_index(str(tmp_path)).entries is None

    def test_one_that_has_grown_too_large_keeps_its_file(self, objects, tmp_path):
        take(objects, seen("a", {"mode": "warn"}))
        states = take(objects, seen("a", {"mode": "audit", "schedulerName": "x" * (1 << 20)}, 2))
        assert states["a"].mistakes == ("the object is larger than 1 MiB",)
        assert read_object(str(tmp_path), "a")["spec"] == {"mode": "warn"}

    def test_all_together_are_bounded(self, objects, tmp_path, monkeypatch):
        monkeypatch.setattr(object_files, "MOST_BYTES", 1 << 20)
        large = [seen(f"p{number}", {"schedulerName": "x" * 300_000}) for number in range(5)]
        states = take(objects, *large)
        assert [bool(state.mistakes) for state in states.values()] == [False] * 3 + [True] * 2
        assert not (tmp_path / "p4.json").exists()
        take(objects, *large[2:])
        assert (tmp_path / "p4.json").exists()

    @pytest.mark.parametrize("name", ["../a", "a/b", "index", "A", "", ".", "a\0b", "x" * 300])
    def test_a_name_is_never_a_path(self, objects, tmp_path, name):
        state = take(objects, seen(name))[name]
        assert "is not a valid name" in state.mistakes[0]
        assert [path.name for path in tmp_path.iterdir()] == ["index"]
        assert [path.name for path in tmp_path.parent.glob("*.json")] == []

    @pytest.mark.parametrize("data", [b"5", b"[]", b"{", b'{"metadata": 5}', b"[" * 100_000, b"\xff"])
    def test_what_is_no_object(self, objects, data):
        state = take(objects, Seen("a", "u", "1", data))["a"]
        assert state.mistakes == ("the object: is not a JSON object, or is nested too deeply",)

    def test_it_is_checked_once_a_version(self, objects, monkeypatch):
        checked = []
        monkeypatch.setattr("gpu_admission.policyfile.loader.check_object", lambda obj: checked.append(obj) or [])
        for version in range(4):
            take(objects, seen("a", {"mode": "warn"}, version))
        assert len(checked) == 1

    def test_a_full_disk_is_an_error_that_the_next_round_gets_over(self, objects, tmp_path, monkeypatch):
        def full(*_, **__):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("gpu_admission.policyfile.object_files.write_atomically", full)
            with pytest.raises(OSError, match="No space"):
                take(objects, seen("a"))
        take(objects, seen("a"))
        assert (tmp_path / "a.json").exists()


def outline(generation=1, **more):
    return {"metadata": {"name": "a", "generation": generation}, "spec": {}, **more}


def desired(obj, mistakes=(), shadow="", notes=(), now=NOW):
    return policy_status.desired(obj, mistakes, shadow=shadow, notes=notes, now=now)


class TestStatus:
    def test_in_force(self):
        assert desired(outline()) == {
            "conditions": [
                {
                    "type": "Ready", "status": "True", "reason": "InForce", "message": "this version is in force",
                    "observedGeneration": 1, "lastTransitionTime": NOW,
                }
            ],
            "activeGeneration": 1,
        }  # fmt: skip

    def test_what_stands_there_is_not_written_again(self):
        status = desired(outline())
        assert desired(outline(status=status), now="2027-01-01T00:00:00Z") is None
        assert desired(outline(2, status=status)) is not None

    def test_the_time_is_that_of_the_last_transition(self):
        status = desired(outline())
        later = desired(outline(2, status=status), now="2027-01-01T00:00:00Z")
        assert later["conditions"][0]["lastTransitionTime"] == NOW
        worse = desired(outline(3, status=later), ["x"], now="2028-01-01T00:00:00Z")
        assert worse["conditions"][0]["lastTransitionTime"] == "2028-01-01T00:00:00Z"
        assert worse["activeGeneration"] == 2
        assert worse["conditions"][0]["message"] == "generation 2 stays in force, because of:\nx"

    def test_one_that_never_was_in_force(self):
        status = desired(outline(), ["spec.mode: x"])
        assert "activeGeneration" not in status
        assert status["conditions"][0]["message"] == "this policy is not in force, because of:\nspec.mode: x"

    def test_conditions_of_others_stay(self):
        other = {"type": "Reviewed", "status": "True"}
        assert desired(outline(status={"conditions": [other]}))["conditions"][0] == other

    def test_a_message_is_bounded(self):
        text = desired(outline(), ["x" * 100_000])["conditions"][0]["message"]
        assert len(text) == LONGEST_MESSAGE

    @pytest.mark.parametrize(
        "broken",
        [
            {"status": 5},
            {"status": {"conditions": 5}},
            {"status": {"conditions": [5, None, {"type": "Ready"}]}},
            {"status": {"activeGeneration": True}},
            {"status": {"activeGeneration": -3}},
            {"metadata": {}},
            {"metadata": {"generation": "1"}},
        ],
    )
    def test_whatever_stands_there_a_status_comes_of_it(self, broken):
        assert desired({**outline(), **broken})["conditions"][-1]["status"] == "True"
        assert desired({**outline(), **broken}, ["x"])["conditions"][-1]["status"] == "False"


class Always:
    """An elector that has won; ``turns`` bounds for how many looks."""

    def __init__(self):
        self.turns = 1000

    def tick(self):
        self.turns -= 1
        return self.turns >= 0


class TestWriting:
    @pytest.fixture
    def api(self):
        return ApiStandin()

    @pytest.fixture
    def told(self):
        return {"problems": [], "written": []}

    @pytest.fixture
    def writer(self, api, tmp_path, told):
        pytest.importorskip("kubernetes")
        (tmp_path / "config").mkdir()
        self.time = 0.0
        with standin(api) as url:
            connection = connect(ConnectOptions(kubeconfig=kubeconfig(tmp_path / "config", url), tries=1))
            yield StatusWriter(
                connection, Always(), problem=told["problems"].append, clock=lambda: self.time,
                written=lambda name, _: told["written"].append(name), now=lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            )  # fmt: skip
            connection.close()

    @pytest.fixture
    def objects(self, tmp_path):
        (tmp_path / "files").mkdir()
        return PolicyObjects(ObjectWriter(str(tmp_path / "files")))

    def test_one_write_a_version(self, writer, objects, api):
        take(objects, seen("a", version=7), seen("b", {"rules": {"GPU999": "deny"}}))
        for _ in range(5):
            writer.write(objects.states)
        assert [path for _, path, _, _ in api.written] == [f"{PATH}/a/status", f"{PATH}/b/status"]
        method, _, _, body = api.written[0]
        assert method == "PATCH"
        assert body["metadata"] == {"resourceVersion": "7"}
        assert body["status"]["conditions"][0]["reason"] == "InForce"
        assert api.headers[0]["Content-Type"] == "application/merge-patch+json"
        text = api.written[1][3]["status"]["conditions"][0]["message"]
        assert "spec.rules.GPU999: there is no rule 'GPU999'" in text
        take(objects, seen("a", version=8, status=body["status"]))
        writer.write(objects.states)
        assert len(api.written) == 2

    def test_what_comes_after_one_for_every_namespace_is_shadowed(self, writer, objects, api):
        broken = {"rules": {"GPU999": "deny"}}
        teams = {"match": {"namespaces": ["team-*"]}}
        take(objects, seen("a", broken), seen("b", teams), seen("c"), seen("d", teams))
        writer.write(objects.states)
        reasons = [body["status"]["conditions"][0]["reason"] for *_, body in api.written]
        assert reasons == ["Invalid", "InForce", "InForce", "Shadowed"]

    def test_who_is_no_leader_writes_nothing_and_stops_when_that_ends(self, writer, objects, api):
        take(objects, *[seen(f"p{number}") for number in range(10)])
        writer._elector.turns = 3
        writer.write(objects.states)
        assert len(api.written) == 3
        writer.write(objects.states)
        assert len(api.written) == 3

    @pytest.mark.parametrize("code", [404, 409])
    def test_what_changed_meanwhile_waits_for_the_watch(self, writer, objects, api, told, code):
        api.always = [lambda *_: status(code)]
        take(objects, seen("a"))
        writer.write(objects.states)
        writer.write(objects.states)
        assert len(api.requests) == 1
        assert told == {"problems": [], "written": []}
        api.always = []
        take(objects, seen("a", version=2))
        writer.write(objects.states)
        assert told["written"] == ["a"]

    def test_what_is_forbidden_is_tried_again_after_a_while(self, writer, objects, api, told):
        api.always = [lambda *_: status(403, "no")]
        take(objects, seen("a"), seen("b"))
        for _ in range(5):
            writer.write(objects.states)
        assert len(api.requests) == 1
        assert "RBAC does not allow to patch it" in told["problems"][0]
        api.always = []
        self.time = RETRY + 1
        writer.write(objects.states)
        assert told["written"] == ["a", "b"]
        assert told["problems"][-1] == ""
