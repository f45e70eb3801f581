"""What we use of other packages beyond their documented interface: a release that changes it fails here, by name."""

import inspect

import pytest


def test_jsonpatch_names_its_operations():
    import jsonpatch

    assert {"add", "remove", "replace", "move", "copy", "test"} <= jsonpatch.JsonPatch.operations.keys()
    document = {"a": [1]}
    add = jsonpatch.JsonPatch.operations["add"]({"op": "add", "path": "/a/-", "value": 2})
    assert add.apply(document) == {"a": [1, 2]}


def test_yaml_has_a_binding_to_libyaml_that_gives_events():
    binding = pytest.importorskip("yaml._yaml")
    parser = binding.CParser(b"a: [1]")
    kinds = []
    while (event := parser.get_event()) is not None:
        kinds.append(type(event).__name__)
    assert kinds == [
        "StreamStartEvent", "DocumentStartEvent", "MappingStartEvent", "ScalarEvent", "SequenceStartEvent",
        "ScalarEvent", "SequenceEndEvent", "MappingEndEvent", "DocumentEndEvent", "StreamEndEvent",
    ]  # fmt: skip


def test_the_kubernetes_client_has_a_connection_below_its_models():
    client = pytest.importorskip("kubernetes.client")
    with client.ApiClient(client.Configuration(host="http://127.0.0.1:9")) as api:
        parameters = inspect.signature(api.rest_client.request).parameters
        assert {"method", "url", "headers", "body", "_request_timeout"} <= parameters.keys()
        assert api.configuration.host == "http://127.0.0.1:9"
        assert isinstance(api.configuration.auth_settings(), dict)
    response = inspect.getsource(client.rest.RESTResponse)
    for name in ("status", "reason", "data", "def read", "def getheader"):
        assert name in response
    assert {"status", "reason"} <= inspect.signature(client.exceptions.ApiException).parameters.keys()
